//! Several flights at once: each ends by its own ACK, and none by another's.

use alloc::vec;
use core::time::Duration;

use super::*;
use crate::Settings;
use crate::crypto::Side;
use crate::flight::fake::FakeSealer;

const TICKET: HandshakeType = HandshakeType::NEW_SESSION_TICKET;
const UPDATE: HandshakeType = HandshakeType::KEY_UPDATE;

fn at(milliseconds: u64) -> Instant {
    Instant::from_origin(Duration::from_millis(1_000 + milliseconds))
}

/// What a server keeps that has everything of the handshake, and whose messages so far were numbered below 6.
fn after_handshake() -> PostFlights {
    let mut handshake = handshake();
    handshake.send_acks();
    PostFlights::new(handshake).0
}

fn handshake() -> Flights {
    let settings = Settings::new(crate::crypto::ring::provider(), crate::FromRng(getrandom::SysRng));
    let mut flights = Flights::new(&settings, Side::Client);
    flights.expect_acks();
    flights.start_message_seq_at(6);
    flights
}

/// Our Finished waits for its ACK. The peer's flight before it ended with its message 5, also a Finished.
fn after_own_finished() -> PostFlights {
    let mut handshake = handshake();
    handshake.send_acks();
    handshake.incoming.set_next_message_seq(6);
    let body = &[1; 32];
    let (epoch, msg_type, message_seq) = (2, HandshakeType::FINISHED, 5);
    handshake.repeats.flight_ended(&crate::flight::Message { epoch, msg_type, message_seq, body });
    let mut flight = handshake.new_flight();
    flight.push_message(2, HandshakeType::FINISHED, 6, vec![9; 32]).unwrap();
    handshake.put_in_force(flight);
    PostFlights::new(handshake).0
}

/// The next datagrams: for each the numbers of its records and the message_seq of the fragments in them.
fn sent(flights: &mut PostFlights, sealer: &mut FakeSealer) -> Vec<Vec<((u64, u64), u16)>> {
    let mut datagrams = Vec::new();
    let mut out = [0; 1200];
    loop {
        let length = flights.write_datagram(sealer, &mut out, at(0));
        if length == 0 {
            return datagrams;
        }
        let records = sealer.open(&out[..length]).into_iter();
        let of = |payload: &[u8]| u16::from_be_bytes([payload[4], payload[5]]);
        datagrams.push(records.map(|record| (record.number, of(&record.payload))).collect());
    }
}

fn numbers(datagrams: &[Vec<((u64, u64), u16)>], message_seq: u16) -> Vec<(u64, u64)> {
    let records = datagrams.iter().flatten();
    records.filter(|(_, seq)| *seq == message_seq).map(|(number, _)| *number).collect()
}

fn messages(datagrams: &[Vec<((u64, u64), u16)>]) -> Vec<u16> {
    datagrams.iter().flatten().map(|(_, seq)| *seq).collect()
}

fn ack(flights: &mut PostFlights, numbers: &[(u64, u64)], now: Instant) -> Acknowledged {
    flights.acknowledged(&numbers.iter().copied(), now)
}

