use std::vec;
use std::vec::Vec;

use core::task::Poll;
use core::time::Duration;

use drystone_record::{ContentType, peek_plaintext};
use proptest::prelude::*;
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

/// RFC 9147 section 5.3. A cookie of ours for 1.2 does not help: whoever asks for 1.2 and hands the answer to a client
/// of both versions gets nothing by it, because the whole hello is judged.
#[test]
fn threat_76_a_legacy_cookie_in_1_3_is_illegal() {
    let gate = dual();
    let hello = Hello::new();
    let Said::Verify(of_12) = say(&gate, &Hello { versions: None, ..Hello::new() }) else { panic!() };
    let asked = say(&gate, &hello);
    let second = second(&hello, &asked);
    assert_eq!(say(&gate, &Hello { legacy_cookie: vec![1], ..second.clone() }), ILLEGAL_PARAMETER);
    assert_eq!(say(&gate, &Hello { cookie: Some(of_12.clone()), ..hello.clone() }), ILLEGAL_PARAMETER);
    let Said::Accept(proven, None) = say(&gate, &Hello { legacy_cookie: of_12, ..hello }) else { panic!() };
    assert!(matches!(proven, Proven::Verify { .. }), "it proves the address, but not that 1.3 was asked for");
}

#[test]
fn threat_54_wrong_truncated_foreign_and_expired_cookies_of_1_3_are_refused() {
    let (gate, hello) = (dual(), Hello::new());
    let mut none = PartialHellos::new(None, None);
    let good = second(&hello, &say(&gate, &hello));
    let cookie = good.cookie.clone().unwrap();
    let with = |cookie: &[u8]| Hello { cookie: Some(cookie.to_vec()), ..hello.clone() };
    assert!(matches!(say(&gate, &good), Said::Accept(..)));
    assert!(matches!(say(&gate, &good), Said::Accept(..)), "a repeat is a retransmission");
    for bit in 0..cookie.len() * 8 {
        let mut wrong = cookie.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(say(&gate, &with(&wrong)), ILLEGAL_PARAMETER, "bit {bit}");
    }
    for length in 1..cookie.len() {
        assert_eq!(say(&gate, &with(&cookie[..length])), ILLEGAL_PARAMETER, "{length} bytes of it");
    }
    assert_eq!(say(&gate, &with(&[&cookie[..], &[0]].concat())), ILLEGAL_PARAMETER);
    assert_eq!(say(&gate, &Hello { random: [8; 32], ..good.clone() }), ILLEGAL_PARAMETER, "another hello");
    let mut at = |gate: &Gate, milliseconds, from| {
        ask(gate, start_at(milliseconds), from, &mut none, &good.datagram())
    };
    // Real ids have all the same length: the bytes count.
    let foreign = Stranger { id: b"tneilc", ..SENDER };
    assert_eq!(at(&gate, 0, foreign), ILLEGAL_PARAMETER);
    assert!(matches!(at(&gate, 60_000, SENDER), Said::Accept(..)), "for a minute");
    assert_eq!(at(&gate, 77_000, SENDER), ILLEGAL_PARAMETER, "expired");
    let sibling = Gate::new(&config(1, (V12, V13))).unwrap();
    assert!(matches!(at(&sibling, 0, SENDER), Said::Accept(..)), "the same secret");
    let other = Gate::new(&config(2, (V12, V13))).unwrap();
    assert_eq!(at(&other, 0, SENDER), ILLEGAL_PARAMETER, "another secret");
}

