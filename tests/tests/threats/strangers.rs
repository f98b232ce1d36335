//! Before an address is proved: no memory, no asymmetric operation, no amplification (threats 40, 53, 54, 57, 61, 62).

use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::crypto::Side;
use drystone_handshake::message::{ClientHello, HelloVerifyRequest};
use drystone_handshake::{
    ClientAuth, Connection, CookieSettings, Credentials, Datagram, Error, Event, Gate, HandshakeType, Path,
    ProtocolVersion, ServerConfig, Verdict,
};
use drystone_record::{ContentType, RecordNumber};
use drystone_tests::alloc::measure;
use drystone_tests::clock::Clock;
use drystone_tests::counting::{Counter, CountingVerifier, counting_credential, counting_provider};
use drystone_tests::identity::{Identity, client_config, server_config, settings};
use drystone_tests::random::SplitMix64;
use drystone_tests::rogue::{
    CLIENT_STEPS, Duel, Rogue, SERVER_STEPS, Step, Victim, cut, fragment_header, raw_record, start,
};

fn gate() -> Gate {
    Gate::new(&server_config(settings(), Identity::p256())).unwrap()
}

fn ask(gate: &Gate, clock: &Clock, peer: &[u8], datagram: &[u8]) -> Verdict {
    let mut bytes = datagram.to_vec();
    gate.answer(
        start(clock),
        peer,
        &mut Datagram::new(Path::default(), &mut bytes),
        &mut [0; Gate::MAX_REPLY],
    )
}

fn hello(rogue: &mut Rogue) -> Vec<u8> {
    rogue.perform(Step::ClientHello)
}

/// A rogue client that has been asked for a cookie by this gate.
fn with_cookie(gate: &Gate, clock: &Clock, peer: &[u8]) -> Rogue {
    let mut rogue = Rogue::new(Side::Client, Identity::p256());
    let mut bytes = hello(&mut rogue);
    let mut reply = [0; Gate::MAX_REPLY];
    let mut datagram = Datagram::new(Path::default(), &mut bytes);
    let Verdict::Reply(length) = gate.answer(start(clock), peer, &mut datagram, &mut reply) else {
        panic!("a stranger is asked for a cookie")
    };
    rogue.hear([&reply[..length]]);
    assert_eq!(rogue.cookie.len(), 21);
    rogue
}

#[test]
fn threat_53_without_a_cookie_no_more_goes_out_than_comes_in() {
    let (gate, clock) = (gate(), Clock::new());
    let mut rogue = Rogue::new(Side::Client, Identity::p256());
    let hello = rogue.message(Step::ClientHello);
    let mut shortest_answered = usize::MAX;
    for length in 0..=hello.body.len() {
        let fragment = hello.fragment(0, length);
        let datagram = rogue.handshake_record(&fragment);
        let size = datagram.len();
        match ask(&gate, &clock, b"victim", &datagram) {
            Verdict::Reply(reply) | Verdict::Refuse { length: reply, .. } => {
                assert!(reply <= size, "{reply} bytes for {size}");
                shortest_answered = shortest_answered.min(size);
            }
            Verdict::Drop(_) | Verdict::Hold => {}
            Verdict::Accept(_) => panic!("there was no cookie"),
        }
    }
    assert!(shortest_answered < 100, "the first part of a hello is enough for an answer");
    // The shortest thing that is a hello at all.
    let tiny =
        [&fragment_header(HandshakeType::CLIENT_HELLO, 36, 0, 0, 36)[..], &[0xfe, 0xfd], &[1; 32], &[0, 0]];
    let tiny = rogue.handshake_record(&tiny.concat());
    if let Verdict::Reply(reply) | Verdict::Refuse { length: reply, .. } =
        ask(&gate, &clock, b"victim", &tiny)
    {
        assert!(reply <= tiny.len(), "{reply} bytes for {}", tiny.len());
    }
}

