//! Retransmission as a weapon: no war, no oracle, no amplifier (threats 24 to 27).

use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::{Credentials, Discard, Error, HandshakeType, ServerConfig};
use drystone_record::{ContentType, RecordNumber};
use drystone_tests::counting::counting_credential;
use drystone_tests::identity::{Identity, settings};
use drystone_tests::link::{Direction, Fate, LinkSettings};
use drystone_tests::rogue::{CLIENT_STEPS, Duel, Heard, Script, Step, Victim, raw_record};
use drystone_tests::scenario::Variant;

/// The server's last flight is lost for 10 s, and every datagram is doubled late.
#[test]
fn threat_24_the_loss_of_the_last_flight_makes_no_war() {
    for round_trip in [1, 60, 399, 400, 401, 2_000] {
        let link = LinkSettings {
            round_trip: Duration::from_millis(round_trip),
            duplicate: 1.0,
            late: 0.5,
            late_by: Duration::from_millis(150),
            ..LinkSettings::perfect()
        };
        let mut pair = Variant::Small.pair(24, link);
        pair.link.add_hook(|passing| {
            let lost = passing.direction == Direction::ToClient
                && passing.bytes.first() == Some(&20)
                && passing.sent_at < Duration::from_secs(10);
            if lost { Fate::Drop } else { Fate::Pass }
        });
        assert!(pair.connect(), "{round_trip} ms: {pair:?}");
        pair.run_for(Duration::from_secs(300));
        let sent = Direction::BOTH.map(|direction| pair.link.statistics(direction).sent);
        // The client repeats after 0.4, 1.2, 2.8, 6 and 12.4 s, and the server answers each of them.
        assert!(sent.iter().all(|sent| *sent <= 30), "{round_trip} ms: {sent:?} datagrams");
    }
}

/// On a slow path the client repeats its hello before the question comes, and each copy is asked with a cookie of its
/// own, for cookies are dated. Only the first may be answered.
#[test]
fn threat_24_questions_to_repeated_hellos_do_not_restart_the_handshake() {
    for round_trip in [500, 1_000, 2_000, 3_500] {
        let link = LinkSettings { round_trip: Duration::from_millis(round_trip), ..LinkSettings::perfect() };
        let mut pair = Variant::Small.pair(4, link);
        assert!(pair.connect(), "{round_trip} ms: {:?}", pair.client.events);
    }
}

#[test]
fn threat_24_duplicates_within_an_interval_are_answered_once() {
    let mut duel = Duel::usual_server();
    let hello = {
        let message = duel.rogue.last(HandshakeType::SERVER_HELLO).cloned();
        assert!(message.is_some(), "the server's flight is out");
        let mut again =
            drystone_tests::rogue::Rogue::new(drystone_handshake::crypto::Side::Client, Identity::p256());
        again.cookie.clone_from(&duel.rogue.cookie);
        again.next_message_seq = 1;
        again.message(Step::ClientHello).to_bytes()
    };
    let mut answered = 0;
    for copy in 0..1_000 {
        let record =
            raw_record(ContentType::HANDSHAKE, RecordNumber { epoch: 0, sequence: 10 + copy }, &hello);
        answered += usize::from(duel.give(&record) > 0);
    }
    assert!(answered <= 1, "{answered} answers at one moment");
    duel.pass(Duration::from_millis(199));
    let record = raw_record(ContentType::HANDSHAKE, RecordNumber { epoch: 0, sequence: 2_000 }, &hello);
    assert_eq!(duel.give(&record), 0, "not within half of the timer");
    duel.pass(Duration::from_millis(1));
    assert!(duel.give(&record) > 0, "then once");
    duel.play(&CLIENT_STEPS);
    assert!(duel.victim.is_connected());
}

#[test]
fn threat_25_an_undecryptable_finished_yields_no_datagram() {
    for mut duel in Script::V12.before_finished() {
        for sequence in 0..200 {
            let number = RecordNumber { epoch: 1, sequence };
            assert_eq!(duel.give(&raw_record(ContentType::HANDSHAKE, number, &[9; 48])), 0);
        }
        assert_eq!(duel.victim.discards(Discard::AuthenticationFailed), 200);
        duel.play(&[Step::Finished]);
        assert!(duel.victim.is_connected());
    }
}