/// Nobody has set a secret: the configuration has drawn one, which its gates share, as threads or as a server that is
/// made again.
#[test]
fn gates_of_one_configuration_take_each_others_cookies() {
    let settings = Settings::new(crate::crypto::ring::provider(), crate::FromRng(getrandom::SysRng));
    let drawn = ServerConfig::new(settings.clone(), Nobody).unwrap();
    let cookies = CookieSettings::default();
    let drawn_anew = ServerConfig::new(settings.clone(), Nobody).unwrap().with_cookies(cookies).unwrap();
    let elsewhere = Gate::new(&ServerConfig::new(settings, Nobody).unwrap()).unwrap();
    for config in [drawn, drawn_anew] {
        let [asking, answered] = [(); 2].map(|()| Gate::new(&config).unwrap());
        let hello = Hello::new();
        let second = second(&hello, &say(&asking, &hello));
        assert!(matches!(say(&answered, &second), Said::Accept(Proven::Retry(_), None)));
        assert_eq!(say(&elsewhere, &second), ILLEGAL_PARAMETER, "another configuration has another secret");
        let only_12 = Hello { versions: None, ..Hello::new() };
        let Said::Verify(legacy_cookie) = say(&asking, &only_12) else { panic!("asked for a cookie") };
        let second = Hello { legacy_cookie, ..only_12 };
        assert!(matches!(say(&answered, &second), Said::Accept(Proven::Verify { .. }, None)));
    }
}

/// The clock of the server that asked is a step of 16 s before that of the one that is answered.
#[test]
fn a_cookie_from_a_clock_that_is_a_step_ahead_is_good() {
    for asked_at in (0..40_000).step_by(500) {
        let [asking, answered] = [(); 2].map(|()| dual());
        let mut none = PartialHellos::new(None, None);
        let hello = Hello::new();
        let asked = ask(&asking, start_at(100_000 + asked_at), SENDER, &mut none, &hello.datagram());
        let again = second(&hello, &asked).datagram();
        let mut said =
            |behind| ask(&answered, start_at(100_000 + asked_at - behind), SENDER, &mut none, &again);
        assert!(matches!(said(16_000), Said::Accept(..)), "asked at {asked_at}");
        assert_eq!(said(33_000), ILLEGAL_PARAMETER, "further than a step");
    }
}

/// Attack: whoever saw a second hello sends it again and again, and the server a whole flight each time, to that client.
#[test]
fn threat_53_a_replayed_second_hello_begins_three_associations_in_its_cookies_life() {
    for versions in [(V12, V12), (V12, V13)] {
        let config = Arc::new(config(1, versions));
        // As many gates and threads as there may be: they share what has begun.
        let gates = [(); 3].map(|()| Gate::new(&config).unwrap());
        let hello = Hello::new();
        let mut partial = PartialHellos::new(None, None);
        let again = match say(&gates[0], &hello) {
            Said::Verify(legacy_cookie) => Hello { legacy_cookie, ..hello },
            asked => second(&hello, &asked),
        };
        let mut begun = 0;
        for round in 0..300_u64 {
            let mut bytes = again.datagram();
            let mut datagram = Datagram::new(Path(3), &mut bytes);
            let start = start_at(round * 250);
            let gate = &gates[round as usize % gates.len()];
            match gate.answer_or_hold(start, SENDER, &mut datagram, &mut partial, &mut [0; Gate::MAX_REPLY]) {
                Verdict::Accept(greeting) => {
                    let copy = greeting.clone();
                    Connection::server(Arc::clone(&config), greeting, start).unwrap();
                    begun += 1;
                    // Threads that got the same verdict at the same time.
                    if begun == 3 {
                        let refused = Connection::server(Arc::clone(&config), copy, start);
                        assert!(matches!(refused, Err(Error::HelloReplayed)));
                    }
                }
                Verdict::Drop(reason) => assert_eq!((reason, begun), (Discard::BadCookie, 3)),
                verdict => panic!("{verdict:?}"),
            }
        }
        assert_eq!(begun, 3, "{versions:?}");
        // Another hello of the same sender, who connects anew, and the hello of another one.
        let other = Hello { random: [8; 32], ..Hello::new() };
        let other = match say(&gates[1], &other) {
            Said::Verify(legacy_cookie) => Hello { legacy_cookie, ..other },
            asked => second(&other, &asked),
        };
        assert!(matches!(say(&gates[2], &other), Said::Accept(..)));
    }
}

