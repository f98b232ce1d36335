//! The hellos of browsers, as their WebRTC stacks send them: what they say, what the gate asks them whatever becomes of
//! their pieces on the way, whether it knows its own cookie in the answer, and what a server behind ICE negotiates.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use drystone_handshake::crypto::Side;
use drystone_handshake::message::{
    AnyServerHello, ClientHello, EncryptedExtensions, HelloVerifyRequest, ServerHello, ServerKeyExchange,
};
use drystone_handshake::{
    CipherSuiteId, Credentials, Datagram, Direction, Error, Gate, HandshakeType, Incompatibility, NamedGroup,
    Observed, Observer, Path, ProtocolVersion, ServerConfig, Settings, SrtpProfile, Stranger, Verdict,
};
use drystone_tests::alloc::measure;
use drystone_tests::capture::{self, Capture, Pieces};
use drystone_tests::clock::Clock;
use drystone_tests::counting::{counting_credential, counting_provider};
use drystone_tests::identity::{Identity, only, server_config, settings_of_both};
use drystone_tests::rogue::{Victim, cut, start};

const FOLDER: &str = "browsers";

const V12: ProtocolVersion = ProtocolVersion::DTLS_1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS_1_3;
const AES_128: CipherSuiteId = CipherSuiteId::TLS_AES_128_GCM_SHA256;
const AES_128_12: CipherSuiteId = CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
const HYBRID: NamedGroup = NamedGroup::X25519MLKEM768;
const X25519: NamedGroup = NamedGroup::X25519;

/// What a hello says. The order of its extensions is another matter: Chromium draws lots.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    /// Empty without supported_versions.
    versions: Vec<u16>,
    suites: Vec<u16>,
    groups: Vec<u16>,
    /// Groups and lengths.
    shares: Vec<(u16, usize)>,
    schemes: Vec<u16>,
    srtp: Vec<u16>,
    alpn: Vec<&'static str>,
    record_size_limit: Option<u16>,
    /// Extensions that we do not know.
    others: Vec<u16>,
}

impl Said {
    fn by_chromium() -> Self {
        Self {
            versions: vec![0xfefc, 0xfefd],
            suites: vec![
                0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014,
                0x009c, 0x002f, 0x0035,
            ],
            groups: vec![0x11ec, 29, 23, 24],
            shares: vec![(0x11ec, 1216), (29, 32)],
            schemes: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201],
            srtp: vec![1, 8, 7],
            alpn: vec![],
            record_size_limit: None,
            others: vec![],
        }
    }

    fn by_chromium_without_hybrid() -> Self {
        Self { groups: vec![29, 23, 24], shares: vec![(29, 32)], ..Self::by_chromium() }
    }

    fn by_firefox() -> Self {
        Self {
            // 0x0303 is TLS 1.2, which nobody negotiates here.
            versions: vec![0xfefc, 0xfefd, 0x0303],
            suites: vec![0x1301, 0x1303, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc00a, 0xc009, 0xc013, 0xc014],
            // The last two are finite fields of RFC 7919.
            groups: vec![0x11ec, 29, 23, 24, 256, 257],
            shares: vec![(0x11ec, 1216), (29, 32)],
            schemes: vec![
                0x0403, 0x0503, 0x0603, 0x0203, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201,
                0x0402, 0x0502, 0x0602, 0x0202,
            ],
            srtp: vec![7, 8, 1, 2],
            alpn: vec!["webrtc", "c-webrtc"],
            record_size_limit: Some(0x4001),
            // delegated_credential (RFC 9345).
            others: vec![34],
        }
    }

    fn by_firefox_without_hybrid_share() -> Self {
        Self { groups: vec![29, 0x11ec, 23, 24, 256, 257], shares: vec![(29, 32)], ..Self::by_firefox() }
    }

    fn by_firefox_of_12() -> Self {
        let suites = Self::by_firefox().suites.split_off(2);
        let record_size_limit = Some(0x4000);
        Self {
            versions: vec![],
            suites,
            groups: vec![29, 23, 24],
            shares: vec![],
            record_size_limit,
            others: vec![],
            ..Self::by_firefox()
        }
    }
}

