//! Cookies: whose they are, how long they are good, how often, and what it costs to ask for them.

use super::*;

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