/// What a caller cannot see in the datagrams: that a hello was refused, and why.
#[test]
fn a_refused_hello_is_told_and_seen() {
    #[derive(Debug, Default)]
    struct Log(std::sync::Mutex<Vec<std::string::String>>);
    impl crate::Observer for Log {
        fn observe(&self, direction: Direction, item: Observed<'_>) {
            let line = match item {
                Observed::Handshake { msg_type, message_seq, body } => {
                    std::format!("{direction:?} {msg_type} {message_seq}, {} bytes", body.len())
                }
                item => std::format!("{direction:?} {item:?}"),
            };
            self.0.lock().unwrap().push(line);
        }
    }
    let log = Arc::new(Log::default());
    let mut settings = Settings::new(crate::crypto::ring::provider(), crate::FromRng(getrandom::SysRng));
    settings.observer = Some(log.clone());
    let gate = Gate::new(&ServerConfig::new(settings, Nobody).unwrap()).unwrap();
    let refused = |hello: &Hello| {
        let mut bytes = hello.datagram();
        let mut datagram = Datagram::new(Path(3), &mut bytes);
        match gate.answer(start_at(0), b"client", &mut datagram, &mut [0; Gate::MAX_REPLY]) {
            Verdict::Refuse { error, .. } => error,
            verdict => panic!("{verdict:?}"),
        }
    };
    let no_version = Hello { versions: Some(vec![ProtocolVersion(0xfefb)]), ..Hello::new() };
    assert_eq!(refused(&no_version), Error::Incompatible(Incompatibility::Version));
    let expected = [
        std::format!("Received ClientHello 0, {} bytes", no_version.body().len()),
        std::format!(
            "Sent {:?}",
            Observed::Alert { level: 2, description: AlertDescription::PROTOCOL_VERSION, epoch: 0 }
        ),
    ];
    assert_eq!(core::mem::take(&mut *log.0.lock().unwrap()), expected);
    let foreign = Hello { cookie: Some(vec![1; 57]), ..Hello::new() };
    assert_eq!(refused(&foreign), Error::Misbehaved(Misbehaviour::BadCookie));
    assert_eq!(log.0.lock().unwrap().len(), 2);
    // A request for a cookie is no refusal, and strangers fill no log by it.
    assert!(matches!(say(&gate, &Hello::new()), Said::Retry(..)));
    assert_eq!(log.0.lock().unwrap().len(), 2);
}

/// RFC 9147 section 5.1: a client may answer across the change of the key, but not across two.
#[test]
fn threat_54_a_cookie_outlives_one_change_of_the_key() {
    let rotation = Duration::from_secs(80);
    let cookies = CookieSettings { secret: Some([1; 32].into()), rotation, ..CookieSettings::default() };
    let gate = Gate::new(&config(1, (V12, V13)).with_cookies(cookies).unwrap()).unwrap();
    let mut none = PartialHellos::new(None, None);
    for asked_at in (0..160_000).step_by(1000) {
        let hello = Hello::new();
        let asked = ask(&gate, start_at(asked_at), SENDER, &mut none, &hello.datagram());
        let again = second(&hello, &asked).datagram();
        for (later, good) in [(0, true), (60_000, true), (77_000, false), (170_000, false)] {
            let said = ask(&gate, start_at(asked_at + later), SENDER, &mut none, &again);
            assert_eq!(matches!(said, Said::Accept(..)), good, "asked at {asked_at}, {later} later");
        }
    }
}