#[test]
fn threat_54_wrong_truncated_foreign_and_expired_cookies_are_asked_again() {
    let (gate, mut clock) = (gate(), Clock::new());
    let rogue = with_cookie(&gate, &clock, b"client");
    let cookie = rogue.cookie.clone();
    let with = |cookie: &[u8]| {
        let mut rogue = Rogue::new(Side::Client, Identity::p256());
        rogue.cookie = cookie.to_vec();
        hello(&mut rogue)
    };
    let accepted = |clock: &Clock, peer: &[u8], cookie: &[u8]| {
        matches!(ask(&gate, clock, peer, &with(cookie)), Verdict::Accept(_))
    };
    assert!(accepted(&clock, b"client", &cookie));
    assert!(accepted(&clock, b"client", &cookie), "a repeat of its own address is a retransmission");
    for bit in 0..cookie.len() * 8 {
        let mut wrong = cookie.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(!accepted(&clock, b"client", &wrong), "bit {bit}");
    }
    for length in 0..cookie.len() {
        assert!(!accepted(&clock, b"client", &cookie[..length]), "{length} bytes of it");
    }
    assert!(!accepted(&clock, b"client", &[&cookie[..], &[0]].concat()));
    // Real ids have all the same length: the bytes count.
    assert!(!accepted(&clock, b"tneilc", &cookie), "another address");
    clock.advance(Duration::from_secs(60));
    assert!(accepted(&clock, b"client", &cookie), "for a minute");
    clock.advance(Duration::from_secs(17));
    assert!(
        !accepted(&clock, b"client", &cookie),
        "expired: a minute and the step of 16 s that dates are rounded to"
    );
}

/// Another hello with the same cookie: what the cookie binds is not the same.
#[test]
fn threat_54_a_cookie_of_another_hello_is_refused() {
    let (gate, clock) = (gate(), Clock::new());
    let mut rogue = with_cookie(&gate, &clock, b"client");
    rogue.randoms.client = [0x77; 32];
    assert!(matches!(ask(&gate, &clock, b"client", &hello(&mut rogue)), Verdict::Reply(_)));
}

/// The first fragment has the good cookie, and the rest belongs to another hello.
#[test]
fn threat_54_the_cookie_is_checked_against_the_whole_hello_again() {
    let identity = Identity::p256();
    let mut duel = Duel::with_server(Victim::server(server_config(settings(), identity)), identity);
    duel.play(&[Step::ClientHello]);
    let good = duel.rogue.message(Step::ClientHello);
    let mut other = good.clone();
    other.body[2 + 5] ^= 1;
    // In front of the association, a whole hello with another random and the same cookie.
    let first = duel.rogue.handshake_record(&good.fragment(0, 100));
    duel.give(&first);
    assert!(duel.victim.connection.is_some());
    let whole = duel.rogue.handshake_record(&other.to_bytes());
    duel.give(&whole);
    assert!(!duel.victim.is_connected());
    assert!(duel.victim.error().is_some(), "the whole is not what the cookie was for");
    assert_eq!(duel.rogue.alerts(), [47], "illegal_parameter");
}

#[test]
fn threat_54_servers_that_share_a_secret_accept_each_others_cookies() {
    let config = |secret: u8| {
        let mut cookies = CookieSettings::default();
        cookies.secret = Some([secret; 32].into());
        let config =
            ServerConfig::new(settings(), Credentials::single(Identity::p256().credential())).unwrap();
        Gate::new(&config.with_cookies(cookies).unwrap()).unwrap()
    };
    let clock = Clock::new();
    let mut rogue = with_cookie(&config(1), &clock, b"client");
    let second = hello(&mut rogue);
    assert!(matches!(ask(&config(1), &clock, b"client", &second), Verdict::Accept(_)));
    assert!(matches!(ask(&config(2), &clock, b"client", &second), Verdict::Reply(_)));
}

#[test]
fn threat_57_a_client_answers_three_cookies_and_no_more() {
    let identity = Identity::p256();
    let mut duel = Duel::with_client(Victim::client(client_config(settings(), identity)), identity);
    for number in 1..=4 {
        duel.rogue.next_message_seq = 0;
        duel.rogue.cookie = vec![number; 20];
        let question = duel.rogue.perform(Step::HelloVerifyRequest);
        let answers = duel.give(&question);
        assert_eq!(answers, 1, "cookie {number}: a hello, or an alert");
        assert_eq!(duel.victim.error().is_some(), number == 4, "cookie {number}");
    }
    assert_eq!(duel.rogue.alerts(), [10], "unexpected_message");
}

