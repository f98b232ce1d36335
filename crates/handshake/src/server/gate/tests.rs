//! What the gate says to a hello, and what it lets in.

mod cookies;
mod pieces;

use std::vec;
use std::vec::Vec;

use core::task::Poll;
use core::time::Duration;

use drystone_record::{ContentType, peek_plaintext};
use rustls_pki_types::UnixTime;

use super::*;
use crate::Connection;
use crate::config::{CookieSettings, Settings};
use crate::credential::{Credential, CredentialOffer, CredentialResolver};
use crate::error::Incompatibility;
use crate::flight::{self, Fragment};
use crate::message::registry::{CipherSuiteId, ExtensionType, SignatureScheme};
use crate::message::{
    Alert, AnyServerHello, ClientExtensions, HelloRetryRequest, HelloVerifyRequest, KeyShareEntry,
};
use crate::time::Instant;

const V12: ProtocolVersion = ProtocolVersion::DTLS_1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS_1_3;
const SENDER: Stranger<'_> = Stranger { id: b"client", network: b"net" };
/// A group with large shares.
const NOT_OURS: NamedGroup = NamedGroup(0x0202);
const ILLEGAL_PARAMETER: Said = Said::Alert(AlertDescription::ILLEGAL_PARAMETER);

fn start_at(milliseconds: u64) -> Start {
    let elapsed = Duration::from_millis(milliseconds);
    let unix = Duration::from_secs(1_000_000 + elapsed.as_secs());
    Start { now: Instant::from_origin(elapsed), unix: Some(UnixTime::since_unix_epoch(unix)) }
}

/// A server that shares its secret with all of the same number.
fn config(secret: u8, versions: (ProtocolVersion, ProtocolVersion)) -> ServerConfig {
    let mut settings = Settings::new(crate::crypto::ring::provider(), crate::FromRng(getrandom::SysRng));
    (settings.min_version, settings.max_version) = versions;
    let cookies = CookieSettings { secret: Some([secret; 32].into()), ..CookieSettings::default() };
    ServerConfig::new(settings, Nobody).unwrap().with_cookies(cookies).unwrap()
}

/// A gate asks for no credential.
#[derive(Debug)]
struct Nobody;

impl CredentialResolver for Nobody {
    fn resolve(&self, _: &CredentialOffer<'_>) -> Poll<Option<Arc<Credential>>> {
        panic!("before a good cookie")
    }
}

fn gate(versions: (ProtocolVersion, ProtocolVersion)) -> Gate {
    Gate::new(&config(1, versions)).unwrap()
}

fn dual() -> Gate {
    gate((V12, V13))
}

/// A hello that can be changed.
#[derive(Clone)]
struct Hello {
    random: [u8; 32],
    legacy_cookie: Vec<u8>,
    cookie: Option<Vec<u8>>,
    versions: Option<Vec<ProtocolVersion>>,
    suites: Vec<CipherSuiteId>,
    groups: Option<Vec<NamedGroup>>,
    shares: Option<Vec<(NamedGroup, usize)>>,
    /// Whether the cookie stands behind the key shares, as in BoringSSL.
    cookie_last: bool,
}

impl Hello {
    /// Of a client that speaks both versions.
    fn new() -> Self {
        Self {
            random: [7; 32],
            legacy_cookie: Vec::new(),
            cookie: None,
            versions: Some(vec![V13, V12]),
            suites: vec![
                CipherSuiteId::TLS_AES_128_GCM_SHA256,
                CipherSuiteId::TLS_AES_256_GCM_SHA384,
                CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            ],
            groups: Some(vec![NamedGroup::SECP256R1, NamedGroup::X25519, NOT_OURS]),
            shares: Some(vec![(NamedGroup::X25519, 32)]),
            cookie_last: false,
        }
    }

    /// With a key share that makes it larger than a datagram.
    fn large() -> Self {
        Self { shares: Some(vec![(NOT_OURS, 1216), (NamedGroup::X25519, 32)]), ..Self::new() }
    }