/// Rule 4 of the protocol rules: whatever the hello, the answer is one datagram, and no longer than the hello or, for
/// very short ones, twice that.
#[test]
fn threat_53_an_answer_of_1_3_is_no_amplification() {
    let gate = dual();
    let mut longest = 0;
    for suites in [CipherSuiteId::TLS_AES_128_GCM_SHA256, CipherSuiteId::TLS_AES_256_GCM_SHA384] {
        for shares in [0, 1, 2] {
            let shares = [(NamedGroup::SECP256R1, 65), (NOT_OURS, 65)][..shares].to_vec();
            let hello = Hello { suites: vec![suites], shares: Some(shares), ..Hello::new() };
            let mut bytes = hello.datagram();
            let (length, mut reply) = (bytes.len(), [0; Gate::MAX_REPLY]);
            let verdict =
                gate.answer(start_at(0), b"client", &mut Datagram::new(Path(0), &mut bytes), &mut reply);
            let Verdict::Reply(answer) = verdict else { panic!("{verdict:?}") };
            let most = if length >= 200 { length } else { 2 * length };
            assert!(answer <= most, "{answer} bytes for {length}");
            longest = longest.max(answer);
        }
    }
    assert!(longest + 16 <= Gate::MAX_REPLY, "{longest} with SHA-384; SHA-512 would fit");
    assert_eq!((allowance(199), allowance(200)), (398, 200));
    // In pieces only the bytes of the hello itself count, of which there can be too few.
    let tiny = Hello {
        suites: vec![CipherSuiteId::TLS_AES_256_GCM_SHA384],
        groups: Some(vec![NamedGroup::X25519]),
        shares: Some(Vec::new()),
        versions: Some(vec![V13]),
        ..Hello::new()
    };
    let (body, mut pool) = (tiny.body(), gate.partial_hellos());
    let mut give = |range| ask(&gate, start_at(0), SENDER, &mut pool, &piece(0, &body, range));
    assert_eq!(give(0..40), Said::Hold);
    assert_eq!(give(40..body.len()), Said::Nothing(Discard::NoRoom), "{} bytes", body.len());
    assert!(matches!(say(&gate, &tiny), Said::Retry(..)), "in one datagram it is answered");
    let mut bytes = Hello::new().datagram();
    let verdict = gate.answer(start_at(0), b"client", &mut Datagram::new(Path(0), &mut bytes), &mut [0; 64]);
    assert!(matches!(verdict, Verdict::Drop(Discard::NoRoom)), "a buffer that is too short: {verdict:?}");
}

#[test]
fn threat_14_a_first_hello_in_pieces_is_asked_once_it_is_whole() {
    let body = Hello::large().body();
    for versions in [(V12, V13), (V13, V13)] {
        let gate = gate(versions);
        let mut pool = gate.partial_hellos();
        for pieces in 2..=8 {
            let size = body.len().div_ceil(pieces);
            let mut said = Said::Hold;
            for begin in (0..body.len()).step_by(size) {
                assert_eq!(said, Said::Hold, "{pieces} pieces");
                let datagram = piece(0, &body, begin..(begin + size).min(body.len()));
                said = ask(&gate, start_at(0), SENDER, &mut pool, &datagram);
            }
            let Said::Retry(_, None, cookie, _) = said else { panic!("{said:?}") };
            let again = Hello { cookie: Some(cookie), ..Hello::large() };
            let first = piece(1, &again.body(), 0..300);
            let said = ask(&gate, start_at(0), SENDER, &mut pool, &first);
            assert!(matches!(said, Said::Accept(Proven::Retry(_), None)), "its first piece is enough");
        }
    }
}

#[test]
fn a_second_hello_whose_cookie_comes_late_is_held_and_handed_on() {
    let gate = dual();
    let mut pool = gate.partial_hellos();
    let hello = Hello::large();
    let asked = ask(&gate, start_at(0), SENDER, &mut pool, &whole(0, &hello.body()));
    let second = Hello { cookie_last: true, shares: hello.shares.clone(), ..second(&hello, &asked) };
    let body = second.body();
    let mut give = |range| ask(&gate, start_at(0), SENDER, &mut pool, &piece(1, &body, range));
    assert_eq!(give(0..600), Said::Hold);
    assert_eq!(give(600..1200), Said::Hold);
    let Said::Accept(proven, Some(held)) = give(1200..body.len()) else { panic!("it is whole") };
    assert_eq!(held, body);
    assert!(proven.covers(&ClientHello::decode(&held).unwrap()));

    let forged = Hello { cookie: Some(vec![1; 57]), ..second };
    let body = forged.body();
    let mut give = |range| ask(&gate, start_at(0), SENDER, &mut pool, &piece(1, &body, range));
    assert_eq!(give(0..1200), Said::Hold);
    assert_eq!(give(1200..body.len()), ILLEGAL_PARAMETER);
    assert_eq!(say(&gate, &forged), ILLEGAL_PARAMETER, "also in one datagram");
}

