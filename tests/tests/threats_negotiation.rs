//! Choices that were not offered, proofs that are missing, and a peer that is weaker than it should be (threats 45 to
//! 50, 71 to 74, 81, 84).

use std::sync::Arc;

use drystone_handshake::codec::List;
use drystone_handshake::message::registry::{
    CipherSuiteId, EcPointFormat, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme, SrtpProfile,
};
use drystone_handshake::message::{
    CertificateVerify, ClientExtensions, ClientHello, DigitallySigned, Empty, ProtocolName, RecordSizeLimit,
    ServerHello, ServerHelloExtensions, ServerKeyExchange, UseSrtpAnswer,
};
use drystone_handshake::{
    ClientAuth, ClientConfig, Connection, Credentials, Error, Misuse, ServerConfig, Settings, crypto,
};
use drystone_tests::clock::Clock;
use drystone_tests::counting::FailingRandom;
use drystone_tests::identity::{Identity, client_config, name, server_config, settings, settings_of_both};
use drystone_tests::rogue::{
    CERTIFIED_CLIENT_STEPS, CLIENT_STEPS, Duel, Heard, SERVER_STEPS, Step, Victim, start,
};
use drystone_tests::scenario::other_identity;
use rustls_pki_types::ServerName;

const UNEXPECTED_MESSAGE: u8 = 10;
const HANDSHAKE_FAILURE: u8 = 40;
const ILLEGAL_PARAMETER: u8 = 47;
const DECODE_ERROR: u8 = 50;
const DECRYPT_ERROR: u8 = 51;
const PROTOCOL_VERSION: u8 = 70;
const INAPPROPRIATE_FALLBACK: u8 = 86;
const UNSUPPORTED_EXTENSION: u8 = 110;
const INTERNAL_ERROR: u8 = 80;

fn client_duel_with(settings: Settings) -> Duel {
    let identity = Identity::p256();
    Duel::with_client(Victim::client(client_config(settings, identity)), identity)
}

/// A rogue client in front of a server; it has not said hello.
fn server_duel_with(settings: Settings) -> Duel {
    let identity = Identity::p256();
    Duel::with_server(Victim::server(server_config(settings, identity)), identity)
}

fn asking_server_duel() -> Duel {
    let identity = Identity::p256();
    let config = ServerConfig::new(settings(), Credentials::single(identity.credential()))
        .unwrap()
        .with_client_auth(ClientAuth::Request(Arc::new(other_identity().policy())));
    Duel::with_server(Victim::server(Arc::new(config)), other_identity())
}

fn refused(duel: &Duel, alert: u8, what: &str) {
    assert!(duel.victim.error().is_some(), "{what}: not refused");
    assert_eq!(duel.rogue.alerts(), [alert], "{what}: {:?}", duel.victim.error());
    assert!(!duel.victim.is_connected() && duel.victim.connected.is_none());
}