    fn body(&self) -> Vec<u8> {
        let key = [9; 1216];
        let shares: Option<Vec<_>> = self.shares.as_ref().map(|shares| {
            let entry = |&(group, length)| KeyShareEntry { group, key_exchange: &key[..length] };
            shares.iter().map(entry).collect()
        });
        let mut body = Vec::new();
        ClientHello {
            client_version: V12,
            random: &self.random,
            session_id: &[],
            cookie: &self.legacy_cookie,
            cipher_suites: self.suites.as_slice().into(),
            compression_methods: &[0],
            extensions: ClientExtensions {
                cookie: self.cookie.as_deref().filter(|_| !self.cookie_last),
                supported_versions: self.versions.as_deref().map(Into::into),
                supported_groups: self.groups.as_deref().map(Into::into),
                key_share: shares.as_deref().map(Into::into),
                signature_algorithms: Some((&[SignatureScheme::ED25519]).into()),
                ..ClientExtensions::default()
            },
        }
        .encode(&mut body)
        .unwrap();
        if let Some(cookie) = self.cookie.as_deref().filter(|_| self.cookie_last) {
            append_cookie(&mut body, cookie);
        }
        body
    }

    fn datagram(&self) -> Vec<u8> {
        whole(0, &self.body())
    }
}

/// Puts a cookie extension behind all others, where no encoder of ours puts it.
fn append_cookie(body: &mut Vec<u8>, cookie: &[u8]) {
    // The bytes before the extensions of `Hello`, whose suites are the only part of variable length.
    let suites = usize::from(u16::from_be_bytes([body[36], body[37]]));
    let block = 38 + suites + 2;
    let length = cookie.len() as u16;
    body.extend(ExtensionType::COOKIE.0.to_be_bytes());
    body.extend((length + 2).to_be_bytes());
    body.extend(length.to_be_bytes());
    body.extend(cookie);
    let length = (body.len() - block - 2) as u16;
    body[block..block + 2].copy_from_slice(&length.to_be_bytes());
}

fn record(fragment: &Fragment<'_>) -> Vec<u8> {
    let header = flight::header(
        fragment.msg_type,
        fragment.length,
        fragment.message_seq,
        fragment.offset,
        fragment.payload.len() as u32,
    );
    let length = (header.len() + fragment.payload.len()) as u16;
    let record = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 5];
    [&record[..], &length.to_be_bytes(), &header, fragment.payload].concat()
}

fn piece(message_seq: u16, body: &[u8], range: core::ops::Range<usize>) -> Vec<u8> {
    record(&Fragment {
        msg_type: HandshakeType::CLIENT_HELLO,
        length: body.len() as u32,
        message_seq,
        offset: range.start as u32,
        payload: &body[range],
    })
}

fn whole(message_seq: u16, body: &[u8]) -> Vec<u8> {
    piece(message_seq, body, 0..body.len())
}

/// What a verdict comes to.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Nothing(Discard),
    Hold,
    Alert(AlertDescription),
    Verify(Vec<u8>),
    /// Group, cookie and whole body.
    Retry(CipherSuiteId, Option<NamedGroup>, Vec<u8>, Vec<u8>),
    Accept(Proven, Option<Vec<u8>>),
}