/// A kind of hello, and the recordings of it.
struct Kind {
    /// The file in which nobody answers.
    name: &'static str,
    said: fn() -> Said,
    /// Endings of the names of those in which the gate answers.
    asked: &'static [&'static str],
    /// What a server of both versions makes of it without asking for a cookie.
    terms: Terms,
}

/// What is negotiated first.
#[derive(Debug, PartialEq, Eq)]
enum Terms {
    Agreed(ProtocolVersion, CipherSuiteId, NamedGroup),
    /// A HelloRetryRequest for a share of this group.
    Asked(NamedGroup),
    NoCommonVersion,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "chromium-156-hybrid",
        said: Said::by_chromium,
        asked: &["retry", "verify"],
        terms: Terms::Agreed(V13, AES_128, HYBRID),
    },
    Kind {
        name: "chromium-156-x25519",
        said: Said::by_chromium_without_hybrid,
        asked: &["retry"],
        terms: Terms::Agreed(V13, AES_128, X25519),
    },
    Kind {
        name: "firefox-153-hybrid",
        said: Said::by_firefox,
        asked: &["retry", "verify"],
        terms: Terms::Agreed(V13, AES_128, HYBRID),
    },
    Kind {
        name: "firefox-153-x25519",
        said: Said::by_firefox_without_hybrid_share,
        asked: &["retry"],
        terms: Terms::Asked(HYBRID),
    },
    Kind {
        name: "firefox-153-dtls12",
        said: Said::by_firefox_of_12,
        asked: &["verify"],
        terms: Terms::Agreed(V12, AES_128_12, X25519),
    },
];

impl Kind {
    fn offers_13(&self) -> bool {
        !(self.said)().versions.is_empty()
    }

    /// The flights that nobody answered: the first one, and its repeats.
    fn flights(&self) -> Vec<Flight> {
        flights(&Capture::load(FOLDER, self.name))
    }

    /// The recordings in which the gate answers, with whether it asks in the way of DTLS 1.3.
    fn asked(&self) -> impl Iterator<Item = (Capture, bool)> {
        let load = |ending: &&str| Capture::load(FOLDER, &format!("{}-{ending}", self.name));
        self.asked.iter().map(move |ending| (load(ending), *ending == "retry"))
    }

    /// What is negotiated with a server of these versions.
    fn terms_with(&self, versions: &[ProtocolVersion]) -> Terms {
        match self.terms {
            Terms::Agreed(version, suite, group) if versions.contains(&version) => {
                Terms::Agreed(version, suite, group)
            }
            Terms::Asked(group) if versions.contains(&V13) => Terms::Asked(group),
            _ if versions.contains(&V12) => Terms::Agreed(V12, AES_128_12, X25519),
            _ => Terms::NoCommonVersion,
        }
    }
}

/// A hello, and the datagrams that it came in.
struct Flight {
    datagrams: Vec<Vec<u8>>,
    message_seq: u16,
    body: Vec<u8>,
}

/// The flights of a client, in which nothing is lost.
fn flights(capture: &Capture) -> Vec<Flight> {
    let (mut flights, mut datagrams, mut pieces) = (Vec::new(), Vec::new(), Pieces::default());
    for recorded in capture.datagrams.iter().filter(|recorded| recorded.sender == Side::Client) {
        datagrams.push(recorded.bytes.clone());
        let [record] = &cut(&recorded.bytes)[..] else { panic!("{}", recorded.info) };
        let (hello, rest) = pieces.take(&record.body);
        assert!(rest.is_empty());
        if let Some(hello) = hello {
            assert_eq!(hello.msg_type, HandshakeType::CLIENT_HELLO);
            let datagrams = core::mem::take(&mut datagrams);
            flights.push(Flight { datagrams, message_seq: hello.message_seq, body: hello.body });
        }
    }
    assert!(pieces.is_empty());
    flights
}

/// A server's settings, with the extensions of WebRTC.
fn settings(versions: &[ProtocolVersion]) -> Settings {
    let mut settings = settings_of_both();
    if let [version] = versions {
        settings = only(*version, settings);
    }
    settings.srtp_profiles = vec![SrtpProfile::AEAD_AES_256_GCM, SrtpProfile::AES128_CM_HMAC_SHA1_80];
    settings
}

// ---- what they say ----

