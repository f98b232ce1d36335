//! The retransmission timer as callers and networks see it.

use core::time::Duration;

use drystone_handshake::{Error, FirstKeyShare, ProtocolVersion};
use drystone_tests::identity::{Identity, client_config, name, server_config, settings, settings_of};
use drystone_tests::link::{Direction, Fate, Link, LinkSettings};
use drystone_tests::pair::Pair;
use drystone_tests::rogue::{CLIENT_STEPS, Duel, Rogue, Step, Victim};
use drystone_tests::scenario::VERSIONS;

#[test]
fn the_initial_timeout_can_be_changed_while_it_runs() {
    let identity = Identity::p256();
    let black_hole = Link::new(1, LinkSettings { loss_to_server: 1.0, ..LinkSettings::perfect() });
    let mut pair = Pair::new(
        client_config(settings(), identity),
        server_config(settings(), identity),
        name(),
        black_hole,
    );
    pair.flush();
    let timeout = |pair: &mut Pair| pair.client.connection().poll_timeout().unwrap().since_origin();
    assert_eq!(timeout(&mut pair), Duration::from_millis(400));
    pair.client.connection().set_initial_timeout(Duration::from_millis(100));
    assert_eq!(timeout(&mut pair), Duration::from_millis(100));
    pair.run_for(Duration::from_millis(350));
    assert_eq!(pair.link.statistics(Direction::ToServer).sent, 3, "at 0, 100 and 300 ms");
    pair.client.connection().set_initial_timeout(Duration::ZERO);
    assert_eq!(timeout(&mut pair), Duration::from_millis(304), "1 ms, doubled twice");
}

/// RFC 6347 section 4.2.4.1, RFC 9147 section 5.8.2: who has measured the round trip repeats nothing needlessly. The first
/// flight of each side is repeated before the path is known.
#[test]
fn a_slow_path_that_loses_nothing_costs_few_datagrams() {
    for version in VERSIONS {
        for (round_trip, most) in [(200, 10), (1_500, 24), (6_000, 40)] {
            let identity = Identity::p256();
            let settings = || {
                let mut settings = settings_of(version);
                settings.handshake_deadline = Some(Duration::from_secs(90));
                settings
            };
            let link =
                LinkSettings { round_trip: Duration::from_millis(round_trip), ..LinkSettings::perfect() };
            let (client, server) = (client_config(settings(), identity), server_config(settings(), identity));
            let mut pair = Pair::new(client, server, name(), Link::new(1, link));
            let connected = pair.run_until(Duration::from_secs(90), |pair| {
                pair.client.is_connected() && pair.server.is_connected()
            });
            assert!(connected, "{version}, {round_trip} ms: {pair:?}");
            pair.run_for(Duration::from_secs(60));
            let all = pair.client.datagrams + pair.server.datagrams;
            println!("{version}, {round_trip} ms: {all} datagrams");
            assert!(all <= most, "{version}, {round_trip} ms: {all} datagrams, not {most}");
        }
    }
}

/// The records of a flight in the order in which the network may bring them: what overtakes its keys is not lost.
#[test]
fn a_finished_that_overtakes_its_change_cipher_spec_is_kept() {
    let mut duel = Duel::usual_server();
    let records = CLIENT_STEPS.map(|step| duel.rogue.perform(step));
    let [key_exchange, change_cipher_spec, finished] = &records;
    duel.give(key_exchange);
    duel.give(finished);
    assert!(!duel.victim.is_connected());
    duel.give(change_cipher_spec);
    assert!(duel.victim.is_connected());
    duel.talk();
}

/// A Finished that is here says that the messages before it were sent. The server asks for them with the last record of
/// its own flight, once, and then waits a second: a client that reads one record for each expiry of its timer is not kept
/// busy.
#[test]
fn a_server_that_has_a_part_of_the_clients_flight_sends_one_record_and_waits() {
    for lost in CLIENT_STEPS {
        let mut duel = Duel::usual_server();
        let mut sent = 0;
        for step in CLIENT_STEPS {
            let record = duel.rogue.perform(step);
            if step != lost {
                sent += duel.give(&record);
            }
        }
        sent += duel.pass(Duration::from_millis(999));
        assert_eq!(sent, 1, "without {lost:?}");
        assert_eq!(
            duel.pass(Duration::from_millis(1000)),
            1,
            "without {lost:?}: after a second, and not four times"
        );
        assert!(!duel.victim.is_connected());
    }
}

/// In DTLS 1.3 the rest of the server's flight may overtake ServerHello.
#[test]
fn records_that_overtake_server_hello_are_kept() {
    let identity = Identity::p256();
    let settings = || {
        let mut settings = settings_of(ProtocolVersion::DTLS_1_3);
        settings.mtu = 512;
        settings
    };
    let run = |late: bool| {
        let mut link = Link::new(1, LinkSettings { mtu: 512, ..LinkSettings::perfect() });
        link.add_hook(move |passing| {
            // The first datagram after the cookie begins with ServerHello.
            let is_hello = passing.direction == Direction::ToClient && passing.index == 1;
            if is_hello && late { Fate::Delay(Duration::from_millis(20)) } else { Fate::Pass }
        });
        let (client, server) = (client_config(settings(), identity), server_config(settings(), identity));
        let mut pair = Pair::new(client, server, name(), link);
        assert!(pair.connect(), "{pair:?}");
        (pair.clock.now(), pair.link.statistics(Direction::ToClient).sent)
    };
    let (usual, datagrams) = run(false);
    assert!(datagrams >= 3, "a flight of several datagrams");
    let (took, sent) = run(true);
    assert!(took <= usual + Duration::from_millis(20) && sent == datagrams, "{took:?}, {sent} datagrams");
}