#[test]
fn what_overtook_the_cookie_of_a_second_hello_is_handed_on() {
    let gate = dual();
    let mut pool = gate.partial_hellos();
    let hello = Hello::large();
    let asked = ask(&gate, start_at(0), SENDER, &mut pool, &whole(0, &hello.body()));
    let body = Hello { shares: hello.shares.clone(), ..second(&hello, &asked) }.body();
    let mut give = |range| ask(&gate, start_at(0), SENDER, &mut pool, &piece(1, &body, range));
    assert_eq!(give(600..body.len()), Said::Hold);
    let Said::Accept(proven, Some(held)) = give(0..600) else { panic!("it is whole") };
    assert_eq!(held, body);
    assert!(proven.covers(&ClientHello::decode(&held).unwrap()));
    assert_eq!(give(1200..body.len()), Said::Hold);
    assert!(
        matches!(give(0..600), Said::Accept(Proven::Retry(_), None)),
        "the association waits for the rest"
    );
}

/// A client that comes again at once over the same socket, whose second hello looks the same up to its key share.
#[test]
fn what_an_accepted_hello_left_behind_is_no_part_of_the_next_attempt() {
    let gate = dual();
    let mut pool = gate.partial_hellos();
    for random in [[1; 32], [2; 32]] {
        let hello = Hello { random, ..Hello::large() };
        let asked = ask(&gate, start_at(0), SENDER, &mut pool, &whole(0, &hello.body()));
        let body = Hello { shares: hello.shares.clone(), ..second(&hello, &asked) }.body();
        let mut give = |range| ask(&gate, start_at(0), SENDER, &mut pool, &piece(1, &body, range));
        assert!(matches!(give(0..600), Said::Accept(Proven::Retry(_), None)), "only its own pieces count");
        assert_eq!(give(600..body.len()), Said::Hold);
    }
}

#[test]
fn a_hello_of_1_2_in_pieces_is_asked_by_its_whole_where_1_3_is_admitted() {
    let hello = Hello { versions: None, ..Hello::new() };
    let body = hello.body();
    let gate_13 = dual();
    let mut pool = gate_13.partial_hellos();
    assert_eq!(ask(&gate_13, start_at(0), SENDER, &mut pool, &piece(0, &body, 0..80)), Said::Hold);
    let said = ask(&gate_13, start_at(0), SENDER, &mut pool, &piece(0, &body, 80..body.len()));
    let Said::Verify(legacy_cookie) = said else { panic!("{said:?}") };
    let body = Hello { legacy_cookie, ..hello }.body();
    let said = ask(&gate_13, start_at(0), SENDER, &mut pool, &piece(1, &body, 0..80));
    assert!(matches!(said, Said::Accept(Proven::Verify { .. }, None)), "from the first piece: {said:?}");
    // In a first piece that does not even hold the cookie.
    assert_eq!(ask(&gate_13, start_at(0), SENDER, &mut pool, &piece(1, &body, 0..40)), Said::Hold);
    let said = ask(&gate_13, start_at(0), SENDER, &mut pool, &piece(1, &body, 40..body.len()));
    assert!(matches!(&said, Said::Accept(Proven::Verify { .. }, Some(held)) if *held == body), "{said:?}");

    // A server of 1.2 alone holds nothing.
    let gate_12 = gate((V12, V12));
    let mut pool = gate_12.partial_hellos();
    let body = Hello::large().body();
    let said = ask(&gate_12, start_at(0), SENDER, &mut pool, &piece(0, &body, 0..80));
    assert!(matches!(said, Said::Verify(_)), "{said:?}");
    let said = ask(&gate_12, start_at(0), SENDER, &mut pool, &piece(0, &body, 80..200));
    assert_eq!(said, Said::Nothing(Discard::NotBeforeCookie));
}

