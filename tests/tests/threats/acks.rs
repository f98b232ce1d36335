//! ACKs of DTLS 1.3 as they should be, and as weapons (threats 28 to 30; RFC 9147 section 7).

use core::time::Duration;
use std::collections::BTreeSet;

use drystone_handshake::{Discard, Settings};
use drystone_record::{ContentType, RecordNumber};
use drystone_tests::identity::settings_of_both;
use drystone_tests::rogue::{CLIENT_STEPS_13, Duel, SERVER_STEPS_13, Step};

/// A quarter of the initial timeout, and a little.
const QUARTER: Duration = Duration::from_millis(101);

fn small_datagrams() -> Settings {
    let mut settings = settings_of_both();
    settings.mtu = 300;
    settings
}

/// A server whose flight has several records, which wait for their ACK.
fn server_in_pieces() -> Duel {
    let duel = Duel::server_13(small_datagrams());
    assert!(duel.rogue.handshakes_heard().len() > 3, "{:?}", duel.rogue.handshakes_heard());
    duel
}

/// The numbers of the server's flight in epoch 2.
fn flight(duel: &Duel) -> Vec<RecordNumber> {
    duel.rogue.handshakes_heard().iter().copied().filter(|number| number.epoch == 2).collect()
}

fn number(epoch: u64, sequence: u64) -> RecordNumber {
    RecordNumber { epoch, sequence }
}

/// Records of one message that never becomes whole, each with a number of its own.
fn copies_of_a_piece(duel: &mut Duel, step: Step, count: usize) -> Vec<Vec<u8>> {
    let piece = duel.rogue.message(step).fragment(0, 1);
    let epoch = duel.rogue.epoch_of(step);
    (0..count).map(|_| duel.rogue.record_in(epoch, ContentType::HANDSHAKE, &piece)).collect()
}

#[test]
fn threat_28_ten_thousand_records_make_one_short_ack() {
    let mut client = Duel::usual_client_13();
    client.play(&SERVER_STEPS_13[..2]);
    let mut server = Duel::usual_server_13();
    for (duel, step) in [(&mut client, Step::Certificate), (&mut server, Step::Finished)] {
        duel.pass(Duration::from_secs(1));
        let before = duel.rogue.acks().len();
        let mut flood = copies_of_a_piece(duel, step, 20_000);
        for record in flood.drain(..10_000) {
            assert!(duel.give(&record) <= 1);
        }
        let heap = duel.victim.flood(&mut flood);
        assert_eq!(heap.live_bytes, 0, "the list does not grow");
        duel.pass(Duration::from_secs(2));
        let acks = &duel.rogue.acks()[before..];
        // One for ten records: a large flight comes ten records at a time (RFC 9147 section 5.8.3).
        assert!((1..=1_002).contains(&acks.len()), "{} ACKs", acks.len());
        assert!(acks.iter().all(|(_, numbers)| numbers.len() <= 32), "{acks:?}");
        assert!(duel.datagrams.iter().all(|datagram| datagram.len() <= 1200));
        // In order, and the newest.
        let (_, numbers) = acks.last().unwrap();
        assert_eq!(numbers.len(), 32);
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    }
}

#[test]
fn threat_29_an_ack_names_what_was_kept_in_an_epoch_that_may() {
    let mut duel = Duel::usual_client_13();
    let hello = duel.rogue.message(Step::ServerHello);
    let record = duel.rogue.plaintext(ContentType::HANDSHAKE, &hello.to_bytes());
    duel.give(&record);
    duel.play(&[Step::EncryptedExtensions]);
    // A forgery, a piece of a message that contradicts itself in plaintext, and something from far ahead.
    duel.give(&drystone_tests::rogue::raw_unified_record(2, 40, &[7; 60]));
    let mut ahead = duel.rogue.message(Step::Certificate);
    ahead.message_seq += 100;
    let ahead = duel.rogue.record_in(2, ContentType::HANDSHAKE, &ahead.to_bytes());
    duel.give(&ahead);
    assert_eq!(duel.victim.discards(Discard::MessageOutsideWindow), 1);
    assert!(duel.rogue.acks().is_empty(), "not at once");
    duel.pass(QUARTER);
    let acks = duel.rogue.acks();
    assert_eq!(acks, [(2, vec![number(0, 0), number(2, 0)])], "nothing that was dropped");
}