/// Two copies of a hello that arrive together bring one flight.
#[test]
fn a_hello_that_comes_twice_is_answered_once() {
    for version in VERSIONS {
        let identity = Identity::p256();
        let (client, server) =
            (client_config(settings_of(version), identity), server_config(settings_of(version), identity));
        let sent = |copies: bool| {
            let link = LinkSettings { duplicate: f64::from(u8::from(copies)), ..LinkSettings::perfect() };
            let mut pair = Pair::new(client.clone(), server.clone(), name(), Link::new(1, link));
            assert!(pair.connect(), "{version}: {pair:?}");
            pair.link.statistics(Direction::ToClient).sent
        };
        // Stateless answers cannot know: two for the first hello.
        assert!(sent(true) <= sent(false) + 1, "{version}: {} and {}", sent(true), sent(false));
    }
}

/// A fragmented hello at MTU 256, with the timers of the RFCs: the fragments of all attempts count together.
#[test]
fn fragmented_hellos_get_through_ten_percent_loss() {
    let identity = Identity::p256();
    for seed in 0..100 {
        let of_client = || {
            let mut settings = settings_of(ProtocolVersion::DTLS_1_3);
            (settings.mtu, settings.first_key_share) = (256, FirstKeyShare::Preferred);
            settings.initial_timeout = Duration::from_secs(1);
            settings
        };
        let (client, server) = (client_config(of_client(), identity), server_config(of_client(), identity));
        let link = LinkSettings { mtu: 256, ..LinkSettings::lossy(0.1) };
        let mut pair = Pair::new(client, server, name(), Link::new(seed, link));
        let answered = pair.run_until(Duration::from_secs(30), |pair| pair.server.datagrams > 0);
        assert!(answered, "seed {seed}: no answer to the hello");
    }
}

/// A server that is made before its client comes, as with ICE: its time begins with the client's first datagram.
#[test]
fn the_handshake_deadline_of_a_server_runs_from_the_first_datagram() {
    for version in VERSIONS {
        let config = server_config(settings_of(version), Identity::p256());
        let mut victim = Victim::server_without_cookie(config);
        victim.pass(Duration::from_secs(100));
        assert_eq!(victim.error(), None, "{version}");
        assert_eq!(victim.connection().poll_timeout(), None);
        let side = drystone_handshake::crypto::Side::Client;
        let rogue = match version {
            ProtocolVersion::DTLS_1_2 => Rogue::new(side, Identity::p256()),
            _ => Rogue::new_13(side, Identity::p256()),
        };
        let mut duel = Duel::between(rogue, victim);
        let hello = duel.rogue.perform(Step::ClientHello);
        duel.give(&hello);
        duel.pass(Duration::from_secs(29));
        assert_eq!(duel.victim.error(), None, "{version}");
        duel.pass(Duration::from_secs(1));
        assert_eq!(duel.victim.error(), Some(&Error::HandshakeTimeout), "{version}");
    }
}

/// A ServerHello does not tell which hello it answers: its record number, which grows with each retransmission, is that of some
/// hello by chance. A round trip of seconds that was measured by it would hold back the client's last flight for longer.
#[test]
fn the_number_of_a_server_hello_measures_no_round_trip() {
    const SILENCE: Duration = Duration::from_secs(6);
    for version in VERSIONS {
        let identity = Identity::p256();
        let settings = || {
            let mut settings = settings_of(version);
            settings.mtu_is_known = true;
            settings
        };
        let mut link = Link::new(1, LinkSettings::perfect());
        let (mut is_answered, mut lost) = (false, None);
        link.add_hook(move |passing| {
            let is_lost = match passing.direction {
                // All but the answer that asks for the cookie.
                Direction::ToClient => passing.index > 0 && passing.sent_at < SILENCE,
                // The first transmission of the client's last flight.
                Direction::ToServer => is_answered && passing.sent_at == *lost.get_or_insert(passing.sent_at),
            };
            is_answered |= passing.direction == Direction::ToClient && passing.index > 0 && !is_lost;
            if is_lost { Fate::Drop } else { Fate::Pass }
        });
        let (client, server) = (client_config(settings(), identity), server_config(settings(), identity));
        let mut pair = Pair::new(client, server, name(), link);
        assert!(pair.connect(), "{version}: {pair:?}");
        // The server's ninth transmission arrives at 8.92 s; the lost flight comes again with the wait of a path of 60 ms.
        assert!(pair.clock.now() < Duration::from_secs(10), "{version}: {:?}", pair.clock.now());
    }
}