#[test]
fn pieces_may_come_in_one_datagram() {
    let gate = dual();
    let mut pool = gate.partial_hellos();
    let body = Hello::new().body();
    let cut = |message_seq, body: &[u8]| {
        [0..50, 50..100, 100..body.len()].map(|range| piece(message_seq, body, range))
    };
    let said = ask(&gate, start_at(0), SENDER, &mut pool, &cut(0, &body).concat());
    assert!(matches!(said, Said::Retry(..)), "{said:?}");
    let body = second(&Hello::new(), &said).body();
    let said = ask(&gate, start_at(0), SENDER, &mut pool, &cut(1, &body).concat());
    assert!(matches!(&said, Said::Accept(_, Some(held)) if *held == body), "{said:?}");
    // What follows a part that is held does not undo it.
    let [first, ..] = cut(0, &body);
    let said = ask(&gate, start_at(0), SENDER, &mut pool, &[&first[..], &[22, 1, 2]].concat());
    assert_eq!(said, Said::Hold);
    // Not more than so many.
    let body = Hello::large().body();
    let crumbs: Vec<_> = (0..MAX_FRAGMENTS + 1).map(|at| piece(0, &body, at..at + 1)).collect();
    let from = Stranger { id: b"crumbs", ..SENDER };
    assert_eq!(ask(&gate, start_at(0), from, &mut pool, &crumbs.concat()), Said::Hold);
    assert_eq!(
        ask(&gate, start_at(0), from, &mut pool, &piece(0, &body, MAX_FRAGMENTS + 1..body.len())),
        Said::Hold
    );
    let said = ask(&gate, start_at(0), from, &mut pool, &crumbs[MAX_FRAGMENTS]);
    assert!(matches!(said, Said::Retry(..)), "{said:?}");
}

#[test]
fn without_a_pool_a_piece_is_dropped() {
    let gate = dual();
    let body = Hello::large().body();
    for range in [0..600, 600..1200] {
        let mut bytes = piece(0, &body, range);
        let mut datagram = Datagram::new(Path(0), &mut bytes);
        let verdict = gate.answer(start_at(0), b"client", &mut datagram, &mut [0; Gate::MAX_REPLY]);
        assert!(matches!(verdict, Verdict::Drop(Discard::NotBeforeCookie)), "{verdict:?}");
    }
}

/// The pool does not remember a flood, and hellos that fit a datagram do not notice it.
#[test]
fn threat_61_a_million_first_fragments_keep_nobody_out() {
    let gate = dual();
    let mut pool = gate.partial_hellos();
    let (large, small) = (Hello::large().body(), Hello::new().datagram());
    let mut first = piece(0, &large, 0..1100);
    let mut reply = [0; Gate::MAX_REPLY];
    for number in 0..1_000_000_u32 {
        let address = number.wrapping_mul(0x9e37_79b9).to_be_bytes();
        let start = start_at(u64::from(number) / 100);
        let from = Stranger { id: &address, network: &address[..3] };
        let mut datagram = Datagram::new(Path(0), &mut first);
        let verdict = gate.answer_or_hold(start, from, &mut datagram, &mut pool, &mut reply);
        assert!(matches!(verdict, Verdict::Hold), "{verdict:?}");
        if number % 10_000 == 0 {
            let said = ask(&gate, start, SENDER, &mut pool, &small);
            assert!(matches!(said, Said::Retry(..)), "{said:?}");
        }
    }
    // The flood has just stopped.
    let end = start_at(10_000);
    for (range, holds) in [(0..1100, true), (1100..large.len(), false)] {
        let said = ask(&gate, end, SENDER, &mut pool, &piece(0, &large, range));
        assert_eq!(matches!(said, Said::Hold), holds, "{said:?}");
        assert_eq!(matches!(said, Said::Retry(..)), !holds, "{said:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Damaged, cut and invented datagrams in any sequence: no panic, and nobody is let in.
    #[test]
    fn threat_08_no_datagram_makes_the_gate_panic(
        datagrams in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0_u8..4, any::<u8>()), 1..12,
        ),
        noise in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let gate = dual();
        let mut pool = gate.partial_hellos();
        let body = Hello { cookie: Some(vec![3; 57]), ..Hello::large() }.body();
        ask_raw(&gate, &mut pool, noise, 0);
        for (place, end, value, kind, id) in datagrams {
            let mut bytes = match kind {
                0 => whole(0, &Hello::new().body()),
                1 => piece(0, &body, 0..end.index(body.len()) + 1),
                2 => piece(0, &body, end.index(body.len())..body.len()),
                _ => piece(u16::from(value % 2), &body, 0..body.len()),
            };
            let at = place.index(bytes.len());
            bytes[at] = value;
            ask_raw(&gate, &mut pool, bytes, id % 3);
        }
    }
}

