//! What two of our own ends agree on, and how they part where they cannot.

use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::message::RecordSizeLimit;
use drystone_handshake::{
    AlertDescription, CipherSuiteId, ClientAuth, ClientConfig, ConfigError, Credentials,
    DangerouslyAcceptAnyCertificate, Error, Incompatibility, Misuse, NamedGroup, ProtocolVersion,
    ServerConfig, Settings, SignatureScheme, SrtpProfile,
};
use drystone_tests::clock::Clock;
use drystone_tests::identity::{Identity, NAME, client_config, name, server_config, settings, settings_of};
use drystone_tests::link::Direction;
use drystone_tests::pair::{Pair, perfect_link};
use drystone_tests::rogue::{Duel, SERVER_STEPS, SERVER_STEPS_13, Victim};
use drystone_tests::scenario::{VERSIONS, other_identity};
use drystone_x509::CertificateError;
use rustls_pki_types::{ServerName, UnixTime};

fn pair(client: ClientConfig, server: ServerConfig) -> Pair {
    Pair::new(Arc::new(client), Arc::new(server), name(), perfect_link())
}

fn client(settings: Settings, identity: &Identity) -> ClientConfig {
    ClientConfig::new(settings, identity.policy()).unwrap()
}

fn server(settings: Settings, identity: &Identity) -> ServerConfig {
    ServerConfig::new(settings, Credentials::single(identity.credential())).unwrap()
}

/// Both sides fail within a second, one for its own reason, the other by that one's alert.
fn parts(pair: &mut Pair, judge: Side, check: impl Fn(&Error) -> bool, alert: AlertDescription) {
    pair.run_until(Duration::from_secs(1), |pair| {
        [&pair.client, &pair.server]
            .iter()
            .all(|end| end.connection.as_ref().is_some_and(|end| end.error().is_some()))
    });
    let [client, server] = [&pair.client, &pair.server].map(|end| {
        let connection = end.connection.as_ref().expect("an association");
        connection.error().unwrap_or_else(|| panic!("{judge:?}: one end lives on: {pair:?}")).clone()
    });
    let (own, other) = if judge == Side::Client { (client, server) } else { (server, client) };
    assert!(check(&own), "{own:?}");
    assert_eq!(own.alert(), Some(alert));
    assert!(
        matches!(other, Error::AlertReceived { description, .. } if description == alert),
        "the other side was told {other:?}"
    );
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

#[test]
fn every_suite_works_with_every_group() {
    let ecdsa = [0xc02b, 0xc02c, 0xcca9];
    let rsa = [0xc02f, 0xc030, 0xcca8];
    for (suites, identity) in [(ecdsa, Identity::p256()), (rsa, Identity::rsa_chain())] {
        for suite in suites.map(CipherSuiteId) {
            for group in [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1] {
                let mut narrow = settings();
                narrow.cipher_suites = Some(vec![suite]);
                narrow.groups = Some(vec![group]);
                // The curve of a certificate counts among the groups (RFC 8422 section 5.1).
                let mut wide = narrow.clone();
                wide.groups = Some(vec![group, NamedGroup::SECP256R1]);
                let mut pair = pair(client(wide, identity), server(narrow, identity));
                assert!(pair.connect(), "{suite} {group}: {:?}", pair.server.events);
                for end in [&pair.client, &pair.server] {
                    let connected = end.connected.as_ref().unwrap();
                    assert_eq!((connected.cipher_suite, connected.group), (suite, group));
                    assert_eq!(connected.version, ProtocolVersion::DTLS_1_2);
                    assert!(connected.extended_master_secret);
                }
                pair.echoes();
            }
        }
    }
}

#[test]
fn the_server_prefers_its_own_order_unless_told_otherwise() {
    let identity = Identity::p256();
    let [x25519, p256] = [NamedGroup::X25519, NamedGroup::SECP256R1];
    let suites =
        [(ProtocolVersion::DTLS_1_2, [0xc02b, 0xcca9]), (ProtocolVersion::DTLS_1_3, [0x1301, 0x1303])];
    for (version, [first, second]) in suites {
        let order = |suites: [u16; 2], groups: [NamedGroup; 2]| {
            let mut settings = settings_of(version);
            settings.cipher_suites = Some(suites.map(CipherSuiteId).to_vec());
            settings.groups = Some(groups.to_vec());
            settings
        };
        let of_client = order([second, first], [p256, x25519]);
        let of_server = order([first, second], [x25519, p256]);
        for (by_client, suite, group) in [(false, first, x25519), (true, second, p256)] {
            let server = server(of_server.clone(), identity).prefer_client_order(by_client);
            let mut pair = pair(client(of_client.clone(), identity), server);
            assert!(pair.connect());
            let connected = pair.client.connected.as_ref().unwrap();
            assert_eq!(connected.version, version);
            assert_eq!((connected.cipher_suite, connected.group), (CipherSuiteId(suite), group));
        }
    }
}

fn with_alpn(names: &[&str]) -> Settings {
    let mut settings = settings();
    settings.alpn = names.iter().map(|name| name.as_bytes().to_vec()).collect();
    settings
}

#[test]
fn application_protocols_are_chosen_by_the_servers_order() {
    let identity = Identity::p256();
    let cases: [(&[&str], &[&str], Option<&str>); 4] = [
        (&["a", "b"], &["b", "a"], Some("b")),
        (&["a", "b", "c"], &["x", "c"], Some("c")),
        (&["a"], &[], None),
        (&[], &["a"], None),
    ];
    for (of_client, of_server, chosen) in cases {
        let mut pair = pair(client(with_alpn(of_client), identity), server(with_alpn(of_server), identity));
        assert!(pair.connect(), "{of_client:?} {of_server:?}");
        for end in [&pair.client, &pair.server] {
            let alpn = end.connected.as_ref().unwrap().alpn.clone();
            assert_eq!(alpn.as_deref(), chosen.map(str::as_bytes), "{of_client:?} {of_server:?}");
        }
    }
}

#[test]
fn no_common_application_protocol_ends_both_sides() {
    let identity = Identity::p256();
    let mut pair = pair(client(with_alpn(&["a"]), identity), server(with_alpn(&["b"]), identity));
    let expected = Error::Incompatible(Incompatibility::ApplicationProtocol);
    parts(&mut pair, Side::Server, |error| *error == expected, AlertDescription::NO_APPLICATION_PROTOCOL);
}

#[test]
fn both_sides_know_the_servers_name() {
    let identity = Identity::p256();
    let mut pair = pair(client(settings(), identity), server(settings(), identity));
    assert!(pair.connect());
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.connected.as_ref().unwrap().server_name.as_deref(), Some(NAME));
    }
}