/// Anybody can copy a hello. That is no record to acknowledge, but an ACK may be what its sender has missed.
#[test]
fn threat_29_forged_copies_of_a_hello_are_not_named_and_cost_one_ack_per_quarter_timer() {
    let mut duel = Duel::usual_client_13();
    let hello = duel.rogue.message(Step::ServerHello).to_bytes();
    let record = duel.rogue.plaintext(ContentType::HANDSHAKE, &hello);
    duel.give(&record);
    duel.play(&[Step::EncryptedExtensions]);
    duel.pass(QUARTER);
    assert_eq!(duel.rogue.acks().len(), 1);
    for forged in 0..3_000 {
        let copy = duel.rogue.plaintext(ContentType::HANDSHAKE, &hello);
        assert_eq!(duel.give(&copy), 0);
        if forged % 1_000 == 999 {
            duel.pass(QUARTER);
        }
    }
    let acks = duel.rogue.acks();
    assert_eq!(acks, vec![(2, vec![number(0, 0), number(2, 0)]); 4]);
    duel.play(&SERVER_STEPS_13[2..]);
    assert!(duel.victim.is_connected());
    duel.talk();
}

#[test]
fn threat_29_there_is_no_ack_before_keys() {
    for asks_first in [false, true] {
        there_is_no_ack_before_keys(asks_first);
    }
}

/// After a HelloRetryRequest the client knows that there are ACKs, but not yet how to protect one.
fn there_is_no_ack_before_keys(asks_first: bool) {
    let mut duel = Duel::usual_client_13();
    if asks_first {
        duel.rogue.cookie = vec![1; 16];
        duel.play(&[Step::HelloRetryRequest]);
    }
    let hello = duel.rogue.message(Step::ServerHello);
    let piece = duel.rogue.plaintext(ContentType::HANDSHAKE, &hello.fragment(0, 40));
    duel.give(&piece);
    // Its hello is repeated, but no ACK is sent.
    duel.pass(Duration::from_secs(10));
    assert!(duel.rogue.acks().is_empty());
    assert!(duel.rogue.numbers_heard().iter().all(|number| number.epoch == 0));
    let rest = duel.rogue.plaintext(ContentType::HANDSHAKE, &hello.fragment(40, hello.body.len() - 40));
    duel.give(&rest);
    duel.play(&SERVER_STEPS_13[1..]);
    assert!(duel.victim.is_connected());
    duel.talk();
}

#[test]
fn threat_29_an_ack_of_a_higher_epoch_than_its_own_is_fatal_in_the_handshake() {
    for epoch in [3, 4, u64::MAX] {
        let mut duel = server_in_pieces();
        duel.rogue.write_in(2);
        let ack = duel.rogue.ack(&[number(2, 0), number(epoch, 0)]);
        duel.give(&ack);
        assert_eq!(duel.rogue.alerts(), [50], "decode_error");
        assert!(duel.victim.error().is_some());
    }
}

/// The two sides change their keys independently of each other: a KeyUpdate of one may be acknowledged by the other under
/// older keys.
#[test]
fn an_ack_of_a_higher_epoch_than_its_own_is_right_after_the_handshake() {
    for mut duel in Duel::usual_connected_13() {
        for _ in 0..3 {
            duel.victim.update_keys(false).unwrap();
            duel.listen();
            let last = *duel.rogue.handshakes_heard().last().unwrap();
            duel.rogue.write_in(3);
            let ack = duel.rogue.ack(&[last]);
            duel.give(&ack);
        }
        duel.talk();
        assert_eq!(duel.rogue.numbers_heard().last().unwrap().epoch, 6);
    }
}