fn ask(gate: &Gate, start: Start, from: Stranger<'_>, pool: &mut PartialHellos, datagram: &[u8]) -> Said {
    let mut bytes = datagram.to_vec();
    let mut reply = [0; Gate::MAX_REPLY];
    let mut datagram = Datagram::new(Path(3), &mut bytes);
    let length = match gate.answer_or_hold(start, from, &mut datagram, pool, &mut reply) {
        Verdict::Drop(reason) => return Said::Nothing(reason),
        Verdict::Hold => return Said::Hold,
        Verdict::Accept(greeting) => {
            assert_eq!((greeting.path, greeting.record_sequence), (Path(3), 5));
            return Said::Accept(greeting.proven, greeting.hello.map(Vec::from));
        }
        Verdict::Reply(length) => length,
        Verdict::Refuse { length, error } => {
            let alert =
                peek_plaintext(&reply[..length]).and_then(|record| Alert::decode(record.payload).ok());
            assert_eq!(alert.map(|alert| alert.description), error.alert(), "{error}");
            length
        }
    };
    let record = peek_plaintext(&reply[..length]).unwrap();
    assert_eq!(record.payload.len() + 13, length, "one record");
    assert_eq!(record.number.sequence, 5, "the number of the hello's record");
    if record.content_type == ContentType::ALERT {
        assert_eq!(record.version, V12.0);
        let alert = Alert::decode(record.payload).unwrap();
        assert_eq!(alert.level, AlertLevel::FATAL);
        return Said::Alert(alert.description);
    }
    let (fragment, rest) = Fragment::split_first(record.payload).unwrap();
    assert!(fragment.is_whole() && rest.is_empty() && fragment.message_seq == 0);
    if fragment.msg_type == HandshakeType::HELLO_VERIFY_REQUEST {
        assert_eq!(record.version, ProtocolVersion::DTLS_1_0.0);
        return Said::Verify(HelloVerifyRequest::decode(fragment.payload).unwrap().cookie.to_vec());
    }
    assert_eq!((record.version, fragment.msg_type), (V12.0, HandshakeType::SERVER_HELLO));
    let Ok(AnyServerHello::Retry(HelloRetryRequest { server_version, session_id, cipher_suite, extensions })) =
        AnyServerHello::decode(fragment.payload)
    else {
        panic!("no HelloRetryRequest")
    };
    assert_eq!((server_version, session_id), (V12, &[][..]));
    assert_eq!(extensions.supported_versions, Some(V13));
    let cookie = extensions.cookie.unwrap().to_vec();
    Said::Retry(cipher_suite, extensions.key_share, cookie, fragment.payload.to_vec())
}

/// For hellos that fit a datagram.
fn say(gate: &Gate, hello: &Hello) -> Said {
    ask(gate, start_at(0), SENDER, &mut PartialHellos::new(None, None), &hello.datagram())
}

/// The second hello after this answer.
fn second(hello: &Hello, said: &Said) -> Hello {
    let Said::Retry(_, group, cookie, _) = said else { panic!("{said:?}") };
    let mut second = hello.clone();
    second.cookie = Some(cookie.clone());
    if let Some(group) = *group {
        second.shares = Some(vec![(group, 65)]);
    }
    second
}

#[test]
fn a_question_of_1_3_and_what_its_cookie_brings_back() {
    let (gate, hello) = (dual(), Hello::new());
    let asked = say(&gate, &hello);
    let Said::Retry(suite, group, cookie, body) = &asked else { panic!("{asked:?}") };
    assert_eq!((*suite, *group), (CipherSuiteId::TLS_AES_128_GCM_SHA256, None), "it has the share already");
    let second = second(&hello, &asked);
    let Said::Accept(Proven::Retry(retry), None) = say(&gate, &second) else { panic!("a good cookie") };
    assert_eq!((retry.suite, retry.group, &*retry.cookie), (*suite, *group, &**cookie));
    assert_eq!(retry.message(), *body, "byte for byte");
    // RFC 9846 section 4.1, with the framing of RFC 9147 section 5.2.
    let hello1 = hello.body();
    let header = [1, 0, (hello1.len() >> 8) as u8, hello1.len() as u8];
    assert_eq!(retry.hello1_hash, crate::crypto::ring::SHA_256.hash(&[&header, &hello1]));
    let proven = Proven::Retry(retry);
    assert_eq!(proven.client_random(), &[7; 32]);

    let covers = |hello: &Hello| proven.covers(&ClientHello::decode(&hello.body()).unwrap());
    assert!(covers(&second));
    assert!(!covers(&hello), "without the cookie");
    assert!(!covers(&Hello { random: [8; 32], ..second.clone() }));
    assert!(!covers(&Hello { cookie: Some(vec![1]), ..second.clone() }));
    assert!(!covers(&Hello { legacy_cookie: cookie.clone(), ..second.clone() }));
}