#[test]
fn an_address_is_no_name_to_send() {
    let identity = Identity::p256();
    let client = ClientConfig::new(settings(), DangerouslyAcceptAnyCertificate).unwrap();
    let address = ServerName::try_from("192.0.2.7").unwrap();
    let server = Arc::new(server(settings(), identity));
    let mut pair = Pair::new(Arc::new(client), server, address, perfect_link());
    assert!(pair.connect());
    assert_eq!(pair.server.connected.as_ref().unwrap().server_name, None);
}

#[test]
fn srtp_keys_are_equal_on_both_sides_and_split_as_rfc_5764_says() {
    let identity = Identity::p256();
    let profiles = [
        (SrtpProfile::AES128_CM_HMAC_SHA1_80, 16, 14),
        (SrtpProfile::AES128_CM_HMAC_SHA1_32, 16, 14),
        (SrtpProfile::AEAD_AES_128_GCM, 16, 12),
        (SrtpProfile::AEAD_AES_256_GCM, 32, 12),
    ];
    for (profile, key_length, salt_length) in profiles {
        let mut both = settings();
        both.srtp_profiles = vec![profile];
        let mut pair = pair(client(both.clone(), identity), server(both, identity));
        assert!(pair.connect());
        let mut material = vec![0; 2 * (key_length + salt_length)];
        let connection = pair.client.connection();
        connection.export_keying_material(b"EXTRACTOR-dtls_srtp", None, &mut material).unwrap();
        for end in [&mut pair.client, &mut pair.server] {
            let connection = end.connection();
            assert_eq!(connection.srtp_profile(), Some(profile));
            let keys = connection.srtp_keys().unwrap();
            // RFC 5764 section 4.2: both keys, then both salts, the client's first.
            let (client_key, rest) = material.split_at(key_length);
            let (server_key, rest) = rest.split_at(key_length);
            let (client_salt, server_salt) = rest.split_at(salt_length);
            assert_eq!((keys.client_key(), keys.server_key()), (client_key, server_key));
            assert_eq!((keys.client_salt(), keys.server_salt()), (client_salt, server_salt));
            assert_ne!(client_key, server_key);
            assert_eq!(keys.as_bytes(), material);
            assert_eq!(profile.key_lengths(), Some((key_length, salt_length)));
        }
    }
}