#[test]
fn malformed_acks_are_fatal_where_they_are_authentic() {
    for mut duel in [server_in_pieces(), Duel::usual_server_13()] {
        duel.rogue.write_in(2);
        let record = duel.rogue.record(ContentType::ACK, &[0, 17, 0]);
        duel.give(&record);
        assert_eq!(duel.rogue.alerts(), [50]);
    }
}

#[test]
fn threat_30_the_last_ack_is_repeated_for_each_repeat_of_finished() {
    let mut duel = Duel::usual_server_13();
    let finished = duel.rogue.message(Step::Finished).to_bytes();
    let mut sequences = Vec::new();
    for repeat in 0..20 {
        let record = duel.rogue.record_in(2, ContentType::HANDSHAKE, &finished);
        sequences.push(number(2, repeat));
        assert_eq!(duel.give(&record), 1, "the ACK of repeat {repeat}");
        let (epoch, numbers) = duel.rogue.acks().pop().unwrap();
        assert!(epoch == 3 && numbers.contains(sequences.last().unwrap()), "{repeat}: {numbers:?}");
        duel.pass(Duration::from_secs(10));
    }
    assert!(duel.victim.is_connected());
    // 200 s have passed; after 240 s the keys are gone.
    duel.rogue.write_in(3);
    duel.talk();
    duel.pass(Duration::from_secs(300));
    let record = duel.rogue.record_in(2, ContentType::HANDSHAKE, &finished);
    assert_eq!(duel.give(&record), 0);
    duel.rogue.write_in(3);
    duel.talk();
}

/// Application data is no acknowledgement (RFC 9147 section 5.8.1): a server may send it before it has the client's Finished.
#[test]
fn threat_30_a_clients_lost_last_flight_comes_again_until_it_is_acknowledged() {
    let mut duel = Duel::usual_client_13();
    duel.play(&SERVER_STEPS_13);
    for seconds in [1, 2, 4, 8] {
        assert!(duel.pass(Duration::from_secs(seconds)) > 0);
        duel.talk();
    }
    duel.acknowledge();
    assert_eq!(duel.pass(Duration::from_secs(100)), 0);
    duel.talk();
}

#[test]
fn threat_30_a_lost_ack_of_a_key_update_is_made_up_for() {
    for mut duel in Duel::usual_connected_13() {
        duel.victim.update_keys(false).unwrap();
        duel.listen();
        for _ in 0..3 {
            duel.talk();
            assert!(duel.pass(Duration::from_secs(2)) > 0, "asked again");
            assert_eq!(duel.rogue.numbers_heard().last().unwrap().epoch, 3);
        }
        duel.acknowledge();
        duel.talk();
        assert_eq!(duel.rogue.numbers_heard().last().unwrap().epoch, 4);
        assert_eq!(duel.pass(Duration::from_secs(100)), 0);
    }
}

#[test]
fn unknown_and_earlier_numbers_are_ignored() {
    let mut duel = server_in_pieces();
    duel.rogue.write_in(2);
    let sent = duel.rogue.handshakes_heard().len();
    // Numbers of the hellos' time, never used ones, and ones far beyond.
    let strange = [number(0, 0), number(0, 500), number(1, 0), number(2, 999), number(2, u64::MAX)];
    for _ in 0..10 {
        let ack = duel.rogue.ack(&strange[1..]);
        assert_eq!(duel.give(&ack), 0);
    }
    duel.pass(Duration::from_millis(450));
    let repeated = duel.rogue.handshakes_heard().len() - sent;
    assert_eq!(repeated, sent - 1, "all of the flight comes again, but not the question before it");
}