#[test]
fn no_recording_is_forgotten() {
    let answered =
        |kind: &Kind| kind.asked.iter().map(|way| format!("{}-{way}", kind.name)).collect::<Vec<_>>();
    let listed: BTreeSet<_> =
        KINDS.iter().flat_map(|kind| [vec![kind.name.to_owned()], answered(kind)].concat()).collect();
    assert_eq!(listed, capture::names(FOLDER));
}

fn said(hello: &ClientHello<'_>) -> Said {
    let extensions = &hello.extensions;
    let alpn = extensions.alpn.into_iter().flatten().map(|protocol| match protocol.name {
        b"webrtc" => "webrtc",
        b"c-webrtc" => "c-webrtc",
        other => panic!("{other:?}"),
    });
    let shares = extensions.key_share.into_iter().flatten();
    let versions = extensions.supported_versions.into_iter().flatten();
    let profiles = extensions.use_srtp.expect("use_srtp");
    assert_eq!(profiles.srtp_mki, b"");
    Said {
        versions: versions.map(|version| version.0).collect(),
        suites: hello.cipher_suites.iter().map(|suite| suite.0).collect(),
        groups: extensions.supported_groups.into_iter().flatten().map(|group| group.0).collect(),
        shares: shares.map(|share| (share.group.0, share.key_exchange.len())).collect(),
        schemes: extensions.signature_algorithms.into_iter().flatten().map(|scheme| scheme.0).collect(),
        srtp: profiles.profiles.iter().map(|profile| profile.0).collect(),
        alpn: alpn.collect(),
        record_size_limit: extensions.record_size_limit.map(|limit| limit.get()),
        others: extensions.others.iter().map(|extension| extension.extension_type.0).collect(),
    }
}

#[test]
fn every_hello_says_what_its_browser_was_set_to() {
    for kind in &KINDS {
        let unanswered = Capture::load(FOLDER, kind.name);
        for capture in kind.asked().map(|(capture, _)| capture).chain([unanswered]) {
            for Flight { body, message_seq, .. } in flights(&capture) {
                let hello = ClientHello::decode(&body).unwrap();
                assert_eq!((hello.client_version, hello.session_id), (V12, &[][..]), "{}", kind.name);
                assert_eq!(hello.compression_methods, [0], "{}", kind.name);
                assert!(hello.extensions.extended_master_secret.is_some(), "{}", kind.name);
                assert_eq!(hello.extensions.renegotiation_info, Some(&[][..]), "{}", kind.name);
                let mut expected = (kind.said)();
                if message_seq == 1 && matches!(kind.terms, Terms::Asked(_)) {
                    // The share that was asked for, alone (RFC 9846 section 4.2.2).
                    expected.shares = vec![(0x11ec, 1216)];
                }
                assert_eq!(said(&hello), expected, "{}", kind.name);
            }
        }
    }
}

/// The front of a hello, without its cookie, and its extensions as they stand.
type Layout<'a> = (Vec<&'a [u8]>, Vec<(u16, &'a [u8])>);

/// Finds its way through a hello without our codec.
fn layout(hello: &[u8]) -> Layout<'_> {
    fn number(bytes: &[u8]) -> usize {
        bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    }
    fn vector<'a>(rest: &mut &'a [u8], prefix: usize) -> &'a [u8] {
        let (length, after) = rest.split_at(prefix);
        let (content, after) = after.split_at(number(length));
        *rest = after;
        content
    }
    let (version_and_random, mut rest) = hello.split_at(2 + 32);
    let [session_id, _cookie] = [vector(&mut rest, 1), vector(&mut rest, 1)];
    let front = vec![version_and_random, session_id, vector(&mut rest, 2), vector(&mut rest, 1)];
    let mut block = vector(&mut rest, 2);
    assert!(rest.is_empty());
    let mut extensions = Vec::new();
    while !block.is_empty() {
        let (extension_type, rest) = block.split_at(2);
        block = rest;
        extensions.push((number(extension_type) as u16, vector(&mut block, 2)));
    }
    (front, extensions)
}