/// What a stack above asks for when all is over: the keys are gone, and what was settled is not.
#[test]
fn what_was_settled_outlives_the_end() {
    let identity = Identity::p256();
    for version in VERSIONS {
        let mut both = settings_of(version);
        both.srtp_profiles = vec![SrtpProfile::AEAD_AES_128_GCM];
        let mut pair = pair(client(both.clone(), identity), server(both, identity));
        assert_eq!(
            (pair.client.connection().version(), pair.client.connection().srtp_profile()),
            (None, None)
        );
        assert!(pair.connect());
        pair.run_for(Duration::from_secs(1));
        assert!(!pair.client.connection().is_drained());
        let now = pair.now();
        pair.client.connection().close(now);
        assert!(!pair.client.connection().is_drained(), "close_notify is not sent yet");
        pair.run_for(Duration::from_secs(1));
        for end in [&mut pair.client, &mut pair.server] {
            let connection = end.connection();
            assert!(connection.is_drained());
            assert_eq!(connection.version(), Some(version));
            assert_eq!(connection.srtp_profile(), Some(SrtpProfile::AEAD_AES_128_GCM));
            assert!(connection.srtp_keys().is_none());
        }
    }
}

#[test]
fn without_a_common_profile_there_are_no_srtp_keys() {
    let identity = Identity::p256();
    let mut ours = settings();
    ours.srtp_profiles = vec![SrtpProfile::AEAD_AES_128_GCM];
    let mut theirs = settings();
    theirs.srtp_profiles = vec![SrtpProfile::AES128_CM_HMAC_SHA1_80];
    for theirs in [theirs, settings()] {
        let mut pair = pair(client(ours.clone(), identity), server(theirs, identity));
        assert!(pair.connect());
        assert_eq!(pair.client.connection().srtp_profile(), None);
        assert!(pair.server.connection().srtp_keys().is_none());
    }
}

#[test]
fn record_size_limits_bind_the_other_side() {
    let identity = Identity::p256();
    let limited = |limit| {
        let mut settings = settings();
        settings.record_size_limit = Some(limit);
        settings
    };
    let mut pair = pair(client(limited(100), identity), server(limited(300), identity));
    assert!(pair.connect());
    assert_eq!(pair.client.connection().max_payload(), 300);
    assert_eq!(pair.server.connection().max_payload(), 100);
    let refused = Err(Misuse::PayloadTooLarge { limit: 100 });
    assert_eq!(pair.send(Direction::ToClient, &[0; 101]), refused);
    assert_eq!(pair.send(Direction::ToClient, &[0; 100]), Ok(()));
    assert_eq!(pair.send(Direction::ToServer, &[0; 300]), Ok(()));
    pair.run_for(Duration::from_secs(1));
    assert_eq!((pair.client.received.len(), pair.server.received.len()), (1, 1));
}

/// RFC 8449 section 4: the limit holds only if both sides have sent the extension.
#[test]
fn a_record_size_limit_that_the_peer_does_not_know_binds_nobody() {
    let identity = Identity::p256();
    let mut limited = settings();
    limited.record_size_limit = Some(64);
    let mut pair = pair(client(settings(), identity), server(limited.clone(), identity));
    assert!(pair.connect());
    pair.send(Direction::ToClient, &[1; 1000]).unwrap();
    pair.send(Direction::ToServer, &[2; 1000]).unwrap();
    pair.run_for(Duration::from_secs(1));
    assert_eq!((pair.client.received.len(), pair.server.received.len()), (1, 1));
    assert!(pair.client.events.is_empty() && pair.server.events.is_empty());

    // A server that has never heard of the extension.
    let mut duel = Duel::with_client(Victim::client(client_config(limited, identity)), identity);
    duel.play(&SERVER_STEPS);
    let packet = duel.rogue.data(&[3; 1000]);
    duel.give(&packet);
    assert_eq!(duel.victim.received, [[3; 1000]]);
}

/// A peer that has agreed to the limit and exceeds it: in DTLS 1.3 by not counting the content type (RFC 8449 section 4).
#[test]
fn a_record_above_the_agreed_limit_is_record_overflow() {
    let limited = |version| {
        let mut settings = settings_of(version);
        settings.record_size_limit = Some(100);
        settings
    };
    for (size, fits) in [(100, true), (101, false)] {
        let mut duel = Duel::client_12(limited(ProtocolVersion::DTLS_1_2));
        duel.rogue.alter_server_hello(|hello| {
            hello.extensions.record_size_limit = RecordSizeLimit::new(16_384);
        });
        duel.play(&SERVER_STEPS);
        receives(duel, size, fits);
    }
    for (size, fits) in [(99, true), (100, false)] {
        let mut duel = Duel::client_13(limited(ProtocolVersion::DTLS_1_3));
        duel.rogue.alter_encrypted_extensions(|extensions| {
            extensions.record_size_limit = RecordSizeLimit::new(16_384);
        });
        duel.play(&SERVER_STEPS_13);
        receives(duel, size, fits);
    }
}

