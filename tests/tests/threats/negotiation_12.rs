//! Choices in DTLS 1.2 that were not offered, and a peer that is weaker than it should be (threats 49, 50, 71 to 74, 81, 84).

use std::sync::Arc;

use drystone_handshake::codec::List;
use drystone_handshake::message::registry::{
    CipherSuiteId, EcPointFormat, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme,
    SrtpProfile,
};
use drystone_handshake::message::{
    ClientExtensions, ClientHello, Empty, ProtocolName, RawExtension, RecordSizeLimit, ServerHello,
    ServerHelloExtensions, UseSrtpAnswer,
};
use drystone_handshake::{ClientConfig, Connection, Error, Misuse, Settings, crypto};
use drystone_record::ContentType;
use drystone_tests::clock::Clock;
use drystone_tests::counting::FailingRandom;
use drystone_tests::identity::{Identity, client_config, name, server_config, settings, settings_of_both};
use drystone_tests::rogue::alert::{
    DECODE_ERROR, HANDSHAKE_FAILURE, ILLEGAL_PARAMETER, INAPPROPRIATE_FALLBACK, INTERNAL_ERROR,
    PROTOCOL_VERSION, UNEXPECTED_MESSAGE, UNSUPPORTED_EXTENSION,
};
use drystone_tests::rogue::{
    CLIENT_STEPS, Duel, Heard, SERVER_STEPS, Step, Victim, connects_and_talks, refused, start,
};
use rustls_pki_types::ServerName;

/// A rogue client in front of a server; it has not said hello.
fn server_duel_with(settings: Settings) -> Duel {
    let identity = Identity::p256();
    Duel::with_server(Victim::server(server_config(settings, identity)), identity)
}

// ---- 49: random numbers ----

#[test]
fn threat_49_randoms_differ_and_are_not_zero() {
    let client_random = |duel: &Duel| duel.rogue.randoms.client;
    let server_random = || {
        let mut duel = server_duel_with(settings());
        duel.greet();
        duel.rogue.randoms.server
    };
    let randoms = [
        client_random(&Duel::usual_client()),
        client_random(&Duel::usual_client()),
        server_random(),
        server_random(),
    ];
    for (place, random) in randoms.iter().enumerate() {
        assert_ne!(*random, [0; 32]);
        assert!(!randoms[..place].contains(random));
    }
}

#[test]
fn threat_49_a_failing_source_of_random_numbers_is_an_error() {
    let failing = |good| {
        let mut settings = settings();
        settings.random = Arc::new(FailingRandom::after(good));
        settings
    };
    let config = client_config(failing(0), Identity::p256());
    let client = Connection::client(config, name(), start(&Clock::new()));
    assert_eq!(client.err(), Some(Error::RandomFailure));
    // The server's first random number is the cookie secret.
    let mut duel = server_duel_with(failing(1));
    duel.greet();
    assert_eq!(duel.victim.error(), Some(&Error::RandomFailure));
    assert_eq!(duel.rogue.alerts(), [INTERNAL_ERROR]);
}

// ---- 50: choices that were not offered ----

#[test]
fn threat_50_versions_that_were_not_offered_are_refused() {
    for version in [0xfeff, 0xfefc, 0xfefe, 0x0303, 0x0304, 0] {
        let mut duel = Duel::usual_client();
        duel.rogue.alter_server_hello(move |hello| hello.server_version = ProtocolVersion(version));
        duel.play(&SERVER_STEPS[..1]);
        refused(&duel, PROTOCOL_VERSION, &format!("{version:04x}"));
    }
}

#[test]
fn threat_50_suites_that_were_not_offered_are_refused() {
    let mut settings = settings();
    settings.cipher_suites = Some(vec![CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]);
    for suite in [0xc02c, 0xcca9, 0xc02f, 0x1301, 0x0000, 0x0005, 0x00ff, 0xc009, 0x5600] {
        let mut duel = Duel::client_12(settings.clone());
        duel.rogue.alter_server_hello(move |hello| hello.cipher_suite = CipherSuiteId(suite));
        duel.play(&SERVER_STEPS[..1]);
        refused(&duel, ILLEGAL_PARAMETER, &format!("{suite:04x}"));
    }
}

#[test]
fn threat_50_groups_that_were_not_offered_are_refused() {
    let mut settings = settings();
    settings.groups = Some(vec![NamedGroup::X25519]);
    for group in [NamedGroup::SECP256R1, NamedGroup::SECP384R1] {
        let mut duel = Duel::client_12(settings.clone());
        duel.rogue.group = crypto::ring::provider().group(group).unwrap();
        duel.play(&SERVER_STEPS[..4]);
        refused(&duel, ILLEGAL_PARAMETER, &format!("{group}"));
    }
}