/// Changes the rogue's ServerHello.
fn alter_server_hello(duel: &mut Duel, change: impl Fn(&mut ServerHello<'_>) + 'static) {
    duel.rogue.alter(Step::ServerHello, move |body| {
        let mut hello = ServerHello::decode(body).unwrap();
        change(&mut hello);
        let mut altered = Vec::new();
        hello.encode(&mut altered).unwrap();
        *body = altered;
    });
}

/// Changes the rogue's ClientHello.
fn alter_client_hello(duel: &mut Duel, change: impl Fn(&mut ClientHello<'_>) + 'static) {
    duel.rogue.alter(Step::ClientHello, move |body| {
        let mut hello = ClientHello::decode(body).unwrap();
        change(&mut hello);
        let mut altered = Vec::new();
        hello.encode(&mut altered).unwrap();
        *body = altered;
    });
}

// ---- 45 to 47: proofs of possession ----

#[test]
fn threat_45_a_client_certificate_without_certificate_verify_is_refused() {
    let mut duel = asking_server_duel();
    duel.greet();
    duel.play(&[Step::Certificate, Step::ClientKeyExchange, Step::ChangeCipherSpec, Step::Finished]);
    assert!(!duel.victim.is_connected());
    // The same with CertificateVerify connects, so that the reason is the right one.
    let mut duel = asking_server_duel();
    duel.greet();
    duel.play(&CERTIFIED_CLIENT_STEPS);
    assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
    assert_eq!(duel.victim.connected.unwrap().peer_chain, other_identity().chain);
}

/// CertificateVerify by another key than the certificate's, or over other messages.
#[test]
fn threat_45_certificate_verify_must_fit_certificate_and_messages() {
    let mut duel = asking_server_duel();
    duel.rogue.key = Identity::p256().credential().key().clone();
    duel.greet();
    duel.play(&CERTIFIED_CLIENT_STEPS[..3]);
    refused(&duel, DECRYPT_ERROR, "another key");

    let mut recorded = asking_server_duel();
    recorded.greet();
    recorded.play(&CERTIFIED_CLIENT_STEPS[..2]);
    let replayed = recorded.rogue.message(Step::CertificateVerify).body;
    let mut duel = asking_server_duel();
    duel.greet();
    duel.rogue.alter(Step::CertificateVerify, move |body| body.clone_from(&replayed));
    duel.play(&CERTIFIED_CLIENT_STEPS[..3]);
    refused(&duel, DECRYPT_ERROR, "a signature of another handshake");
}

#[test]
fn threat_46_certificate_verify_in_a_scheme_that_does_not_fit_is_refused() {
    for claimed in [
        SignatureScheme(0x0201),
        SignatureScheme(0x0203),
        SignatureScheme(0x0101),
        SignatureScheme::ECDSA_SECP521R1_SHA512,
        SignatureScheme::RSA_PKCS1_SHA256,
        SignatureScheme::RSA_PSS_RSAE_SHA256,
        SignatureScheme::ED25519,
        SignatureScheme(0xfefe),
    ] {
        let mut duel = asking_server_duel();
        duel.greet();
        duel.rogue.claimed_scheme = Some(claimed);
        duel.play(&CERTIFIED_CLIENT_STEPS[..3]);
        refused(&duel, ILLEGAL_PARAMETER, &format!("CertificateVerify with {claimed}"));

        let mut duel = Duel::usual_client();
        duel.rogue.claimed_scheme = Some(claimed);
        duel.play(&SERVER_STEPS[..4]);
        refused(&duel, ILLEGAL_PARAMETER, &format!("ServerKeyExchange with {claimed}"));
    }
}

/// A scheme that the provider has, but that this client's configuration does not offer.
#[test]
fn threat_46_a_scheme_that_was_not_offered_is_refused_although_it_is_known() {
    let mut settings = settings();
    let schemes = &mut settings.provider.signature_verifiers;
    schemes.retain(|verifier| verifier.scheme == SignatureScheme::ECDSA_SECP384R1_SHA384);
    let mut duel = client_duel_with(settings);
    duel.play(&SERVER_STEPS[..4]);
    refused(&duel, ILLEGAL_PARAMETER, "ecdsa_secp256r1_sha256");
}

#[test]
fn threat_47_a_missing_empty_or_wrong_signature_fails_on_every_suite() {
    let ecdsa = [
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    let rsa = [
        CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuiteId::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    let cases = [
        (ecdsa, Identity::p256(), SignatureScheme::ECDSA_SECP256R1_SHA256),
        (rsa, Identity::rsa_chain(), SignatureScheme::RSA_PSS_RSAE_SHA256),
    ];
    for (suites, identity, scheme) in cases {
        for suite in suites {
            for damage in Damage::ALL {
                let mut duel =
                    Duel::with_client(Victim::client(client_config(settings(), identity)), identity);
                duel.rogue.suite = crypto::ring::provider().cipher_suite(suite).unwrap();
                duel.rogue.scheme = scheme;
                duel.rogue.alter(Step::ServerKeyExchange, move |body| damage.apply(body));
                duel.play(&SERVER_STEPS);
                let honest = damage == Damage::None;
                assert_eq!(duel.victim.is_connected(), honest, "{suite}: {:?}", duel.victim.error());
                if !honest {
                    let alert = duel.rogue.alerts();
                    assert!(
                        [[DECRYPT_ERROR], [DECODE_ERROR]].map(Vec::from).contains(&alert),
                        "{suite}: {alert:?}"
                    );
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    None,
    Missing,
    Empty,
    Flipped,
}

impl Damage {
    const ALL: [Self; 4] = [Self::None, Self::Missing, Self::Empty, Self::Flipped];

    /// Does it to a ServerKeyExchange.
    fn apply(self, body: &mut Vec<u8>) {
        let exchange = ServerKeyExchange::decode(body).unwrap();
        match self {
            Self::None => {}
            Self::Missing => {
                let params = exchange.params.as_bytes().len();
                body.truncate(params);
            }
            Self::Empty => {
                let signed = DigitallySigned { signature: &[], ..exchange.signed };
                let mut altered = Vec::new();
                ServerKeyExchange { signed, ..exchange }.encode(&mut altered).unwrap();
                *body = altered;
            }
            Self::Flipped => *body.last_mut().unwrap() ^= 1,
        }
    }
}

#[test]
fn threat_47_an_empty_certificate_verify_fails() {
    let mut duel = asking_server_duel();
    duel.greet();
    duel.rogue.alter(Step::CertificateVerify, |body| {
        let algorithm = CertificateVerify::decode(body).unwrap().signed.algorithm;
        let mut altered = Vec::new();
        CertificateVerify { signed: DigitallySigned { algorithm, signature: &[] } }
            .encode(&mut altered)
            .unwrap();
        *body = altered;
    });
    duel.play(&CERTIFIED_CLIENT_STEPS[..3]);
    refused(&duel, DECRYPT_ERROR, "an empty signature");
}

#[test]
fn threat_47_a_server_without_certificates_is_refused() {
    let mut duel = Duel::usual_client();
    duel.rogue.chain = Vec::new();
    duel.play(&SERVER_STEPS[..4]);
    refused(&duel, DECODE_ERROR, "an empty list");
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
        alter_server_hello(&mut duel, move |hello| hello.server_version = ProtocolVersion(version));
        duel.play(&SERVER_STEPS[..1]);
        refused(&duel, PROTOCOL_VERSION, &format!("{version:04x}"));
    }
}

#[test]
fn threat_50_suites_that_were_not_offered_are_refused() {
    let mut settings = settings();
    settings.cipher_suites = Some(vec![CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]);
    for suite in [0xc02c, 0xcca9, 0xc02f, 0x1301, 0x0000, 0x0005, 0x00ff, 0xc009, 0x5600] {
        let mut duel = client_duel_with(settings.clone());
        alter_server_hello(&mut duel, move |hello| hello.cipher_suite = CipherSuiteId(suite));
        duel.play(&SERVER_STEPS[..1]);
        refused(&duel, ILLEGAL_PARAMETER, &format!("{suite:04x}"));
    }
}

#[test]
fn threat_50_groups_that_were_not_offered_are_refused() {
    let mut settings = settings();
    settings.groups = Some(vec![NamedGroup::X25519]);
    for group in [NamedGroup::SECP256R1, NamedGroup::SECP384R1] {
        let mut duel = client_duel_with(settings.clone());
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
        alter_server_hello(&mut duel, move |hello| change(&mut hello.extensions));
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
    alter_server_hello(&mut duel, |hello| hello.extensions.server_name = Some(Empty {}));
    duel.play(&SERVER_STEPS[..1]);
    refused(&duel, UNSUPPORTED_EXTENSION, "server_name");
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
        let mut duel = client_duel_with(settings.clone());
        alter_server_hello(&mut duel, change);
        duel.play(&SERVER_STEPS[..1]);
        let alert = if what.starts_with("1.3") { PROTOCOL_VERSION } else { ILLEGAL_PARAMETER };
        refused(&duel, alert, what);
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
    alter_client_hello(&mut duel, |hello| {
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
    alter_client_hello(&mut duel, |hello| hello.extensions.signature_algorithms = Some(List::from(OLD)));
    duel.greet();
    refused(&duel, HANDSHAKE_FAILURE, "SHA-1 alone");
    // Without the extension SHA-1 is implied (RFC 5246 section 7.4.1.4.1).
    let mut duel = server_duel_with(settings());
    alter_client_hello(&mut duel, |hello| hello.extensions.signature_algorithms = None);
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
    let mut client = client_duel_with(lenient.clone());
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
    let mut duel = client_duel_with(lenient);
    duel.rogue.extended_master_secret = false;
    alter_server_hello(&mut duel, |hello| hello.extensions.extended_master_secret = Some(Empty {}));
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
            let warnings: Vec<_> = duel
                .rogue
                .heard
                .iter()
                .filter(|heard| **heard == Heard::Alert { epoch: 1, level: 1, description: 100 })
                .collect();
            assert_eq!(warnings.len(), round, "no_renegotiation");
            assert!(duel.victim.is_connected());
            duel.talk();
        }
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
    alter_client_hello(&mut duel, |hello| hello.extensions.renegotiation_info = Some(&[1; 12]));
    duel.greet();
    refused(&duel, HANDSHAKE_FAILURE, "a client that goes on with an earlier handshake");
    let mut duel = Duel::usual_client();
    alter_server_hello(&mut duel, |hello| hello.extensions.renegotiation_info = Some(&[1; 24]));
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
    alter_client_hello(&mut duel, |hello| hello.extensions.alpn = Some(List::from(OFFERED)));
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
    alter_client_hello(&mut duel, |hello| {
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
