//! What two of our own ends agree on in DTLS 1.3, and which version they meet in.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use drystone_handshake::crypto::KeyLogLabel;
use drystone_handshake::message::ClientHello;
use drystone_handshake::{
    AlertDescription, CipherSuiteId, ClientAuth, ClientConfig, Credentials, Direction as Way, Error,
    HandshakeType, Incompatibility, Misuse, NamedGroup, Observed, Observer, ProtocolVersion, ServerConfig,
    Settings, SignatureScheme, SrtpProfile,
};
use drystone_tests::identity::{Identity, NAME, name, settings_of, settings_of_both};
use drystone_tests::key_log::Lines;
use drystone_tests::link::Direction;
use drystone_tests::pair::{Pair, perfect_link};
use drystone_tests::scenario::other_identity;
use ring::{digest, hkdf};

const V12: ProtocolVersion = ProtocolVersion::DTLS_1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS_1_3;

fn settings() -> Settings {
    settings_of(V13)
}

fn client(settings: Settings) -> ClientConfig {
    ClientConfig::new(settings, Identity::p256().policy()).unwrap()
}

fn server(settings: Settings) -> ServerConfig {
    ServerConfig::new(settings, Credentials::single(Identity::p256().credential())).unwrap()
}

fn pair(client: ClientConfig, server: ServerConfig) -> Pair {
    Pair::new(Arc::new(client), Arc::new(server), name(), perfect_link())
}

// ---- versions ----

/// The versions of an end, from its least to its greatest.
const RANGES: [[ProtocolVersion; 2]; 3] = [[V12, V12], [V13, V13], [V12, V13]];

fn common(
    [client_min, client_max]: [ProtocolVersion; 2],
    [min, max]: [ProtocolVersion; 2],
) -> Option<ProtocolVersion> {
    [V13, V12].into_iter().find(|version| {
        let within = |min, max: ProtocolVersion| *version == min || *version == max;
        within(client_min, client_max) && within(min, max)
    })
}

fn ranged([min, max]: [ProtocolVersion; 2]) -> Settings {
    let mut settings = settings_of_both();
    (settings.min_version, settings.max_version) = (min, max);
    settings
}

#[test]
fn nine_combinations_of_versions_end_as_they_should() {
    for cookie in [true, false] {
        for of_client in RANGES {
            for of_server in RANGES {
                let what = format!("{of_client:?} meets {of_server:?}, cookie {cookie}");
                let mut pair = pair(client(ranged(of_client)), server(ranged(of_server)));
                if !cookie {
                    pair = pair.without_cookie();
                }
                match common(of_client, of_server) {
                    Some(version) => {
                        assert!(pair.connect(), "{what}: {pair:?}");
                        for end in [&pair.client, &pair.server] {
                            assert_eq!(end.connected.as_ref().unwrap().version, version, "{what}");
                        }
                        pair.echoes();
                    }
                    None => parts_over_version(&mut pair, &what),
                }
            }
        }
    }
}

/// Both sides say protocol_version. A server that asks for cookies has no association then: its answer is stateless.
fn parts_over_version(pair: &mut Pair, what: &str) {
    pair.run_for(Duration::from_secs(2));
    let refused =
        Error::AlertReceived { description: AlertDescription::PROTOCOL_VERSION, authenticated: false };
    assert_eq!(pair.client.connection().error(), Some(&refused), "{what}");
    if let Some(connection) = &pair.server.connection {
        assert_eq!(connection.error(), Some(&Error::Incompatible(Incompatibility::Version)), "{what}");
    } else {
        assert!(pair.server.datagrams >= 1, "{what}: an alert");
    }
}

// ---- suites and groups ----

#[test]
fn every_suite_works_with_every_group() {
    for suite in [0x1301, 0x1302, 0x1303].map(CipherSuiteId) {
        let groups =
            [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1, NamedGroup::X25519MLKEM768];
        for group in groups {
            for cookie in [true, false] {
                let mut narrow = settings();
                narrow.cipher_suites = Some(vec![suite]);
                narrow.groups = Some(vec![group]);
                let mut pair = pair(client(settings()), server(narrow));
                if !cookie {
                    pair = pair.without_cookie();
                }
                assert!(pair.connect(), "{suite} {group}: {:?}", pair.server.events);
                for end in [&pair.client, &pair.server] {
                    let connected = end.connected.as_ref().unwrap();
                    assert_eq!((connected.cipher_suite, connected.group), (suite, group));
                }
                pair.echoes();
            }
        }
    }
}