#[test]
fn threat_57_copies_of_a_question_are_not_answered() {
    let identity = Identity::p256();
    let mut duel = Duel::with_client(Victim::client(client_config(settings(), identity)), identity);
    duel.rogue.cookie = vec![5; 20];
    let question = duel.rogue.message(Step::HelloVerifyRequest).to_bytes();
    let mut answers = 0;
    for _ in 0..100 {
        let copy = duel.rogue.handshake_record(&question);
        answers += duel.give(&copy);
    }
    assert_eq!(answers, 1);
    duel.play(&SERVER_STEPS);
    assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
    duel.talk();
}

#[test]
fn threat_57_the_answer_to_each_of_three_cookies_connects() {
    for questions in 1..=3 {
        let identity = Identity::p256();
        let mut duel = Duel::with_client(Victim::client(client_config(settings(), identity)), identity);
        for number in 0..questions {
            duel.rogue.next_message_seq = 0;
            duel.rogue.cookie = vec![number; 10 + usize::from(number)];
            duel.play(&[Step::HelloVerifyRequest]);
            let hello = duel.rogue.last(HandshakeType::CLIENT_HELLO).unwrap();
            assert_eq!(ClientHello::decode(&hello.body).unwrap().cookie, duel.rogue.cookie);
        }
        duel.play(&SERVER_STEPS);
        assert!(duel.victim.is_connected(), "{questions} questions: {:?}", duel.victim.error());
    }
}

/// A HelloVerifyRequest is a handshake message as any other: its fragments come in any order, more than once, and with
/// planted ones among them.
#[test]
fn threat_57_a_question_in_fragments_is_answered_once() {
    let identity = Identity::p256();
    for (size, reversed) in [(1, false), (1, true), (9, true), (30, false)] {
        let mut duel = Duel::with_client(Victim::client(client_config(settings(), identity)), identity);
        duel.rogue.cookie = (0..32).collect();
        let question = duel.rogue.message(Step::HelloVerifyRequest);
        let mut pieces = question.fragments(size);
        if reversed {
            pieces.reverse();
        }
        let plant =
            [&fragment_header(HandshakeType::HELLO_VERIFY_REQUEST, 200, 0, 50, 3)[..], &[7; 3]].concat();
        let mut answers = 0;
        for bytes in [&[plant][..], &pieces, &pieces].into_iter().flatten() {
            let number = RecordNumber { epoch: 0, sequence: 0 };
            answers += duel.give(&raw_record(ContentType::HANDSHAKE, number, bytes));
        }
        assert_eq!(answers, 1, "pieces of {size}");
        let hello = duel.rogue.last(HandshakeType::CLIENT_HELLO).unwrap();
        assert_eq!(ClientHello::decode(&hello.body).unwrap().cookie, duel.rogue.cookie);
        assert_eq!(duel.victim.connection().buffered_bytes(), 0);
        duel.play(&SERVER_STEPS);
        assert!(duel.victim.is_connected(), "pieces of {size}: {:?}", duel.victim.error());
        duel.talk();
    }
}

/// RFC 6347 section 4.3.2: `opaque cookie<0..2^8-1>`. The empty cookie asks for the same hello with the next number.
#[test]
fn threat_57_an_empty_cookie_is_answered_once() {
    let identity = Identity::p256();
    let mut duel = Duel::with_client(Victim::client(client_config(settings(), identity)), identity);
    let question = duel.rogue.message(Step::HelloVerifyRequest).to_bytes();
    let mut answers = 0;
    for _ in 0..10 {
        let copy = duel.rogue.handshake_record(&question);
        answers += duel.give(&copy);
    }
    assert_eq!(answers, 1);
    let hello = duel.rogue.last(HandshakeType::CLIENT_HELLO).unwrap();
    assert_eq!((hello.message_seq, ClientHello::decode(&hello.body).unwrap().cookie), (1, &[][..]));
    duel.play(&SERVER_STEPS);
    assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
    duel.talk();
}