/// The victim receives so many bytes, or ends with record_overflow.
fn receives(mut duel: Duel, size: usize, fits: bool) {
    let packet = duel.rogue.data(&vec![1; size]);
    duel.give(&packet);
    assert_eq!(duel.victim.received.len(), usize::from(fits));
    assert_eq!(duel.victim.error().is_none(), fits);
    assert_eq!(duel.rogue.heard_alert(22), !fits, "record_overflow");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let identity = Identity::p256();
    let refusal = |change: fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        ClientConfig::new(settings, identity.policy()).err()
    };
    assert_eq!(refusal(|_| ()), None);
    assert_eq!(refusal(|settings| settings.mtu = 227), Some(ConfigError::Mtu(227)));
    assert_eq!(
        refusal(|settings| settings.record_size_limit = Some(63)),
        Some(ConfigError::RecordSizeLimit(63))
    );
    assert_eq!(refusal(|settings| settings.groups = Some(Vec::new())), Some(ConfigError::NoGroup));
    assert_eq!(
        refusal(|settings| settings.cipher_suites = Some(Vec::new())),
        Some(ConfigError::NoCipherSuite)
    );
    assert_eq!(refusal(|settings| settings.alpn = vec![Vec::new()]), Some(ConfigError::ApplicationProtocol));
    assert_eq!(
        refusal(|settings| settings.alpn = vec![vec![1; 256]]),
        Some(ConfigError::ApplicationProtocol)
    );
}

// ---- client certificates ----

#[derive(Clone, Copy, Debug)]
enum Presents {
    Nothing,
    Good,
    Bad,
}

#[test]
fn client_certificates_are_asked_for_required_and_checked() {
    let cases = [
        ("none", Presents::Nothing, Ok(0)),
        ("none", Presents::Good, Ok(0)),
        ("request", Presents::Nothing, Ok(0)),
        ("request", Presents::Good, Ok(1)),
        ("request", Presents::Bad, Err(AlertDescription::UNKNOWN_CA)),
        ("require", Presents::Nothing, Err(AlertDescription::HANDSHAKE_FAILURE)),
        ("require", Presents::Good, Ok(1)),
        ("require", Presents::Bad, Err(AlertDescription::UNKNOWN_CA)),
    ];
    for (asks, presents, outcome) in cases {
        let identity = Identity::p256();
        let trusted = Arc::new(other_identity().policy());
        let auth = match asks {
            "none" => ClientAuth::None,
            "request" => ClientAuth::Request(trusted),
            _ => ClientAuth::Require(trusted),
        };
        let server = server(settings(), identity).with_client_auth(auth);
        let client = client(settings(), identity);
        let client = match presents {
            Presents::Nothing => client,
            Presents::Good => client.with_credentials(Credentials::single(other_identity().credential())),
            Presents::Bad => client.with_credentials(Credentials::single(identity.credential())),
        };
        let mut pair = pair(client, server);
        match outcome {
            Ok(certificates) => {
                assert!(pair.connect(), "{asks} {presents:?}: {:?}", pair.server.events);
                let chain = &pair.server.connected.as_ref().unwrap().peer_chain;
                assert_eq!(chain.len(), certificates, "{asks} {presents:?}");
                pair.echoes();
            }
            Err(alert) => parts(&mut pair, Side::Server, |_| true, alert),
        }
    }
}

#[test]
fn a_client_presents_the_credential_that_the_server_can_verify() {
    let identity = Identity::p256();
    let mut only_rsa = settings();
    only_rsa.provider.signature_verifiers.retain(|verifier| {
        [SignatureScheme::RSA_PSS_RSAE_SHA256, SignatureScheme::RSA_PKCS1_SHA256].contains(&verifier.scheme)
    });
    let server = server(only_rsa, identity)
        .with_client_auth(ClientAuth::Require(Arc::new(Identity::rsa_chain().policy())));
    let both = vec![Arc::new(other_identity().credential()), Arc::new(Identity::rsa_chain().credential())];
    let client = client(settings(), identity).with_credentials(Credentials::new(both));
    let mut pair = pair(client, server);
    assert!(pair.connect(), "{:?}", pair.server.events);
    assert_eq!(pair.server.connected.as_ref().unwrap().peer_chain, Identity::rsa_chain().chain);
}