/// Nothing in common: the gate says so where it can see it, else the association does; the client hears it.
#[test]
fn no_common_suite_or_group_is_handshake_failure() {
    let only = |suite: u16, group: NamedGroup| {
        let mut settings = settings();
        settings.cipher_suites = Some(vec![CipherSuiteId(suite)]);
        settings.groups = Some(vec![group]);
        settings
    };
    let ours = only(0x1301, NamedGroup::X25519);
    for theirs in [only(0x1303, NamedGroup::X25519), only(0x1301, NamedGroup::SECP384R1)] {
        for cookie in [true, false] {
            let mut pair = pair(client(ours.clone()), server(theirs.clone()));
            if !cookie {
                pair = pair.without_cookie();
            }
            pair.run_for(Duration::from_secs(2));
            let error = pair.client.connection().error().cloned();
            let description = AlertDescription::HANDSHAKE_FAILURE;
            assert_eq!(error, Some(Error::AlertReceived { description, authenticated: false }), "{cookie}");
        }
    }
}

// ---- hellos ----

/// The hellos that a client has sent.
#[derive(Debug, Default)]
struct Hellos(Mutex<Vec<Vec<u8>>>);

impl Observer for Hellos {
    fn observe(&self, direction: Way, item: Observed<'_>) {
        if let (Way::Sent, Observed::Handshake { msg_type: HandshakeType::CLIENT_HELLO, body, .. }) =
            (direction, item)
        {
            self.0.lock().unwrap().push(body.to_vec());
        }
    }
}

/// What the hellos of one handshake say: groups with a share, whether there is a cookie, suites.
fn hellos_of(mut of_client: Settings, of_server: Settings, cookie: bool) -> Vec<Vec<u8>> {
    let hellos = Arc::new(Hellos::default());
    of_client.observer = Some(hellos.clone());
    let mut pair = pair(client(of_client), server(of_server));
    if !cookie {
        pair = pair.without_cookie();
    }
    assert!(pair.connect(), "{pair:?}");
    hellos.0.lock().unwrap().clone()
}

fn shares(hello: &ClientHello<'_>) -> Vec<NamedGroup> {
    hello.extensions.key_share.into_iter().flat_map(|shares| shares.iter()).map(|share| share.group).collect()
}

#[test]
fn a_retry_asks_for_a_group_a_cookie_or_both() {
    let only = |group: NamedGroup| {
        let mut settings = settings();
        settings.groups = Some(vec![group]);
        settings
    };
    let mut ours = settings();
    ours.groups = Some(vec![NamedGroup::X25519, NamedGroup::SECP384R1]);
    let [x25519, p384] = [NamedGroup::X25519, NamedGroup::SECP384R1];
    for (group, cookie, count) in [(p384, false, 2), (x25519, true, 2), (p384, true, 2), (x25519, false, 1)] {
        let bodies = hellos_of(ours.clone(), only(group), cookie);
        assert_eq!(bodies.len(), count, "{group} {cookie}");
        let first = ClientHello::decode(&bodies[0]).unwrap();
        let last = ClientHello::decode(bodies.last().unwrap()).unwrap();
        assert!(first.extensions.cookie.is_none());
        assert_eq!(last.extensions.cookie.is_some(), cookie, "{group} {cookie}");
        assert!(shares(&first).contains(&x25519) && !shares(&first).contains(&p384));
        assert!(shares(&last).contains(&group), "{:?}", shares(&last));
        assert_eq!((first.random, first.session_id), (last.random, last.session_id));
    }
}

fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// RFC 8701, and RFC 9846 section 4.2.2: what the second hello repeats.
#[test]
fn grease_is_there_or_not_and_the_same_in_the_second_hello() {
    for grease in [true, false] {
        let mut ours = settings();
        ours.grease = grease;
        let bodies = hellos_of(ours, settings(), true);
        let values: Vec<_> = bodies
            .iter()
            .map(|body| {
                let hello = ClientHello::decode(body).unwrap();
                let suites = hello.cipher_suites.iter().map(|suite| suite.0);
                let groups = hello.extensions.supported_groups.into_iter().flat_map(|list| list.iter());
                suites
                    .chain(groups.map(|group| group.0))
                    .filter(|value| is_grease(*value))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(values.len(), 2);
        assert_eq!(values[0], values[1]);
        assert_eq!(values[0].len(), if grease { 2 } else { 0 }, "{values:04x?}");
    }
}

// ---- extensions ----

#[test]
fn names_protocols_and_limits_are_settled_in_encrypted_extensions() {
    let mut ours = settings();
    ours.alpn = vec![b"a".to_vec(), b"b".to_vec()];
    ours.record_size_limit = Some(101);
    let mut theirs = settings();
    theirs.alpn = vec![b"b".to_vec()];
    theirs.record_size_limit = Some(301);
    let mut pair = pair(client(ours), server(theirs));
    assert!(pair.connect());
    for end in [&pair.client, &pair.server] {
        let connected = end.connected.as_ref().unwrap();
        assert_eq!(connected.alpn.as_deref(), Some(&b"b"[..]));
        assert_eq!(connected.server_name.as_deref(), Some(NAME));
    }
    // RFC 8449 section 4: the limit counts the content type too.
    assert_eq!(pair.client.connection().max_payload(), 300);
    assert_eq!(pair.server.connection().max_payload(), 100);
    pair.send(Direction::ToClient, &[0; 100]).unwrap();
    pair.send(Direction::ToServer, &[0; 300]).unwrap();
    pair.run_for(Duration::from_secs(1));
    assert_eq!((pair.client.received.len(), pair.server.received.len()), (1, 1));
}

#[test]
fn no_common_application_protocol_ends_both_sides() {
    let with = |name: &str| {
        let mut settings = settings();
        settings.alpn = vec![name.as_bytes().to_vec()];
        settings
    };
    let mut pair = pair(client(with("a")), server(with("b"))).without_cookie();
    pair.run_for(Duration::from_secs(2));
    let expected = Error::Incompatible(Incompatibility::ApplicationProtocol);
    assert_eq!(pair.server.connection().error(), Some(&expected));
    let description = AlertDescription::NO_APPLICATION_PROTOCOL;
    let error = pair.client.connection().error().cloned();
    assert_eq!(error, Some(Error::AlertReceived { description, authenticated: false }));
}

#[test]
fn srtp_keys_are_equal_on_both_sides() {
    let mut both = settings();
    both.srtp_profiles = vec![SrtpProfile::AEAD_AES_128_GCM];
    let mut pair = pair(client(both.clone()), server(both));
    assert!(pair.connect());
    let keys = [&mut pair.client, &mut pair.server].map(|end| {
        assert_eq!(end.connection().srtp_profile(), Some(SrtpProfile::AEAD_AES_128_GCM));
        let keys = end.connection().srtp_keys().unwrap();
        [keys.client_key(), keys.server_key(), keys.client_salt(), keys.server_salt()].concat()
    });
    assert_eq!(keys[0], keys[1]);
    let mut material = [0; 2 * (16 + 12)];
    pair.client.connection().export_keying_material(b"EXTRACTOR-dtls_srtp", None, &mut material).unwrap();
    assert_eq!(keys[0], material, "RFC 5764 section 4.2");
}

// ---- key log and exporter ----

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label with the prefix of DTLS 1.3 (RFC 9147 section 5.9), by ring alone.
fn expand_label(secret: &[u8], label: &[u8], context: &[u8], length: usize) -> Vec<u8> {
    let label = [b"dtls13", label].concat();
    let wide = u16::try_from(length).unwrap().to_be_bytes();
    let info = [&wide[..], &[label.len() as u8], &label, &[context.len() as u8], context];
    let mut out = vec![0; length];
    let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, secret);
    prk.expand(&info, Length(length)).unwrap().fill(&mut out).unwrap();
    out
}

#[test]
fn exporters_are_equal_and_follow_from_the_logged_secret() {
    let lines = Arc::new(Lines::default());
    let mut ours = settings();
    ours.key_log = Some(lines.clone());
    ours.cipher_suites = Some(vec![CipherSuiteId(0x1301)]);
    let mut pair = pair(client(ours), server(settings()));
    assert!(pair.connect());
    let exporter = lines.all().iter().find(|line| line.0 == KeyLogLabel::ExporterSecret).unwrap().2.clone();
    for context in [None, Some(&b""[..]), Some(b"context")] {
        let exported = [&mut pair.client, &mut pair.server].map(|end| {
            let mut out = [0; 40];
            end.connection().export_keying_material(b"EXPERIMENTAL test", context, &mut out).unwrap();
            out
        });
        assert_eq!(exported[0], exported[1]);
        // RFC 9846 section 7.5; an absent context is an empty one.
        let hash = |data: &[u8]| digest::digest(&digest::SHA256, data);
        let derived = expand_label(&exporter, b"EXPERIMENTAL test", hash(b"").as_ref(), 32);
        let expected = expand_label(&derived, b"exporter", hash(context.unwrap_or_default()).as_ref(), 40);
        assert_eq!(exported[0][..], expected[..], "{context:?}");
    }
    for label in [&b"client finished"[..], b"server finished", b"master secret", b"key expansion"] {
        let mut out = [0; 32];
        let refused = pair.client.connection().export_keying_material(label, None, &mut out);
        assert_eq!(refused, Err(Misuse::ReservedLabel), "{}", label.escape_ascii());
    }
}

#[test]
fn the_key_log_has_every_secret_of_both_sides() {
    let logs = [Arc::new(Lines::default()), Arc::new(Lines::default())];
    let [ours, theirs] = logs.clone().map(|log| {
        let mut settings = settings();
        settings.key_log = Some(log);
        settings
    });
    let mut pair = pair(client(ours), server(theirs));
    assert!(pair.connect());
    let now = pair.now();
    pair.client.connection().update_keys(now, true).unwrap();
    pair.run_for(Duration::from_secs(2));
    let sorted = logs.map(|log| {
        let lines = log.all().into_iter();
        let mut lines: Vec<_> =
            lines.map(|(label, random, secret)| (label.to_string(), random, secret)).collect();
        lines.sort();
        lines
    });
    assert_eq!(sorted[0], sorted[1]);
    let labels: Vec<_> = sorted[0].iter().map(|line| line.0.as_str()).collect();
    let expected = [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "CLIENT_TRAFFIC_SECRET_1",
        "EXPORTER_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_1",
    ];
    assert_eq!(labels, expected);
}

// ---- certificates ----

#[test]
fn every_kind_of_key_signs_as_dtls_1_3_says() {
    let p384 = Identity::direct(&rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap());
    let cases = [
        (Identity::p256(), vec![SignatureScheme::ECDSA_SECP256R1_SHA256]),
        (&p384, vec![SignatureScheme::ECDSA_SECP384R1_SHA384]),
        (Identity::ed25519_chain(), vec![SignatureScheme::ED25519]),
        (
            Identity::rsa_chain(),
            vec![
                SignatureScheme::RSA_PSS_RSAE_SHA256,
                SignatureScheme::RSA_PSS_RSAE_SHA384,
                SignatureScheme::RSA_PSS_RSAE_SHA512,
            ],
        ),
    ];
    for (identity, schemes) in cases {
        let client = ClientConfig::new(settings(), identity.policy()).unwrap();
        let server = ServerConfig::new(settings(), Credentials::single(identity.credential())).unwrap();
        let mut pair = pair(client, server);
        assert!(pair.connect(), "{schemes:?}: {:?} {:?}", pair.client.events, pair.server.events);
        let used = pair.client.connected.as_ref().unwrap().signature_scheme;
        assert!(schemes.contains(&used), "{used}");
    }
}

#[test]
fn client_certificates_are_asked_for_required_and_checked() {
    let trusted = || Arc::new(other_identity().policy());
    let request = || ClientAuth::Request(trusted());
    let require = || ClientAuth::Require(trusted());
    let good = || Some(other_identity());
    let bad = || Some(Identity::p256());
    let cases = [
        (ClientAuth::None, good(), Ok(0)),
        (request(), None, Ok(0)),
        (request(), good(), Ok(1)),
        (request(), bad(), Err(AlertDescription::UNKNOWN_CA)),
        // RFC 9846 section 4.5.1.4.
        (require(), None, Err(AlertDescription::CERTIFICATE_REQUIRED)),
        (require(), good(), Ok(1)),
        (require(), bad(), Err(AlertDescription::UNKNOWN_CA)),
    ];
    for (index, (auth, presents, outcome)) in cases.into_iter().enumerate() {
        let client = client(settings());
        let client = match presents {
            Some(identity) => client.with_credentials(Credentials::single(identity.credential())),
            None => client,
        };
        let mut pair = pair(client, server(settings()).with_client_auth(auth));
        let connected = pair.connect();
        pair.run_for(Duration::from_secs(1));
        match outcome {
            Ok(certificates) => {
                assert!(connected, "{index}: {:?}", pair.server.events);
                assert_eq!(pair.server.connected.as_ref().unwrap().peer_chain.len(), certificates, "{index}");
                pair.echoes();
            }
            Err(description) => {
                let own = pair.server.connection().error().cloned();
                assert_eq!(own.and_then(|error| error.alert()), Some(description), "{index}");
                // The client is connected by then, and the alert is authentic.
                let other = pair.client.connection().error().cloned();
                let expected = Error::AlertReceived { description, authenticated: true };
                assert_eq!(other, Some(expected), "{index}");
            }
        }
    }
}

/// RFC 9846 section 4.3.3: RSA-PKCS1 may sign certificates, but nothing in the handshake.
#[test]
fn a_client_of_1_3_alone_lists_what_may_sign_certificates() {
    for (min, expected) in [(V13, true), (V12, false)] {
        let ours = ranged([min, V13]);
        let bodies = hellos_of(ours, settings(), false);
        let hello = ClientHello::decode(&bodies[0]).unwrap();
        assert_eq!(hello.extensions.signature_algorithms_cert.is_some(), expected);
        let signing = hello.extensions.signature_algorithms.unwrap();
        assert_eq!(signing.contains(&SignatureScheme::RSA_PKCS1_SHA256), !expected);
        if let Some(certificates) = hello.extensions.signature_algorithms_cert {
            assert!(certificates.contains(&SignatureScheme::RSA_PKCS1_SHA256));
        }
    }
}