/// RFC 6347 section 4.2.1: same parameters but for the cookie.
#[test]
fn threat_57_the_second_hello_differs_from_the_first_only_by_the_cookie() {
    let identity = Identity::p256();
    let mut duel = Duel::with_client(Victim::client(client_config(settings(), identity)), identity);
    let first = duel.rogue.last(HandshakeType::CLIENT_HELLO).unwrap().clone();
    duel.rogue.cookie = vec![9; 32];
    // Its version means nothing (section 4.2.1).
    duel.rogue.alter(Step::HelloVerifyRequest, |body| {
        let cookie = HelloVerifyRequest::decode(&*body).unwrap().cookie.to_vec();
        let mut altered = Vec::new();
        HelloVerifyRequest { server_version: ProtocolVersion(0xfefc), cookie: &cookie }
            .encode(&mut altered)
            .unwrap();
        *body = altered;
    });
    duel.play(&[Step::HelloVerifyRequest]);
    let second = duel.rogue.last(HandshakeType::CLIENT_HELLO).unwrap().clone();
    assert_eq!((first.message_seq, second.message_seq), (0, 1));
    let mut with_cookie = Vec::new();
    ClientHello { cookie: &[9; 32], ..ClientHello::decode(&first.body).unwrap() }
        .encode(&mut with_cookie)
        .unwrap();
    assert_eq!(second.body, with_cookie);
    // The first hello's record has the version of DTLS 1.0, all others that of 1.2.
    let versions: Vec<_> = duel.datagrams.iter().map(|datagram| cut(datagram)[0].version).collect();
    assert_eq!(versions, [0xfeff, 0xfefd]);
}

#[test]
fn threat_61_no_datagram_makes_the_gate_allocate_or_panic() {
    let (gate, clock) = (gate(), Clock::new());
    let mut rogue = Rogue::new(Side::Client, Identity::p256());
    let good = hello(&mut rogue);
    let mut random = SplitMix64::new(61);
    for round in 0..200_000 {
        let mut datagram = good.clone();
        if round % 4 == 0 {
            datagram = vec![0; random.below(120) as usize];
            random.fill(&mut datagram);
        } else {
            for _ in 0..=random.below(3) {
                let place = random.below(datagram.len() as u64) as usize;
                datagram[place] = random.next_u64() as u8;
            }
            datagram.truncate(1 + random.below(good.len() as u64) as usize);
        }
        let length = datagram.len();
        let start = start(&clock);
        let mut reply = [0; Gate::MAX_REPLY];
        let (verdict, heap) = measure(|| {
            gate.answer(start, b"stranger", &mut Datagram::new(Path::default(), &mut datagram), &mut reply)
        });
        assert_eq!(heap.count, 0, "round {round}: {verdict:?}");
        match verdict {
            Verdict::Reply(reply) | Verdict::Refuse { length: reply, .. } => assert!(reply <= length),
            Verdict::Drop(_) | Verdict::Hold => {}
            Verdict::Accept(_) => panic!("no cookie was right"),
        }
    }
}

/// Also a refused cookie, and a hello in many fragments, cost nothing.
#[test]
fn threat_61_a_refused_hello_costs_no_allocation() {
    let (gate, clock) = (gate(), Clock::new());
    let mut rogue = with_cookie(&gate, &clock, b"client");
    rogue.cookie[9] ^= 1;
    let message = rogue.message(Step::ClientHello);
    let mut datagrams = vec![rogue.handshake_record(&message.to_bytes())];
    datagrams.extend(message.fragments(20).iter().map(|fragment| rogue.handshake_record(fragment)));
    for mut datagram in datagrams {
        let start = start(&clock);
        let mut reply = [0; Gate::MAX_REPLY];
        let (verdict, heap) = measure(|| {
            gate.answer(start, b"client", &mut Datagram::new(Path::default(), &mut datagram), &mut reply)
        });
        assert_eq!(heap.count, 0, "{verdict:?}");
    }
}