/// Written again, only the order of the extensions is ours.
#[test]
fn nothing_of_a_hello_is_lost_in_reading() {
    for kind in &KINDS {
        for (capture, _) in kind.asked() {
            for Flight { body, .. } in flights(&capture) {
                let hello = ClientHello::decode(&body).unwrap();
                let mut written = Vec::new();
                hello.encode(&mut written).unwrap();
                let (mut theirs, mut ours) = (layout(&body), layout(&written));
                theirs.1.sort_unstable();
                ours.1.sort_unstable();
                assert_eq!(ours, theirs, "{}", kind.name);
                assert_eq!(ClientHello::decode(&written).unwrap().prefix(), hello.prefix(), "{}", kind.name);
            }
        }
    }
}

/// RFC 9846 section 4.2.2, RFC 6347 section 4.2.1: what browsers change in the second hello, and what not.
#[test]
fn the_second_hello_repeats_the_first() {
    const COOKIE: u16 = 44;
    const KEY_SHARE: u16 = 51;
    for kind in &KINDS {
        for (capture, retried) in kind.asked() {
            let [first, second] = &flights(&capture)[..] else { panic!("{}: two hellos", kind.name) };
            assert_eq!([first.message_seq, second.message_seq], [0, 1]);
            let (mut before, mut after) = (layout(&first.body), layout(&second.body));
            let has_cookie = after.1.iter().any(|(extension_type, _)| *extension_type == COOKIE);
            assert_eq!(has_cookie, retried, "{}", kind.name);
            let asked_for_share = retried && matches!(kind.terms, Terms::Asked(_));
            for (_, extensions) in [&mut before, &mut after] {
                extensions.retain(|(extension_type, _)| {
                    *extension_type != COOKIE && !(asked_for_share && *extension_type == KEY_SHARE)
                });
            }
            assert_eq!(after, before, "{}", kind.name);
        }
    }
}

// ---- before a cookie ----

/// What the gate says to a hello.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Verify,
    Retry(CipherSuiteId, Option<NamedGroup>),
    Alert(u8),
}

impl Answer {
    fn of(reply: &[u8]) -> Self {
        let [record] = &cut(reply)[..] else { panic!("one record") };
        match record.content_type {
            21 => Self::Alert(record.body[1]),
            22 if record.body[0] == HandshakeType::HELLO_VERIFY_REQUEST.0 => {
                assert!(!HelloVerifyRequest::decode(&record.body[12..]).unwrap().cookie.is_empty());
                Self::Verify
            }
            22 => match AnyServerHello::decode(&record.body[12..]).unwrap() {
                AnyServerHello::Retry(request) => {
                    assert_eq!(request.extensions.supported_versions, Some(V13));
                    assert!(request.extensions.cookie.is_some());
                    Self::Retry(request.cipher_suite, request.extensions.key_share)
                }
                AnyServerHello::Hello(hello) => panic!("{hello:?}"),
            },
            other => panic!("{other}"),
        }
    }

    /// The one that a kind of hello deserves at a server of these versions.
    fn expected(kind: &Kind, versions: &[ProtocolVersion]) -> Self {
        match kind.terms_with(versions) {
            Terms::Agreed(V12, ..) => Self::Verify,
            Terms::Agreed(_, suite, _) => Self::Retry(suite, None),
            Terms::Asked(group) => Self::Retry(AES_128, Some(group)),
            Terms::NoCommonVersion => Self::Alert(70),
        }
    }
}