#[test]
fn a_server_presents_the_credential_that_the_client_can_verify() {
    let both = || {
        Credentials::new(vec![
            Arc::new(Identity::rsa_chain().credential()),
            Arc::new(Identity::p256().credential()),
        ])
    };
    let mut only_ecdsa = settings();
    only_ecdsa
        .provider
        .signature_verifiers
        .retain(|verifier| verifier.scheme == SignatureScheme::ECDSA_SECP256R1_SHA256);
    for (settings, identity) in [(only_ecdsa, Identity::p256()), (settings(), Identity::rsa_chain())] {
        let server = ServerConfig::new(drystone_tests::identity::settings(), both()).unwrap();
        let mut pair = pair(client(settings, identity), server);
        assert!(pair.connect(), "{:?}", pair.server.events);
        assert_eq!(pair.client.connected.as_ref().unwrap().peer_chain, identity.chain);
    }
}

// ---- parting ----

#[test]
fn a_wrong_authority_ends_both_sides_with_unknown_ca() {
    let mut pair = pair(client(settings(), other_identity()), server(settings(), Identity::p256()));
    let unknown = |error: &Error| matches!(error, Error::Certificate(error) if matches!(**error, CertificateError::UnknownIssuer { .. }));
    parts(&mut pair, Side::Client, unknown, AlertDescription::UNKNOWN_CA);
}

#[test]
fn a_wrong_name_ends_both_sides_with_bad_certificate() {
    let identity = Identity::p256();
    let other = ServerName::try_from("other.test").unwrap();
    let client = client_config(settings(), identity);
    let mut pair = Pair::new(client, server_config(settings(), identity), other, perfect_link());
    let mismatch = |error: &Error| matches!(error, Error::Certificate(error) if matches!(**error, CertificateError::NameMismatch { .. }));
    parts(&mut pair, Side::Client, mismatch, AlertDescription::BAD_CERTIFICATE);
}

#[test]
fn expired_and_early_certificates_end_both_sides_with_certificate_expired() {
    let identity = Identity::p256();
    // The certificates are valid from 1975 to 4096.
    for seconds in [1_000, 80_000_000_000] {
        let clock = Clock::at_unix(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        let client = client_config(settings(), identity);
        let server = server_config(settings(), identity);
        let mut pair = Pair::starting_at(clock, client, server, name(), perfect_link());
        let dated = |error: &Error| {
            matches!(
                error,
                Error::Certificate(error) if matches!(
                    **error,
                    CertificateError::Expired { .. } | CertificateError::NotYetValid { .. }
                )
            )
        };
        parts(&mut pair, Side::Client, dated, AlertDescription::CERTIFICATE_EXPIRED);
    }
}

#[test]
fn no_common_suite_ends_both_sides_with_handshake_failure() {
    let identity = Identity::p256();
    let only = |suite| {
        let mut settings = settings();
        settings.cipher_suites = Some(vec![CipherSuiteId(suite)]);
        settings
    };
    let mut pair = pair(client(only(0xc02b), identity), server(only(0xcca9), identity));
    let expected = Error::Incompatible(Incompatibility::CipherSuite);
    parts(&mut pair, Side::Server, |error| *error == expected, AlertDescription::HANDSHAKE_FAILURE);
}

#[test]
fn no_common_group_ends_both_sides_with_handshake_failure() {
    let identity = Identity::p256();
    let only = |group| {
        let mut settings = settings();
        settings.groups = Some(vec![group]);
        settings
    };
    let client = client(only(NamedGroup::SECP256R1), identity);
    let mut pair = pair(client, server(only(NamedGroup::X25519), identity));
    let expected = Error::Incompatible(Incompatibility::Group);
    parts(&mut pair, Side::Server, |error| *error == expected, AlertDescription::HANDSHAKE_FAILURE);
}

/// The client verifies RSA alone, the server has an ECDSA key alone.
#[test]
fn no_common_credential_ends_both_sides_with_handshake_failure() {
    let mut only_rsa = settings();
    only_rsa
        .provider
        .signature_verifiers
        .retain(|verifier| verifier.scheme == SignatureScheme::RSA_PSS_RSAE_SHA256);
    let mut pair = pair(client(only_rsa, Identity::rsa_chain()), server(settings(), Identity::p256()));
    let expected = |error: &Error| {
        matches!(error, Error::Incompatible(Incompatibility::SignatureScheme | Incompatibility::CipherSuite))
    };
    parts(&mut pair, Side::Server, expected, AlertDescription::HANDSHAKE_FAILURE);
}