#[test]
fn threat_25_a_wrong_finished_yields_one_alert() {
    for (mut duel, steps) in Script::V12.beginnings() {
        duel.rogue.alter(Step::Finished, |body| body[3] ^= 1);
        duel.play(steps);
        assert_eq!(duel.victim.error(), Some(&Error::BadFinished));
        assert_eq!(duel.rogue.alerts(), [51], "decrypt_error");
        // The same flight again is told the same again, at most once per half of the initial timeout.
        for _ in 0..10 {
            let again = duel.rogue.perform(Step::Finished);
            duel.give(&again);
            duel.pass(Duration::from_millis(50));
        }
        let alerts = duel.rogue.alerts().len();
        assert!((2..=4).contains(&alerts), "{alerts} alerts in half a second");
        duel.pass(Duration::from_secs(40));
        let again = duel.rogue.perform(Step::Finished);
        assert_eq!(duel.give(&again), 0, "no longer after the deadline");
    }
}

#[test]
fn threat_26_replaying_the_clients_last_flight_is_answered_at_a_limited_rate() {
    let mut duel = Duel::usual_server();
    duel.play(&CLIENT_STEPS[..2]);
    let finished = duel.rogue.message(Step::Finished).to_bytes();
    let recorded = duel.rogue.handshake_record(&finished);
    assert_eq!(duel.give(&recorded), 1);
    // An exact replay is stopped by the window.
    for _ in 0..1_000 {
        assert_eq!(duel.give(&recorded), 0);
    }
    assert_eq!(duel.victim.discards(Discard::Replayed), 1_000);
    // Genuine repeats, a thousand within a second.
    let mut answers = 0;
    for _ in 0..1_000 {
        let repeat = duel.rogue.handshake_record(&finished);
        answers += duel.give(&repeat);
        duel.pass(Duration::from_millis(1));
    }
    assert!((4..=6).contains(&answers), "{answers} answers in a second");
    duel.talk();
    // A plaintext repeat is anybody's.
    let forged = duel.rogue.plaintext(ContentType::HANDSHAKE, &finished);
    duel.pass(Duration::from_secs(1));
    assert_eq!(duel.give(&forged), 0);
    // And after 240 s there is nothing left to repeat.
    duel.pass(Duration::from_secs(237));
    let repeat = duel.rogue.handshake_record(&finished);
    assert_eq!(duel.give(&repeat), 1, "before the end of its life");
    duel.pass(Duration::from_secs(3));
    let repeat = duel.rogue.handshake_record(&finished);
    assert_eq!(duel.give(&repeat), 0, "after it");
    duel.talk();
}

#[test]
fn threat_27_a_repeated_hello_costs_no_second_signature() {
    let identity = Identity::p256();
    let (credential, signatures) = counting_credential(identity);
    let config = ServerConfig::new(settings(), Credentials::single(credential)).unwrap();
    let mut duel = Duel::with_server(Victim::server(Arc::new(config)), identity);
    duel.play(&[Step::ClientHello]);
    assert_eq!(signatures.get(), 0);
    let hello = duel.rogue.message(Step::ClientHello).to_bytes();
    let mut flights = 0;
    for _ in 0..50 {
        let record = duel.rogue.handshake_record(&hello);
        flights += usize::from(duel.give(&record) > 0);
        duel.pass(Duration::from_millis(100));
    }
    assert!(flights > 3, "{flights} answers");
    assert_eq!(signatures.get(), 1);
    let first = duel.rogue.heard.iter().filter(|heard| matches!(heard, Heard::Message(_))).count();
    assert_eq!(first, 5, "HelloVerifyRequest and one flight; all else is repeats");
    duel.play(&CLIENT_STEPS);
    assert!(duel.victim.is_connected());
    assert_eq!(signatures.get(), 1);
}

/// With an observer in place of the counters: repeats are the same messages.
#[test]
fn threat_27_a_repeated_flight_is_the_same_byte_for_byte() {
    let mut duel = Duel::usual_server();
    let first: Vec<_> = duel.datagrams.split_off(1);
    duel.pass(Duration::from_millis(400));
    let again: Vec<_> = duel.datagrams.split_off(1);
    let payloads = |datagrams: &[Vec<u8>]| -> Vec<Vec<u8>> {
        datagrams
            .iter()
            .flat_map(|datagram| drystone_tests::rogue::cut(datagram))
            .map(|cut| cut.body)
            .collect()
    };
    assert_eq!(payloads(&first), payloads(&again));
}