/// The datagrams of a hello as networks deliver them.
fn deliveries(flights: &[Flight]) -> [(&'static str, Vec<Vec<u8>>); 5] {
    let (first, last) = (&flights[0].datagrams, &flights.last().unwrap().datagrams);
    let reversed: Vec<_> = first.iter().rev().cloned().collect();
    let doubled = first.iter().flat_map(|datagram| [datagram.clone(), datagram.clone()]).collect();
    // The front of the first flight and the end of its last repeat, which may be cut elsewhere.
    let mixed = vec![first[0].clone(), last.last().unwrap().clone()];
    let with_repeats = flights.iter().flat_map(|flight| flight.datagrams.clone()).collect();
    [
        ("in order", first.clone()),
        ("reversed", reversed),
        ("doubled", doubled),
        ("mixed", mixed),
        ("with its repeats", with_repeats),
    ]
}

#[test]
fn threat_61_62_every_delivery_of_a_browsers_hello_is_asked_for_a_cookie_and_costs_nothing() {
    for versions in [&[V12, V13][..], &[V13], &[V12]] {
        for kind in &KINDS {
            for (way, datagrams) in deliveries(&kind.flights()) {
                let what = format!("{} {way} before {versions:?}", kind.name);
                let (provider, groups) = counting_provider();
                let (credential, signatures) = counting_credential(Identity::p256());
                let mut settings = settings(versions);
                settings.provider = provider;
                let config = ServerConfig::new(settings, Credentials::single(credential)).unwrap();
                let answers = answers(&Gate::new(&config).unwrap(), datagrams, &what);
                assert_eq!((groups.get(), signatures.get()), (0, 0), "{what}");
                assert_eq!(answers.first(), Some(&Answer::expected(kind, versions)), "{what}");
                // Copies get the same answer.
                assert!(answers.iter().all(|answer| Some(answer) == answers.first()), "{what}: {answers:?}");
            }
        }
    }
}

/// What a gate answers to these datagrams of one client.
fn answers(gate: &Gate, datagrams: Vec<Vec<u8>>, what: &str) -> Vec<Answer> {
    let from = Stranger { id: b"browser", network: b"network" };
    let (start, mut partial) = (start(&Clock::new()), gate.partial_hellos());
    let (mut answers, mut received, mut sent) = (Vec::new(), 0, 0);
    for mut bytes in datagrams {
        received += bytes.len();
        let mut reply = [0; Gate::MAX_REPLY];
        let mut datagram = Datagram::new(Path::default(), &mut bytes);
        let (verdict, heap) =
            measure(|| gate.answer_or_hold(start, from, &mut datagram, &mut partial, &mut reply));
        assert_eq!(heap.count, 0, "{what}: {verdict:?}");
        match verdict {
            Verdict::Reply(length) | Verdict::Refuse { length, .. } => {
                sent += length;
                answers.push(Answer::of(&reply[..length]));
            }
            Verdict::Hold | Verdict::Drop(_) => (),
            Verdict::Accept(_) => panic!("{what}: there was no cookie"),
        }
        assert!(sent <= received, "{what}: {sent} bytes for {received}");
    }
    answers
}

/// The gate asks as it did when the hellos were recorded, and lets the second ones in by its cookie, wherever that is.
#[test]
fn the_gate_knows_its_cookie_in_a_browsers_second_hello() {
    for kind in &KINDS {
        for (capture, retried) in kind.asked() {
            let versions = if retried || !kind.offers_13() { &[V12, V13][..] } else { &[V12] };
            let [_, second] = &flights(&capture)[..] else { panic!("two hellos") };
            for reversed in [false, true] {
                let seen = Arc::new(Sent::default());
                let mut settings = settings(versions);
                settings.observer = Some(seen.clone());
                let mut server = Victim::server(server_config(settings, Identity::p256()));
                let cookies = replay_question(&mut server, &capture, second.datagrams.len());
                let mut datagrams = second.with_cookie(&cookies);
                if reversed {
                    datagrams.reverse();
                    if versions == [V12] {
                        // A server of DTLS 1.2 alone has no memory for what overtook the cookie: the client repeats it.
                        datagrams.push(datagrams[0].clone());
                    }
                }
                let flight: Vec<_> = datagrams.iter().flat_map(|datagram| server.give(datagram)).collect();
                assert!(!flight.is_empty(), "{} {reversed}: {:?}", kind.name, server.error());
                let terms = match kind.terms_with(versions) {
                    Terms::Asked(group) => Terms::Agreed(V13, AES_128, group),
                    terms => terms,
                };
                assert_eq!(seen.terms(), terms, "{} {reversed}", kind.name);
            }
        }
    }
}

/// A recorded cookie, and the one that the gate gives in its place now.
struct Cookies {
    recorded: Vec<u8>,
    fresh: Vec<u8>,
}

impl Cookies {
    /// Those of two answers, which are the same otherwise.
    fn of(recorded: &[u8], fresh: &[u8]) -> Self {
        let cookies = Self { recorded: cookie_of(recorded), fresh: cookie_of(fresh) };
        assert_eq!(cookies.renew(recorded), fresh);
        cookies
    }

    /// Puts the fresh cookie in the place of the recorded one.
    fn renew(&self, bytes: &[u8]) -> Vec<u8> {
        let Self { recorded, fresh } = self;
        assert_eq!(
            recorded.len(),
            fresh.len(),
            "cookies have another form now: record the second hellos anew"
        );
        let places = bytes.windows(recorded.len()).enumerate().filter(|(_, window)| window == recorded);
        let [(place, _)] = places.collect::<Vec<_>>()[..] else { panic!("one cookie") };
        [&bytes[..place], fresh, &bytes[place + fresh.len()..]].concat()
    }
}

/// The cookie that a gate gives in this answer.
fn cookie_of(reply: &[u8]) -> Vec<u8> {
    let body = &cut(reply)[0].body[12..];
    match AnyServerHello::decode(body) {
        Ok(AnyServerHello::Retry(request)) => request.extensions.cookie.expect("a cookie").to_vec(),
        _ => HelloVerifyRequest::decode(body).expect("one of the two questions").cookie.to_vec(),
    }
}

impl Flight {
    /// The datagrams, cut where they were, with a fresh cookie.
    fn with_cookie(&self, cookies: &Cookies) -> Vec<Vec<u8>> {
        const HEADERS: usize = 13 + 12;
        let body = cookies.renew(&self.body);
        let mut rest = &body[..];
        let renewed = self.datagrams.iter().map(|datagram| {
            let (headers, payload) = datagram.split_at(HEADERS);
            let (fresh, after) = rest.split_at(payload.len());
            rest = after;
            [headers, fresh].concat()
        });
        renewed.collect()
    }
}

/// Hands a server all but the last datagrams of a client, in the recorded order; it answers what is recorded.
fn replay_question(server: &mut Victim, capture: &Capture, last: usize) -> Cookies {
    let (mut answers, mut cookies) = (Vec::new(), None);
    let end = capture.datagrams.len() - last;
    for recorded in &capture.datagrams[..end] {
        match recorded.sender {
            Side::Client => answers.extend(server.give(&recorded.bytes)),
            Side::Server => {
                let answer = answers.pop().expect("an answer");
                cookies = Some(Cookies::of(&recorded.bytes, &answer));
            }
        }
    }
    assert!(answers.is_empty() && server.connection.is_none());
    cookies.expect("a question")
}

// ---- behind ICE ----

/// The messages that a server has sent.
#[derive(Debug, Default)]
struct Sent(Mutex<Vec<(HandshakeType, Vec<u8>)>>);

impl Observer for Sent {
    fn observe(&self, direction: Direction, item: Observed<'_>) {
        if let (Direction::Sent, Observed::Handshake { msg_type, body, .. }) = (direction, item) {
            self.0.lock().unwrap().push((msg_type, body.to_vec()));
        }
    }
}

impl Sent {
    fn types(&self) -> Vec<HandshakeType> {
        self.0.lock().unwrap().iter().map(|(msg_type, _)| *msg_type).collect()
    }

    /// The body of the one message of a type.
    fn body(&self, msg_type: HandshakeType) -> Vec<u8> {
        let sent = self.0.lock().unwrap();
        let [(_, body)] = &sent.iter().filter(|(other, _)| *other == msg_type).collect::<Vec<_>>()[..] else {
            panic!("{msg_type} in {:?}", sent.iter().map(|(msg_type, _)| msg_type).collect::<Vec<_>>());
        };
        body.clone()
    }

    fn terms(&self) -> Terms {
        if self.types().is_empty() {
            return Terms::NoCommonVersion;
        }
        let body = self.body(HandshakeType::SERVER_HELLO);
        match AnyServerHello::decode(&body).unwrap() {
            AnyServerHello::Retry(request) => Terms::Asked(request.extensions.key_share.expect("a group")),
            AnyServerHello::Hello(hello) => match hello.extensions.key_share {
                Some(share) => Terms::Agreed(V13, hello.cipher_suite, share.group),
                None => {
                    let exchange = self.body(HandshakeType::SERVER_KEY_EXCHANGE);
                    let exchange = ServerKeyExchange::decode(&exchange).unwrap();
                    Terms::Agreed(hello.server_version, hello.cipher_suite, exchange.params.named_group())
                }
            },
        }
    }

    /// The profile of SRTP and the protocol that were chosen, wherever the version has them.
    fn extensions(&self, version: ProtocolVersion) -> (Option<SrtpProfile>, Option<Vec<u8>>) {
        if version == V13 {
            let body = self.body(HandshakeType::ENCRYPTED_EXTENSIONS);
            let extensions = EncryptedExtensions::decode(&body).unwrap();
            let protocol = extensions.alpn.map(|protocol| protocol.name.to_vec());
            return (extensions.use_srtp.map(|answer| answer.profile), protocol);
        }
        let body = self.body(HandshakeType::SERVER_HELLO);
        let extensions = ServerHello::decode(&body).unwrap().extensions;
        assert!(extensions.extended_master_secret.is_some() && extensions.renegotiation_info.is_some());
        let protocol = extensions.alpn.map(|protocol| protocol.name.to_vec());
        (extensions.use_srtp.map(|answer| answer.profile), protocol)
    }
}

#[test]
fn a_server_behind_ice_negotiates_the_best_that_a_browser_has() {
    const PROFILES: [SrtpProfile; 2] = [SrtpProfile::AEAD_AES_256_GCM, SrtpProfile::AES128_CM_HMAC_SHA1_80];
    for versions in [&[V12, V13][..], &[V13], &[V12]] {
        for kind in &KINDS {
            for (way, datagrams) in deliveries(&kind.flights()) {
                for profile in PROFILES {
                    let what = format!("{} {way} before {versions:?}, {profile}", kind.name);
                    let seen = Arc::new(Sent::default());
                    let mut settings = settings(versions);
                    settings.srtp_profiles = vec![profile];
                    settings.alpn = vec![b"webrtc".to_vec()];
                    settings.observer = Some(seen.clone());
                    let config = server_config(settings, Identity::p256());
                    // Only DTLS 1.3 can be limited.
                    let limit = (versions == [V13]).then_some(3);
                    let config = match limit {
                        None => config,
                        Some(times) => {
                            let config = Arc::into_inner(config).expect("nobody else has it");
                            Arc::new(config.with_amplification_limit(times).unwrap())
                        }
                    };
                    let mut server = Victim::server_without_cookie(config);
                    let terms = kind.terms_with(versions);
                    negotiate(&mut server, &datagrams, &terms, limit, &what);
                    assert_eq!(seen.terms(), terms, "{what}");
                    let protocol = (kind.said)().alpn.first().map(|name| name.as_bytes().to_vec());
                    if let Terms::Agreed(version, ..) = terms {
                        assert_eq!(seen.types(), flight_of(version), "{what}");
                        assert_eq!(seen.extensions(version), (Some(profile), protocol), "{what}");
                    }
                }
            }
        }
    }
}

/// A server hears a hello, and answers no more than its limit (RFC 9147 section 5.1), if it has one.
fn negotiate(server: &mut Victim, datagrams: &[Vec<u8>], terms: &Terms, limit: Option<u32>, what: &str) {
    let (mut received, mut sent) = (0, 0);
    for datagram in datagrams {
        received += datagram.len();
        sent += server.give(datagram).iter().map(Vec::len).sum::<usize>();
        let most = limit.map_or(usize::MAX, |times| times as usize * received);
        assert!(sent <= most, "{what}: {sent} bytes for {received}");
    }
    assert!(sent > 0, "{what}");
    let expected =
        (*terms == Terms::NoCommonVersion).then_some(Error::Incompatible(Incompatibility::Version));
    assert_eq!(server.error(), expected.as_ref(), "{what}");
}

/// The types of a server's first flight with a certificate.
fn flight_of(version: ProtocolVersion) -> Vec<HandshakeType> {
    let types: &[HandshakeType] = match version {
        V12 => &[
            HandshakeType::SERVER_HELLO,
            HandshakeType::CERTIFICATE,
            HandshakeType::SERVER_KEY_EXCHANGE,
            HandshakeType::SERVER_HELLO_DONE,
        ],
        _ => &[
            HandshakeType::SERVER_HELLO,
            HandshakeType::ENCRYPTED_EXTENSIONS,
            HandshakeType::CERTIFICATE,
            HandshakeType::CERTIFICATE_VERIFY,
            HandshakeType::FINISHED,
        ],
    };
    types.to_vec()
}