#[test]
fn flights_share_a_datagram_and_end_one_by_one() {
    let (mut flights, mut sealer) = (after_handshake(), FakeSealer::default());
    for (message_seq, msg_type) in [(6, TICKET), (7, TICKET), (8, UPDATE)] {
        assert_eq!(flights.begin(3, msg_type, vec![1; 100], at(0)), Ok(message_seq));
    }
    let first = sent(&mut flights, &mut sealer);
    assert_eq!((first.len(), messages(&first)), (1, vec![6, 7, 8]), "one datagram");
    let one = Acknowledged { any: true, key_update: false };
    assert_eq!(ack(&mut flights, &numbers(&first, 7), at(100)), one);
    assert_eq!(ack(&mut flights, &numbers(&first, 7), at(100)), Acknowledged::default(), "said before");
    assert!(!flights.all_acknowledged() && flights.needs_epoch(3));
    // What has no ACK yet is sent again, and nothing else.
    assert_eq!(flights.next_timeout(), Some(at(400)));
    flights.handle_timeout(at(400)).unwrap();
    let again = sent(&mut flights, &mut sealer);
    assert_eq!(messages(&again), [6, 8]);
    // The ACK of either copy counts, and one ACK may name several flights.
    let both = [numbers(&first, 8), numbers(&again, 6)].concat();
    assert_eq!(ack(&mut flights, &both, at(500)), Acknowledged { any: true, key_update: true });
    assert!(flights.all_acknowledged() && !flights.needs_epoch(3));
    assert_eq!(flights.next_timeout(), None);
    assert_eq!(flights.under_way.capacity(), 0, "an idle association keeps no room for flights");
}

#[test]
fn each_flight_has_its_own_timer() {
    let (mut flights, mut sealer) = (after_handshake(), FakeSealer::default());
    flights.begin(3, TICKET, vec![1; 100], at(0)).unwrap();
    sent(&mut flights, &mut sealer);
    flights.begin(3, TICKET, vec![2; 100], at(300)).unwrap();
    sent(&mut flights, &mut sealer);
    flights.handle_timeout(at(400)).unwrap();
    assert_eq!(messages(&sent(&mut flights, &mut sealer)), [6]);
    flights.handle_timeout(at(700)).unwrap();
    assert_eq!(messages(&sent(&mut flights, &mut sealer)), [7]);
    assert_eq!(flights.next_timeout(), Some(at(400 + 800)), "the first one waits twice as long now");
    flights.handle_timeout(at(1_199)).unwrap();
    assert!(sent(&mut flights, &mut sealer).is_empty());
}

#[test]
fn a_partial_ack_leaves_the_other_parts_and_the_other_flights() {
    let (mut flights, mut sealer) = (after_handshake(), FakeSealer::default());
    flights.begin(3, TICKET, vec![1; 3_000], at(0)).unwrap();
    flights.begin(3, TICKET, vec![2; 10], at(0)).unwrap();
    let first = sent(&mut flights, &mut sealer);
    let large = numbers(&first, 6);
    assert!(large.len() >= 3);
    assert_eq!(ack(&mut flights, &large[..1], at(10)), Acknowledged::default());
    let missing = sent(&mut flights, &mut sealer);
    assert_eq!(numbers(&missing, 6).len(), large.len() - 1, "at once (RFC 9147 section 7.2)");
    assert_eq!(numbers(&missing, 7), [], "of which the ACK says nothing");
    assert!(ack(&mut flights, &numbers(&missing, 6), at(20)).any);
    assert!(ack(&mut flights, &numbers(&first, 7), at(20)).any);
    assert!(flights.all_acknowledged());
}

#[test]
fn an_empty_ack_asks_for_every_flight_again() {
    let (mut flights, mut sealer) = (after_handshake(), FakeSealer::default());
    for _ in 0..2 {
        flights.begin(3, TICKET, vec![1; 10], at(0)).unwrap();
    }
    sent(&mut flights, &mut sealer);
    assert_eq!(ack(&mut flights, &[], at(10)), Acknowledged::default());
    assert_eq!(messages(&sent(&mut flights, &mut sealer)), [6, 7]);
    ack(&mut flights, &[], at(11));
    assert!(sent(&mut flights, &mut sealer).is_empty(), "at most once per half of the timer");
}

#[test]
fn a_flight_that_is_never_acknowledged_ends_the_association() {
    let (mut flights, mut sealer) = (after_handshake(), FakeSealer::default());
    flights.begin(3, TICKET, vec![1; 10], at(0)).unwrap();
    let mut times = 0;
    let outcome = loop {
        sent(&mut flights, &mut sealer);
        let Some(timeout) = flights.next_timeout() else { panic!("it waits for an ACK") };
        times += 1;
        if let Err(error) = flights.handle_timeout(timeout) {
            break error;
        }
    };
    assert_eq!((outcome, times), (Error::HandshakeTimeout, 13));
}