#[test]
fn threat_62_no_asymmetric_operation_before_a_good_cookie() {
    let identity = Identity::p256();
    let (provider, groups) = counting_provider();
    let (credential, signatures) = counting_credential(identity);
    let verifications = Arc::new(Counter::default());
    let mut settings = settings();
    settings.provider = provider;
    let config = ServerConfig::new(settings, Credentials::single(credential))
        .unwrap()
        .with_client_auth(ClientAuth::Request(Arc::new(CountingVerifier(verifications.clone()))));
    let mut duel = Duel::with_server(Victim::server(Arc::new(config)), identity);
    for number in 0..100_u8 {
        duel.rogue.cookie = vec![number; usize::from(number)];
        duel.rogue.randoms.client[0] = number;
        let hello = duel.rogue.perform(Step::ClientHello);
        duel.give(&hello);
        let share = raw_record(
            ContentType::HANDSHAKE,
            RecordNumber { epoch: 0, sequence: 500 },
            &[&fragment_header(HandshakeType::CLIENT_KEY_EXCHANGE, 33, 2, 0, 33)[..], &[32], &[9; 32]]
                .concat(),
        );
        duel.give(&share);
    }
    assert_eq!((groups.get(), signatures.get(), verifications.get()), (0, 0, 0));
    // The last answer was to this hello.
    duel.rogue.next_message_seq = 1;
    duel.play(&[Step::ClientHello]);
    assert_eq!((groups.get(), signatures.get(), verifications.get()), (1, 1, 0), "then one of each");
}

/// RFC 6347 section 4.2.8: the old association lives until the new one has verified a Finished.
#[test]
fn threat_40_a_second_association_of_an_address_ends_the_first_only_when_it_is_connected() {
    let identity = Identity::p256();
    let config = server_config(settings(), identity);
    let mut old = Duel::with_server(Victim::server(config.clone()), identity);
    old.greet();
    old.play(&CLIENT_STEPS);
    old.talk();

    // A copy of the old hello is not a new association.
    let clock = old.victim.clock.clone();
    let gate = old.victim.gate.take().unwrap();
    let mut copy = Rogue::new(Side::Client, identity);
    copy.cookie.clone_from(&old.rogue.cookie);
    copy.next_message_seq = 1;
    let Verdict::Accept(greeting) = ask(&gate, &clock, b"client", &hello(&mut copy)) else {
        panic!("a good cookie")
    };
    assert!(old.victim.connection().is_of(&greeting));

    // The same client after a restart: another random, a cookie for it, an association beside the old one.
    let mut rogue = Rogue::new(Side::Client, identity);
    rogue.randoms.client = [0x99; 32];
    let mut bytes = hello(&mut rogue);
    let mut reply = [0; Gate::MAX_REPLY];
    let first =
        gate.answer(start(&clock), b"client", &mut Datagram::new(Path::default(), &mut bytes), &mut reply);
    let Verdict::Reply(length) = first else { panic!("asked for a cookie") };
    rogue.hear([&reply[..length]]);
    let second = hello(&mut rogue);
    let Verdict::Accept(greeting) = ask(&gate, &clock, b"client", &second) else { panic!("a good cookie") };
    assert!(!old.victim.connection().is_of(&greeting));
    let mut victim = Victim::server(config.clone());
    victim.connection = Some(Connection::server(config, greeting, start(&clock)).unwrap());
    let mut new = Duel { rogue, victim, datagrams: Vec::new() };
    new.give(&second);

    // Whatever comes of it, the datagrams of the new one do nothing to the old one.
    for step in CLIENT_STEPS {
        let datagram = new.rogue.perform(step);
        old.give(&datagram);
        old.talk();
        new.give(&datagram);
    }
    new.talk();
    let now = old.victim.now();
    old.victim.connection().replaced(now);
    old.listen();
    assert!(matches!(old.victim.events[..], [Event::AssociationReplaced]));
    assert!(old.victim.connection().is_closed());
    assert!(old.rogue.alerts().is_empty(), "it goes silently");
}

#[test]
fn a_half_open_association_ends_at_its_deadline() {
    let identity = Identity::p256();
    let mut duel = Duel::with_server(Victim::server(server_config(settings(), identity)), identity);
    duel.greet();
    duel.pass(Duration::from_secs(31));
    assert_eq!(duel.victim.error(), Some(&Error::HandshakeTimeout));
}