#[test]
fn threat_50_extensions_that_were_not_offered_are_refused() {
    type Change = fn(&mut ServerHelloExtensions<'_>);
    let cases: [(&str, Change); 5] = [
        ("alpn", |extensions| extensions.alpn = Some(ProtocolName { name: b"h2" })),
        ("use_srtp", |extensions| {
            let profile = SrtpProfile::AEAD_AES_128_GCM;
            extensions.use_srtp = Some(UseSrtpAnswer { profile, srtp_mki: &[] });
        }),
        ("record_size_limit", |extensions| extensions.record_size_limit = RecordSizeLimit::new(1000)),
        ("session_ticket", |extensions| extensions.session_ticket = Some(Empty {})),
        ("connection_id", |extensions| extensions.connection_id = Some(&[1])),
    ];
    for (what, change) in cases {
        let mut duel = Duel::usual_client();
        duel.rogue.alter_server_hello(move |hello| change(&mut hello.extensions));
        duel.play(&SERVER_STEPS[..1]);
        refused(&duel, UNSUPPORTED_EXTENSION, what);
    }
    // A name was not sent for an address, so that it cannot be acknowledged.
    let identity = Identity::p256();
    let mut victim = Victim::client(client_config(settings(), identity));
    let address = ServerName::try_from("192.0.2.1").unwrap();
    let config = client_config(settings(), identity);
    victim.connection = Some(Connection::client(config, address, start(&Clock::new())).unwrap());
    let mut duel = Duel::with_client(victim, identity);
    duel.rogue.alter_server_hello(|hello| hello.extensions.server_name = Some(Empty {}));
    duel.play(&SERVER_STEPS[..1]);
    refused(&duel, UNSUPPORTED_EXTENSION, "server_name");
}

/// Load balancers and webrtc-rs repeat supported_groups in the ServerHello, where it has no meaning: it was offered, so that it is
/// no extension that was not asked for (RFC 5246 section 7.4.1.4), and what it says is not looked at.
#[test]
fn threat_50_an_offered_extension_without_a_meaning_in_the_answer_is_passed_over() {
    let contents: [&[u8]; 3] = [&[0, 4, 0, 0x17, 0, 0x18], &[0, 2, 0x12, 0x34], &[]];
    for data in contents {
        for certified in [false, true] {
            let mut duel = Duel::usual_client();
            duel.rogue.alter_server_hello(move |hello| {
                let groups = RawExtension { extension_type: ExtensionType::SUPPORTED_GROUPS, data };
                hello.extensions.others = core::slice::from_ref(Box::leak(Box::new(groups))).into();
            });
            duel.play(&SERVER_STEPS[..3]);
            if certified {
                duel.play(&[Step::CertificateRequest]);
            }
            connects_and_talks(&mut duel, &SERVER_STEPS[3..], &format!("{data:?}"));
        }
    }
    // What was not offered is refused in the same place, known or not.
    for extension_type in [ExtensionType::MAX_FRAGMENT_LENGTH, ExtensionType(0x1234)] {
        let mut duel = Duel::usual_client();
        duel.rogue.alter_server_hello(move |hello| {
            let other = RawExtension { extension_type, data: &[1] };
            hello.extensions.others = core::slice::from_ref(Box::leak(Box::new(other))).into();
        });
        duel.play(&SERVER_STEPS[..1]);
        refused(&duel, UNSUPPORTED_EXTENSION, &format!("{extension_type}"));
    }
}

#[test]
fn threat_50_values_that_were_not_offered_are_refused() {
    let mut settings = settings();
    settings.alpn = vec![b"game/1".to_vec()];
    settings.srtp_profiles = vec![SrtpProfile::AES128_CM_HMAC_SHA1_80];
    type Change = fn(&mut ServerHello<'_>);
    let cases: [(&str, Change); 6] = [
        ("a protocol", |hello| hello.extensions.alpn = Some(ProtocolName { name: b"game/2" })),
        ("a profile", |hello| {
            let profile = SrtpProfile::AEAD_AES_128_GCM;
            hello.extensions.use_srtp = Some(UseSrtpAnswer { profile, srtp_mki: &[] });
        }),
        ("an MKI", |hello| {
            let profile = SrtpProfile::AES128_CM_HMAC_SHA1_80;
            hello.extensions.use_srtp = Some(UseSrtpAnswer { profile, srtp_mki: &[7] });
        }),
        ("compression", |hello| hello.compression_method = 1),
        ("only compressed points", |hello| {
            hello.extensions.ec_point_formats = Some((&[EcPointFormat(1)]).into());
        }),
        ("1.3 under the name of 1.2", |hello| {
            hello.extensions.supported_versions = Some(ProtocolVersion::DTLS_1_2);
            hello.extensions.extended_master_secret = None;
            hello.extensions.renegotiation_info = None;
        }),
    ];
    for (what, change) in cases {
        let mut duel = Duel::client_12(settings.clone());
        duel.rogue.alter_server_hello(change);
        duel.play(&SERVER_STEPS[..1]);
        refused(&duel, ILLEGAL_PARAMETER, what);
    }
}

/// A suite that was offered, with a key that cannot sign for it.
#[test]
fn threat_50_a_certificate_that_does_not_fit_the_suite_is_refused() {
    let mut duel = Duel::usual_client();
    let suite = CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
    duel.rogue.suite = crypto::ring::provider().cipher_suite(suite).unwrap();
    duel.play(&SERVER_STEPS[..4]);
    refused(&duel, ILLEGAL_PARAMETER, "an ECDSA certificate under an RSA suite");
}

/// The client says that it could do more, and so could the server.
#[test]
fn threat_50_a_client_that_fell_back_without_need_is_refused() {
    let mut duel = server_duel_with(settings_of_both());
    duel.rogue.alter_client_hello(|hello| {
        const SUITES: &[CipherSuiteId] =
            &[CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, CipherSuiteId::TLS_FALLBACK_SCSV];
        hello.cipher_suites = List::from(SUITES);
    });
    duel.greet();
    refused(&duel, INAPPROPRIATE_FALLBACK, "a client of 1.2 that fell back");
}

#[test]
fn threat_50_key_shares_that_are_no_points_are_refused() {
    let zero = |body: &mut Vec<u8>| {
        let length = body.len();
        body[1..length].fill(0);
    };
    let mut duel = server_duel_with(settings());
    duel.rogue.alter(Step::ClientKeyExchange, zero);
    duel.greet();
    duel.play(&CLIENT_STEPS[..1]);
    refused(&duel, ILLEGAL_PARAMETER, "a low-order point");
    for length in [0, 1, 31, 33, 65] {
        let mut duel = server_duel_with(settings());
        duel.rogue.alter(Step::ClientKeyExchange, move |body| {
            *body = vec![length];
            body.resize(1 + usize::from(length), 4);
        });
        duel.greet();
        duel.play(&CLIENT_STEPS[..1]);
        let alert = if length == 0 { DECODE_ERROR } else { ILLEGAL_PARAMETER };
        refused(&duel, alert, &format!("a share of {length} bytes"));
    }
}

// ---- 71, 72, 81: what is offered at all ----

#[test]
fn threat_71_threat_72_threat_81_only_modern_algorithms_are_offered() {
    let duel = Duel::usual_client();
    let hello = duel.rogue.last(HandshakeType::CLIENT_HELLO).unwrap();
    let hello = ClientHello::decode(&hello.body).unwrap();
    let mut suites: Vec<_> = hello.cipher_suites.iter().collect();
    // RFC 5746: the signal of secure renegotiation (threat 74).
    assert_eq!(suites.pop(), Some(CipherSuiteId::TLS_EMPTY_RENEGOTIATION_INFO_SCSV));
    for suite in &suites {
        let name = suite.name().expect("a suite of the registry");
        assert!(name.starts_with("TLS_ECDHE_"), "{name}: neither static nor finite-field");
        assert!(name.contains("GCM") || name.contains("CHACHA20"), "{name}: no CBC");
    }
    assert_eq!(suites.len(), 6);
    for scheme in hello.extensions.signature_algorithms.unwrap().iter() {
        let [hash, signature] = scheme.0.to_be_bytes();
        // In TLS 1.2's reading: 1 is MD5, 2 is SHA-1, 3 is SHA-224; signature 2 is DSA.
        assert!(hash >= 4 && signature != 2 || hash == 8, "{scheme}");
    }
    assert_eq!(hello.compression_methods, [0]);
    assert_eq!(hello.session_id, [0_u8; 0]);
    assert!(hello.extensions.extended_master_secret.is_some());
}

#[test]
fn threat_71_a_client_of_old_suites_alone_is_refused() {
    // AES-CBC with ECDHE and with RSA, DHE, RC4, NULL, anonymous.
    for suite in [0xc009, 0xc023, 0x002f, 0x009e, 0x0005, 0x0002, 0xc018] {
        let mut duel = server_duel_with(settings());
        duel.rogue.alter(Step::ClientHello, move |body| {
            let at = body.windows(2).position(|window| window == [0xc0, 0x2b]).unwrap();
            body[at..at + 2].copy_from_slice(&u16::to_be_bytes(suite));
        });
        duel.greet();
        refused(&duel, HANDSHAKE_FAILURE, &format!("{suite:04x}"));
    }
}

/// A server signs with what the client can verify, and never with SHA-1.
#[test]
fn threat_81_a_client_that_verifies_sha_1_alone_is_refused() {
    const OLD: &[SignatureScheme] =
        &[SignatureScheme(0x0201), SignatureScheme(0x0203), SignatureScheme(0x0101)];
    let mut duel = server_duel_with(settings());
    duel.rogue.alter_client_hello(|hello| hello.extensions.signature_algorithms = Some(List::from(OLD)));
    duel.greet();
    refused(&duel, HANDSHAKE_FAILURE, "SHA-1 alone");
    // Without the extension SHA-1 is implied (RFC 5246 section 7.4.1.4.1).
    let mut duel = server_duel_with(settings());
    duel.rogue.alter_client_hello(|hello| hello.extensions.signature_algorithms = None);
    duel.greet();
    refused(&duel, HANDSHAKE_FAILURE, "no signature_algorithms");
}

// ---- 73: extended master secret ----

#[test]
fn threat_73_peers_without_extended_master_secret_are_refused() {
    let mut duel = Duel::usual_client();
    duel.rogue.extended_master_secret = false;
    duel.play(&SERVER_STEPS[..1]);
    refused(&duel, HANDSHAKE_FAILURE, "a server without");
    let mut duel = server_duel_with(settings());
    duel.rogue.extended_master_secret = false;
    duel.greet();
    refused(&duel, HANDSHAKE_FAILURE, "a client without");
}

#[test]
fn threat_73_where_admitted_they_connect_but_export_nothing() {
    let mut lenient = settings();
    lenient.require_extended_master_secret = false;
    let mut client = Duel::client_12(lenient.clone());
    client.rogue.extended_master_secret = false;
    client.play(&SERVER_STEPS);
    let mut server = server_duel_with(lenient);
    server.rogue.extended_master_secret = false;
    server.greet();
    server.play(&CLIENT_STEPS);
    for mut duel in [client, server] {
        assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
        assert!(!duel.victim.connected.as_ref().unwrap().extended_master_secret);
        duel.talk();
        let exported = duel.victim.connection().export_keying_material(b"EXPERIMENTAL", None, &mut [0; 16]);
        assert_eq!(exported, Err(Misuse::NoExtendedMasterSecret));
    }
}

/// An attacker in the middle takes the extension away: both say the same hello, but not the same secret.
#[test]
fn threat_73_an_extension_taken_away_on_the_way_is_noticed() {
    let mut lenient = settings();
    lenient.require_extended_master_secret = false;
    let mut duel = Duel::client_12(lenient);
    duel.rogue.extended_master_secret = false;
    duel.rogue.alter_server_hello(|hello| hello.extensions.extended_master_secret = Some(Empty {}));
    duel.play(&SERVER_STEPS);
    assert!(!duel.victim.is_connected());
}

// ---- 74: renegotiation ----

#[test]
fn threat_74_a_request_to_renegotiate_is_refused_with_a_warning() {
    let mut client = Duel::usual_client();
    client.play(&SERVER_STEPS);
    let mut server = server_duel_with(settings());
    server.greet();
    server.play(&CLIENT_STEPS);
    for (mut duel, step) in [(client, Step::HelloRequest), (server, Step::ClientHello)] {
        for round in 1..=3 {
            duel.play(&[step]);
            assert_eq!(warnings(&duel), round, "no_renegotiation");
            assert!(duel.victim.is_connected());
            duel.talk();
        }
    }
}

/// How often the victim has said no_renegotiation.
fn warnings(duel: &Duel) -> usize {
    let warning = Heard::Alert { epoch: 1, level: 1, description: 100 };
    duel.rogue.heard.iter().filter(|heard| **heard == warning).count()
}

/// Requests to renegotiate are no means to make an association send: few are answered, a hello in fragments once.
#[test]
fn threat_74_warnings_are_few_however_many_requests_come() {
    for (mut duel, step) in Duel::usual_connected().into_iter().zip([Step::HelloRequest, Step::ClientHello]) {
        let message = duel.rogue.message(step);
        // A HelloRequest has no body that could be cut.
        let mut fragments = message.fragments(20);
        if fragments.is_empty() {
            fragments.push(message.to_bytes());
        }
        let before = duel.datagrams.len();
        for fragment in &fragments {
            let record = duel.rogue.record(ContentType::HANDSHAKE, fragment);
            duel.give(&record);
        }
        assert_eq!(warnings(&duel), 1, "{} fragments", fragments.len());
        for _ in 0..20_000 {
            let record = duel.rogue.perform(step);
            duel.give(&record);
        }
        assert_eq!(warnings(&duel), 8);
        assert_eq!(duel.datagrams.len(), before + 8, "nothing else is sent");
        duel.talk();
    }
}

/// RFC 5246 section 7.4.1.1: a client that negotiates ignores it. Anybody can send one in plaintext.
#[test]
fn threat_74_a_hello_request_during_the_handshake_is_ignored() {
    for place in 0..4 {
        let mut duel = Duel::usual_client();
        duel.play(&SERVER_STEPS[..place]);
        let request = duel.rogue.message(Step::HelloRequest).to_bytes();
        let request = duel.rogue.handshake_record(&request);
        duel.give(&request);
        // It has no place in the order of the handshake's messages.
        duel.rogue.next_message_seq -= 1;
        duel.play(&SERVER_STEPS[place..]);
        assert!(duel.victim.is_connected(), "before step {place}: {:?}", duel.victim.error());
    }
}

#[test]
fn threat_74_the_signal_of_secure_renegotiation_is_answered_and_checked() {
    let mut duel = server_duel_with(settings());
    duel.greet();
    let hello = duel.rogue.last(HandshakeType::SERVER_HELLO).unwrap();
    assert_eq!(ServerHello::decode(&hello.body).unwrap().extensions.renegotiation_info, Some(&[][..]));
    let mut duel = server_duel_with(settings());
    duel.rogue.alter_client_hello(|hello| hello.extensions.renegotiation_info = Some(&[1; 12]));
    duel.greet();
    refused(&duel, HANDSHAKE_FAILURE, "a client that goes on with an earlier handshake");
    let mut duel = Duel::usual_client();
    duel.rogue.alter_server_hello(|hello| hello.extensions.renegotiation_info = Some(&[1; 24]));
    duel.play(&SERVER_STEPS[..1]);
    refused(&duel, HANDSHAKE_FAILURE, "a server that goes on with an earlier handshake");
}

// ---- 84: cross-protocol ----

#[test]
fn threat_84_no_common_application_protocol_is_fatal() {
    const OFFERED: &[ProtocolName<'_>] = &[ProtocolName { name: b"ftp" }, ProtocolName { name: b"smtp" }];
    let mut settings = settings();
    settings.alpn = vec![b"game/1".to_vec()];
    let mut duel = server_duel_with(settings);
    duel.rogue.alter_client_hello(|hello| hello.extensions.alpn = Some(List::from(OFFERED)));
    duel.greet();
    refused(&duel, 120, "no_application_protocol");
}

#[test]
fn threat_84_a_server_of_another_name_is_refused() {
    let identity = Identity::p256();
    let config = ClientConfig::new(settings(), identity.policy()).unwrap();
    let mut victim = Victim::client(client_config(settings(), identity));
    let other = ServerName::try_from("mail.test").unwrap();
    victim.connection = Some(Connection::client(Arc::new(config), other, start(&Clock::new())).unwrap());
    let mut duel = Duel::with_client(victim, identity);
    duel.play(&SERVER_STEPS[..4]);
    refused(&duel, 42, "bad_certificate");
}

/// Extensions in a hello that nobody knows, and values of no meaning (RFC 8701), are passed over.
#[test]
fn unknown_offers_of_a_client_are_ignored() {
    const SUITES: &[CipherSuiteId] = &[
        CipherSuiteId(0x0a0a),
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuiteId(0xfafa),
    ];
    const GROUPS: &[NamedGroup] = &[NamedGroup(0x1a1a), NamedGroup::X25519, NamedGroup::SECP256R1];
    let mut duel = server_duel_with(settings());
    duel.rogue.alter_client_hello(|hello| {
        hello.cipher_suites = List::from(SUITES);
        let extensions: &mut ClientExtensions<'_> = &mut hello.extensions;
        extensions.supported_groups = Some(List::from(GROUPS));
    });
    duel.greet();
    duel.play(&CLIENT_STEPS);
    assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
}

#[test]
fn a_message_of_the_wrong_type_is_unexpected() {
    let mut duel = Duel::usual_client();
    duel.play(&[Step::ServerHelloDone]);
    refused(&duel, UNEXPECTED_MESSAGE, "ServerHelloDone first");
}