fn ask_raw(gate: &Gate, pool: &mut PartialHellos, mut bytes: Vec<u8>, id: u8) {
    let from = Stranger { id: &[id], network: &[] };
    let length = bytes.len();
    let mut reply = [0; Gate::MAX_REPLY];
    let mut datagram = Datagram::new(Path(0), &mut bytes);
    match gate.answer_or_hold(start_at(0), from, &mut datagram, pool, &mut reply) {
        // A whole that was put together has had more bytes than this datagram.
        Verdict::Refuse { length: answer, .. } | Verdict::Reply(answer) => {
            assert!(answer <= 2 * length || answer <= 200, "{answer} for {length}");
        }
        Verdict::Accept(greeting) => panic!("no cookie was right: {greeting:?}"),
        Verdict::Hold | Verdict::Drop(_) => {}
    }
}

/// A datagram has room for many fragments, and the pool for many places: they are not multiplied.
#[test]
fn the_work_for_a_datagram_does_not_grow_with_the_fragments_in_it() {
    let (gate, body) = (dual(), Hello::large().body());
    for count in [1, 2, 8, 16, 40] {
        let mut pool = gate.partial_hellos();
        for other in 0..64_u8 {
            let from = Stranger { id: &[other], network: &[other] };
            assert_eq!(ask(&gate, start_at(0), from, &mut pool, &piece(0, &body, 900..1000)), Said::Hold);
        }
        pool.take_scans();
        let pieces = |offset: usize, step: usize| -> Vec<u8> {
            let ranges = (0..count).map(|index| offset + index * step..offset + index * step + 10);
            ranges.flat_map(|range| piece(0, &body, range)).collect()
        };
        // A newcomer is looked up, and room is made for it.
        assert_eq!(ask(&gate, start_at(0), SENDER, &mut pool, &pieces(100, 20)), Said::Hold);
        assert!(pool.take_scans() <= 2, "{count} fragments of a newcomer");
        assert_eq!(ask(&gate, start_at(0), SENDER, &mut pool, &pieces(110, 20)), Said::Hold);
        assert_eq!(pool.take_scans(), 1, "{count} fragments of one that is known");
        // Of fragments that begin a hello the first counts: each could have a cookie to check.
        assert_eq!(ask(&gate, start_at(0), SENDER, &mut pool, &pieces(0, 0)), Said::Hold);
        assert_eq!(pool.take_scans(), 1, "{count} beginnings");
    }
    // What a datagram without pieces costs: its sender may have left some.
    let mut pool = gate.partial_hellos();
    assert!(matches!(ask(&gate, start_at(0), SENDER, &mut pool, &Hello::new().datagram()), Said::Retry(..)));
    assert_eq!(pool.take_scans(), 1);
}