#[test]
fn a_partial_ack_removes_exactly_the_ranges_it_names() {
    let whole = server_in_pieces();
    for lost in 0..flight(&whole).len() {
        let mut duel = server_in_pieces();
        duel.rogue.write_in(2);
        let numbers = flight(&duel);
        let others: Vec<_> = numbers.iter().filter(|number| **number != numbers[lost]).copied().collect();
        let carried = |duel: &Duel, number: RecordNumber| -> BTreeSet<(u16, usize)> {
            let pieces = duel.rogue.pieces_heard().iter();
            let own = pieces.filter(|(record, ..)| *record == number);
            own.flat_map(|(_, message_seq, bytes)| bytes.clone().map(move |byte| (*message_seq, byte)))
                .collect()
        };
        let missing = carried(&duel, numbers[lost]);
        let ack = duel.rogue.ack(&others);
        duel.give(&ack);
        // By the ACK, or by the timer. What was in epoch 0 is not acknowledged, and comes again too.
        duel.pass(Duration::from_millis(450));
        let again = flight(&duel).split_off(numbers.len());
        let again: BTreeSet<_> = again.into_iter().flat_map(|number| carried(&duel, number)).collect();
        assert_eq!(again, missing, "record {lost}");
    }
    // With all but ServerHello acknowledged, nothing of epoch 2 comes again.
    let mut duel = server_in_pieces();
    duel.rogue.write_in(2);
    let numbers = flight(&duel);
    let ack = duel.rogue.ack(&numbers);
    duel.give(&ack);
    duel.pass(Duration::from_secs(2));
    assert_eq!(flight(&duel).len(), numbers.len());
    duel.play(&CLIENT_STEPS_13);
    assert!(duel.victim.is_connected());
    duel.talk();
}

#[test]
fn an_empty_ack_asks_for_the_flight_at_most_once_per_timer() {
    let mut duel = server_in_pieces();
    duel.rogue.write_in(2);
    let flight = duel.datagrams.len() - 1;
    let mut datagrams = 0;
    for _ in 0..1_000 {
        let ack = duel.rogue.ack(&[]);
        datagrams += duel.give(&ack);
    }
    assert!((1..=flight).contains(&datagrams), "{datagrams} datagrams, the flight has {flight}");
}

#[test]
fn ten_thousand_acks_do_not_amplify() {
    let mut duel = server_in_pieces();
    duel.rogue.write_in(2);
    let flight: usize = duel.datagrams.iter().map(Vec::len).sum();
    let first = self::flight(&duel)[0];
    let sent = duel.datagrams.len();
    for round in 0..10_000 {
        let numbers = [number(2, round), first, number(0, round)];
        let ack = duel.rogue.ack(&numbers[usize::from(round % 2 == 0)..]);
        duel.give(&ack);
    }
    let bytes: usize = duel.datagrams[sent..].iter().map(Vec::len).sum();
    assert!(bytes <= 2 * flight, "{bytes} bytes, the flight has {flight}");
    duel.play(&CLIENT_STEPS_13);
    assert!(duel.victim.is_connected());
    // Connected, it says nothing at all.
    let sent = duel.datagrams.len();
    duel.rogue.write_in(3);
    for round in 0..10_000 {
        let ack = duel.rogue.ack(&[number(3, round), number(2, round), number(7, 0)]);
        assert_eq!(duel.give(&ack), 0);
    }
    assert_eq!(duel.datagrams.len(), sent);
    duel.talk();
}

/// Any part of the peer's next flight says that it has the whole of ours.
#[test]
fn a_piece_of_the_next_flight_acknowledges_the_whole_of_ours() {
    let mut duel = server_in_pieces();
    let finished = duel.rogue.message(Step::Finished);
    let piece = duel.rogue.record_in(2, ContentType::HANDSHAKE, &finished.fragment(0, 9));
    duel.give(&piece);
    let sent = flight(&duel).len();
    duel.pass(Duration::from_secs(5));
    assert_eq!(flight(&duel).len(), sent, "nothing of it comes again");
    assert!(!duel.rogue.acks().is_empty(), "but an ACK of the piece");
    let rest = duel.rogue.record_in(2, ContentType::HANDSHAKE, &finished.fragment(9, 23));
    duel.give(&rest);
    assert!(duel.victim.is_connected());
    duel.rogue.write_in(3);
    duel.talk();
}