#[test]
fn there_are_no_more_flights_than_numbers() {
    let mut flights = after_handshake();
    flights.numbers = MessageNumbers::for_test(u16::MAX);
    assert_eq!(flights.begin(3, TICKET, vec![1], at(0)), Ok(u16::MAX));
    assert_eq!(flights.begin(3, TICKET, vec![1], at(0)), Err(Error::OwnMessageTooLarge));
}

#[test]
fn our_finished_is_out_when_all_of_it_was_sent_once() {
    let (mut flights, mut sealer) = (after_own_finished(), FakeSealer::default());
    assert!(!flights.finished_is_out());
    let first = sent(&mut flights, &mut sealer);
    assert!(flights.finished_is_out());
    flights.handle_timeout(at(400)).unwrap();
    assert!(flights.finished_is_out(), "also while it waits to be sent again");
    assert!(ack(&mut flights, &numbers(&first, 6), at(500)).any);
    assert!(after_handshake().finished_is_out(), "a server's has arrived");
}

/// Its ACK was lost, but what came after it could not have been read without it.
#[test]
fn an_ack_of_a_later_flight_acknowledges_our_finished() {
    let (mut flights, mut sealer) = (after_own_finished(), FakeSealer::default());
    flights.begin(3, TICKET, vec![1; 10], at(0)).unwrap();
    flights.begin(3, TICKET, vec![2; 10], at(0)).unwrap();
    let first = sent(&mut flights, &mut sealer);
    assert_eq!(first.concat().len(), 3, "the Finished in epoch 2 and two tickets in epoch 3");
    assert!(ack(&mut flights, &[(3, 1)], at(10)).any);
    assert!(!flights.needs_epoch(2) && flights.needs_epoch(3), "the other one has its own ACK");
    assert!(ack(&mut flights, &[(3, 0)], at(10)).any);
    assert!(flights.all_acknowledged());
}

#[test]
fn copies_of_the_answered_flight_bring_ours_and_later_ones_an_ack() {
    let (mut flights, mut sealer) = (after_own_finished(), FakeSealer::default());
    sent(&mut flights, &mut sealer);
    let fragment = |message_seq| Fragment {
        msg_type: HandshakeType::FINISHED,
        length: 32,
        message_seq,
        offset: 0,
        payload: &[1; 32],
    };
    assert!(!flights.copy_arrived(2, &fragment(4), at(10)));
    assert!(sent(&mut flights, &mut sealer).is_empty(), "not its end");
    assert!(!flights.copy_arrived(2, &fragment(5), at(10)));
    assert!(sent(&mut flights, &mut sealer).is_empty(), "the flight that was just sent answers this one too");
    assert!(!flights.copy_arrived(2, &fragment(5), at(200)));
    let again = sent(&mut flights, &mut sealer);
    assert_eq!(messages(&again), [6]);
    assert!(flights.copy_arrived(3, &fragment(6), at(210)), "what came after it has its own ACK");
    ack(&mut flights, &numbers(&again, 6), at(220));
    assert!(!flights.copy_arrived(2, &fragment(5), at(500)));
    assert!(sent(&mut flights, &mut sealer).is_empty(), "it has arrived");
}

#[test]
fn whole_messages_are_acknowledged_at_once_and_parts_within_a_quarter_of_the_timeout() {
    let mut flights = after_handshake();
    flights.acknowledge(RecordNumber { epoch: 3, sequence: 1 }, false, at(0));
    assert_eq!(flights.next_timeout(), Some(at(100)));
    flights.acknowledge(RecordNumber { epoch: 3, sequence: 2 }, true, at(10));
    assert_eq!(flights.next_timeout(), Some(at(10)));
}