#[test]
fn suite_and_group_by_preference() {
    let hello = Hello {
        suites: vec![CipherSuiteId::TLS_AES_256_GCM_SHA384, CipherSuiteId::TLS_AES_128_GCM_SHA256],
        shares: Some(Vec::new()),
        ..Hello::new()
    };
    for (by_client, suite, group) in [
        (false, CipherSuiteId::TLS_AES_128_GCM_SHA256, NamedGroup::X25519),
        (true, CipherSuiteId::TLS_AES_256_GCM_SHA384, NamedGroup::SECP256R1),
    ] {
        let gate = Gate::new(&config(1, (V12, V13)).prefer_client_order(by_client)).unwrap();
        let asked = say(&gate, &hello);
        let Said::Retry(chosen, Some(wanted), _, body) = &asked else { panic!("{asked:?}") };
        assert_eq!((*chosen, *wanted), (suite, group));
        let Said::Accept(Proven::Retry(retry), None) = say(&gate, &second(&hello, &asked)) else { panic!() };
        assert_eq!((retry.suite, retry.group, &retry.message()), (suite, Some(group), body));
    }
}

#[test]
fn each_version_has_its_question() {
    let only_12 = Hello { versions: None, ..Hello::new() };
    let only_13 = Hello { versions: Some(vec![V13]), ..Hello::new() };
    let (both, neither) =
        (Hello::new(), Hello { versions: Some(vec![ProtocolVersion(0xfefb)]), ..Hello::new() });
    let none = Said::Alert(AlertDescription::PROTOCOL_VERSION);
    for (versions, hello, expected) in [
        ((V12, V13), &both, Some(Question::Retry)),
        ((V12, V13), &only_13, Some(Question::Retry)),
        ((V12, V13), &only_12, Some(Question::Verify)),
        ((V12, V13), &neither, None),
        ((V13, V13), &both, Some(Question::Retry)),
        ((V13, V13), &only_13, Some(Question::Retry)),
        ((V13, V13), &only_12, None),
        ((V12, V12), &both, Some(Question::Verify)),
        ((V12, V12), &only_12, Some(Question::Verify)),
        ((V12, V12), &only_13, None),
    ] {
        let gate = gate(versions);
        match (say(&gate, hello), expected) {
            (said @ Said::Retry(..), Some(Question::Retry)) => {
                assert!(matches!(say(&gate, &second(hello, &said)), Said::Accept(Proven::Retry(_), None)));
            }
            (Said::Verify(legacy_cookie), Some(Question::Verify)) => {
                let second = Hello { legacy_cookie, ..hello.clone() };
                assert!(matches!(say(&gate, &second), Said::Accept(Proven::Verify { .. }, None)));
            }
            (said, None) => assert_eq!(said, none),
            (said, expected) => panic!("{versions:?}: {said:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn a_hello_that_nothing_can_come_of_is_told_so() {
    let gate = dual();
    let alert = |hello: Hello| say(&gate, &hello);
    assert_eq!(alert(Hello { legacy_cookie: vec![1; 21], ..Hello::new() }), ILLEGAL_PARAMETER);
    let failure = Said::Alert(AlertDescription::HANDSHAKE_FAILURE);
    let suites = vec![CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256];
    assert_eq!(alert(Hello { suites, ..Hello::new() }), failure, "a suite of 1.2");
    let groups = Some(vec![NamedGroup::X448]);
    assert_eq!(alert(Hello { groups: groups.clone(), shares: Some(Vec::new()), ..Hello::new() }), failure);
    assert_eq!(alert(Hello { groups, ..Hello::new() }), ILLEGAL_PARAMETER, "a share of no group of its own");
    let missing = Said::Alert(AlertDescription::MISSING_EXTENSION);
    assert_eq!(alert(Hello { groups: None, ..Hello::new() }), missing);
    assert_eq!(alert(Hello { shares: None, ..Hello::new() }), missing);
}
