//! What leaves: packing, retransmission, acknowledgement, failure.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::{vec, vec::Vec};
use core::time::Duration;

use proptest::prelude::*;

use super::super::fake::{FakeSealer, Opened};
use super::super::fragment::Fragment;
use super::*;

fn sealer() -> FakeSealer {
    FakeSealer { padding: 5, suffix: 17, ..FakeSealer::default() }
}

fn body(length: usize, message_seq: u16) -> Vec<u8> {
    (0..length).map(|i| (i * 5 + i / 255) as u8 ^ message_seq as u8).collect()
}

/// A flight of messages (epoch, length), numbered from 0.
fn flight(reliability: Reliability, messages: &[(u64, usize)]) -> Outgoing {
    let mut outgoing = Outgoing::new(reliability);
    for (message_seq, &(epoch, length)) in messages.iter().enumerate() {
        let message_seq = message_seq as u16;
        outgoing.push_message(epoch, HandshakeType(40), message_seq, body(length, message_seq)).unwrap();
    }
    outgoing
}

/// Every datagram of the present transmission.
fn transmit(outgoing: &mut Outgoing, sealer: &mut FakeSealer, mtu: usize) -> Vec<Vec<u8>> {
    let mut out = vec![0xdd; 70_000];
    let mut datagrams = Vec::new();
    loop {
        let length = outgoing.write_datagram(sealer, &mut out, mtu, Duration::ZERO).unwrap();
        if length == 0 {
            return datagrams;
        }
        assert!(length <= mtu);
        datagrams.push(out[..length].to_vec());
    }
}

fn fragments(record: &Opened) -> Vec<Fragment<'_>> {
    assert_eq!(record.content_type, HANDSHAKE);
    let mut fragments = Vec::new();
    let mut rest = &record.payload[..];
    while !rest.is_empty() {
        let (fragment, after) = Fragment::split_first(rest).unwrap();
        assert!(!fragment.payload.is_empty() || fragment.length == 0, "an empty fragment");
        fragments.push(fragment);
        rest = after;
    }
    fragments
}

/// How often each byte of each message is in these datagrams.
fn counts(sealer: &FakeSealer, datagrams: &[Vec<u8>]) -> BTreeMap<u16, Vec<usize>> {
    let mut counts = BTreeMap::new();
    for record in datagrams.iter().flat_map(|datagram| sealer.open(datagram)) {
        for fragment in fragments(&record) {
            let start = fragment.offset as usize;
            let end = start + fragment.payload.len();
            let message = body(fragment.length as usize, fragment.message_seq);
            assert_eq!(fragment.payload, &message[start..end]);
            let of_message = counts.entry(fragment.message_seq).or_insert_with(|| vec![0; message.len()]);
            of_message[start..end].iter_mut().for_each(|count| *count += 1);
        }
    }
    counts
}

/// The packing rules, for a flight without ChangeCipherSpec that was sent to its end.
fn assert_packed(reliability: Reliability, sealer: &FakeSealer, datagrams: &[Vec<u8>], mtu: usize) {
    let shares_records = reliability == Reliability::Acked;
    for pair in datagrams.windows(2) {
        let (records, next) = (sealer.open(&pair[0]), sealer.open(&pair[1]));
        for two in records.windows(2).filter(|_| shares_records) {
            let full = two[0].payload.len() + HEADER_LEN >= MAX_PLAINTEXT;
            assert!(two[0].number.0 != two[1].number.0 || full, "one epoch, two records");
        }
        assert!(shares_records || records.iter().all(|record| fragments(record).len() == 1));
        let last = records.last().unwrap();
        let fragments = fragments(last);
        let cut = fragments.last().unwrap();
        let left = mtu - pair[0].len();
        if cut.end().unwrap() < cut.length {
            assert!(left == 0 || last.payload.len() == MAX_PLAINTEXT, "{left} bytes wasted");
        } else if next[0].number.0 == last.number.0 && shares_records {
            assert!(left <= HEADER_LEN, "{left} bytes wasted");
        } else {
            let (prefix, suffix) = sealer.overhead_of(next[0].number.0);
            assert!(left <= prefix + suffix + HEADER_LEN, "{left} bytes wasted");
        }
    }
}

#[test]
fn a_small_flight_is_one_datagram_with_a_record_per_epoch() {
    let mut outgoing = flight(Reliability::Acked, &[(0, 90), (2, 10), (2, 400), (2, 80), (2, 36)]);
    let mut sealer = sealer();
    let datagrams = transmit(&mut outgoing, &mut sealer, 1200);
    assert_eq!(datagrams.len(), 1);
    let records = sealer.open(&datagrams[0]);
    assert_eq!(records.iter().map(|record| fragments(record).len()).collect::<Vec<_>>(), [1, 4]);
    assert!(!outgoing.has_unsent() && !outgoing.is_empty() && !outgoing.is_acked());
}

#[test]
fn a_change_cipher_spec_keeps_its_place_and_is_repeated() {
    let mut outgoing = flight(Reliability::Implicit, &[(0, 60)]);
    outgoing.push_change_cipher_spec(0);
    outgoing.push_message(1, HandshakeType::FINISHED, 1, body(12, 1)).unwrap();
    assert!(outgoing.needs_epoch(0) && outgoing.needs_epoch(1) && !outgoing.needs_epoch(2));
    let mut sealer = sealer();
    for first in [0, 2] {
        let datagrams = transmit(&mut outgoing, &mut sealer, 1200);
        assert_eq!(datagrams.len(), 1);
        let records = sealer.open(&datagrams[0]);
        let shape: Vec<_> = records.iter().map(|record| (record.content_type, record.number)).collect();
        assert_eq!(shape, [(22, (0, first)), (20, (0, first + 1)), (22, (1, first / 2))]);
        assert_eq!(records[1].payload, [1]);
        outgoing.rewind();
    }
}

#[test]
fn a_change_cipher_spec_that_does_not_fit_starts_the_next_datagram() {
    let mut sealer = sealer();
    // Header and 12 bytes of fragment header around the message; a ChangeCipherSpec is 14 bytes.
    for (length, datagrams) in [(228 - 25 - 14, 1), (228 - 25 - 13, 2), (228 - 25, 2)] {
        let mut outgoing = flight(Reliability::Implicit, &[(0, length)]);
        outgoing.push_change_cipher_spec(0);
        assert_eq!(transmit(&mut outgoing, &mut sealer, 228).len(), datagrams, "{length}");
    }
}

#[test]
fn records_are_never_larger_than_2_to_the_14() {
    let mut outgoing = flight(Reliability::Implicit, &[(2, 60_000)]);
    let mut sealer = sealer();
    let datagrams = transmit(&mut outgoing, &mut sealer, 65_507);
    assert_eq!(datagrams.len(), 1);
    let records = sealer.open(&datagrams[0]);
    assert_eq!(records.iter().map(|record| record.payload.len()).max(), Some(MAX_PLAINTEXT));
    assert!(counts(&sealer, &datagrams)[&0].iter().all(|&count| count == 1));
    assert_eq!(records.iter().map(|record| record.length).sum::<usize>(), datagrams[0].len());
}

#[test]
fn the_buffer_bounds_the_datagram_as_well() {
    let mut outgoing = flight(Reliability::Implicit, &[(2, 3000)]);
    let mut out = [0; 300];
    assert_eq!(outgoing.write_datagram(&mut sealer(), &mut out, 1200, Duration::ZERO), Ok(300));
}

#[test]
fn too_small_is_a_value_and_loses_nothing() {
    let mut outgoing = flight(Reliability::Implicit, &[(2, 50)]);
    let mut sealer = sealer();
    let (prefix, suffix) = sealer.overhead_of(2);
    let mut out = [0; 1200];
    for mtu in 0..=prefix + suffix + HEADER_LEN {
        assert_eq!(
            outgoing.write_datagram(&mut sealer, &mut out, mtu, Duration::ZERO),
            Err(WriteError::TooSmall),
            "{mtu}"
        );
    }
    assert_eq!(
        outgoing.write_datagram(&mut sealer, &mut [], 1200, Duration::ZERO),
        Err(WriteError::TooSmall)
    );
    let datagrams = transmit(&mut outgoing, &mut sealer, prefix + suffix + HEADER_LEN + 1);
    assert_eq!(datagrams.len(), 50);
    assert!(counts(&sealer, &datagrams)[&0].iter().all(|&count| count == 1));
}

#[test]
fn a_message_longer_than_the_header_can_say_is_refused() {
    let mut outgoing = Outgoing::new(Reliability::Implicit);
    let most = MAX_LENGTH as usize;
    assert_eq!(outgoing.push_message(0, HandshakeType(40), 0, vec![0; most + 1]), Err(MessageTooLong));
    assert!(outgoing.is_empty());
    assert_eq!(outgoing.push_message(0, HandshakeType(40), 0, vec![0; most]), Ok(()));
}

#[test]
fn missing_keys_are_an_error_until_they_exist() {
    let mut outgoing = flight(Reliability::Implicit, &[(10, 50)]);
    assert_eq!(
        outgoing.write_datagram(&mut sealer(), &mut [0; 1200], 1200, Duration::ZERO),
        Err(SealFailed.into())
    );
    assert!(outgoing.has_unsent());
}

/// A failure at any record: the bytes that go out before and after are the flight, once.
#[test]
fn threat_23_a_failure_at_any_point_loses_and_repeats_nothing() {
    for failing in 0..9 {
        let mut outgoing = flight(Reliability::Acked, &[(0, 90), (2, 10), (2, 900), (2, 80), (2, 36)]);
        let mut sealer = FakeSealer { left: Some(failing), ..sealer() };
        let mut out = [0; 1200];
        let mut datagrams = Vec::new();
        loop {
            match outgoing.write_datagram(&mut sealer, &mut out, 228, Duration::ZERO) {
                Ok(0) => break,
                Ok(length) => datagrams.push(out[..length].to_vec()),
                Err(WriteError::Seal(SealFailed)) => sealer.left = None,
                Err(error) => panic!("{error}"),
            }
        }
        let counts = counts(&sealer, &datagrams);
        assert_eq!(counts.len(), 5);
        assert!(counts.values().flatten().all(|&count| count == 1));
    }
}

/// Each message is sealed with its own epoch's keys, however often and however small it is sent.
#[test]
fn threat_22_a_retransmission_keeps_the_epoch_of_each_message() {
    let messages = [(0, 90), (2, 700), (3, 40)];
    let mut outgoing = flight(Reliability::Acked, &messages);
    let mut sealer = sealer();
    let mut numbers = Vec::new();
    for mtu in [1200, 508, 228] {
        for record in
            transmit(&mut outgoing, &mut sealer, mtu).iter().flat_map(|datagram| sealer.open(datagram))
        {
            for fragment in fragments(&record) {
                assert_eq!(record.number.0, messages[fragment.message_seq as usize].0);
            }
            numbers.push(record.number);
        }
        outgoing.rewind();
    }
    let all = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), all, "a record number was used twice");
}

#[test]
fn an_acknowledged_flight_goes_out_ten_records_at_a_time() {
    let mut sealer = sealer();
    let mut outgoing = flight(Reliability::Acked, &[(2, 4000)]);
    let mut seen = vec![0; 4000];
    let mut note = |sealer: &FakeSealer, datagrams: &[Vec<u8>]| {
        for (count, more) in seen.iter_mut().zip(&counts(sealer, datagrams)[&0]) {
            *count += more;
        }
        seen.iter().filter(|&&count| count > 0).count()
    };
    let first = transmit(&mut outgoing, &mut sealer, 228);
    assert_eq!(first.len(), 10);
    let sent = note(&sealer, &first);
    assert!(!outgoing.has_unsent());
    // Nobody acknowledges: the timer sends the rest before it repeats anything.
    outgoing.rewind();
    let second = transmit(&mut outgoing, &mut sealer, 228);
    assert_eq!(second.len(), 10);
    assert_eq!(note(&sealer, &second), 2 * sent);
    outgoing.rewind();
    let third = transmit(&mut outgoing, &mut sealer, 228);
    assert_eq!(note(&sealer, &third), 4000);
    assert!(seen.iter().all(|&count| count == 1));
    // Then it starts again.
    outgoing.rewind();
    let again = transmit(&mut outgoing, &mut sealer, 228);
    assert_eq!(counts(&sealer, &again)[&0][0], 1);

    let mut outgoing = flight(Reliability::Implicit, &[(2, 4000)]);
    assert!(transmit(&mut outgoing, &mut sealer, 228).len() > 20);
}

#[test]
fn acknowledged_messages_are_freed_and_needed_epochs_shrink() {
    let mut sealer = sealer();
    let mut outgoing = flight(Reliability::Acked, &[(0, 90), (2, 5000), (2, 36)]);
    let datagrams = transmit(&mut outgoing, &mut sealer, 1200);
    let before = outgoing.held_bytes();
    assert!(before > 5000);
    let numbers: Vec<_> =
        datagrams.iter().flat_map(|datagram| sealer.open(datagram)).map(|r| r.number).collect();
    assert!(outgoing.on_ack([(0, 99), (7, 0), (u64::MAX, u64::MAX)]).is_none(), "unknown numbers");
    assert!(outgoing.on_ack([numbers[0]]).is_some());
    assert!(outgoing.on_ack([numbers[0]]).is_none(), "once");
    assert!(!outgoing.needs_epoch(0) && outgoing.needs_epoch(2));
    assert!(outgoing.on_ack(numbers).is_some());
    assert!(outgoing.is_acked() && outgoing.is_empty() && !outgoing.has_unsent());
    assert_eq!(outgoing.held_bytes(), 0);
}

#[test]
fn a_message_pushed_during_a_transmission_follows_it() {
    let mut sealer = sealer();
    let mut outgoing = flight(Reliability::Acked, &[(2, 50)]);
    let first = transmit(&mut outgoing, &mut sealer, 1200);
    outgoing.push_message(2, HandshakeType(40), 1, body(0, 1)).unwrap();
    outgoing.push_message(2, HandshakeType(40), 2, body(60, 2)).unwrap();
    assert!(outgoing.on_ack(sealer.open(&first[0]).iter().map(|record| record.number)).is_some());
    let second = transmit(&mut outgoing, &mut sealer, 1200);
    assert_eq!(counts(&sealer, &second).into_keys().collect::<Vec<_>>(), [1, 2]);
    assert!(outgoing.on_ack(sealer.open(&second[0]).iter().map(|record| record.number)).is_some());
    assert!(outgoing.is_acked(), "an empty message can be acknowledged too");
}

#[test]
fn without_acknowledgements_every_retransmission_is_the_whole_flight() {
    let mut sealer = sealer();
    let mut outgoing = flight(Reliability::Implicit, &[(0, 300), (1, 500)]);
    for _ in 0..3 {
        let datagrams = transmit(&mut outgoing, &mut sealer, 228);
        assert!(outgoing.on_ack(sealer.open(&datagrams[0]).iter().map(|record| record.number)).is_none());
        let counts = counts(&sealer, &datagrams);
        assert_eq!(counts.values().flatten().sum::<usize>(), 800);
        outgoing.rewind();
    }
    outgoing.clear();
    assert!(outgoing.is_empty() && transmit(&mut outgoing, &mut sealer, 228).is_empty());
}

/// message_seq, offset and length of each fragment in these datagrams.
fn places(sealer: &FakeSealer, datagrams: &[Vec<u8>]) -> Vec<(u16, usize, usize)> {
    let records = datagrams.iter().flat_map(|datagram| sealer.open(datagram));
    let place =
        |fragment: Fragment<'_>| (fragment.message_seq, fragment.offset as usize, fragment.payload.len());
    records
        .filter(|record| record.content_type == HANDSHAKE)
        .flat_map(|record| fragments(&record).into_iter().map(place).collect::<Vec<_>>())
        .collect()
}

#[test]
fn what_an_ack_leaves_keeps_the_bounds_of_its_fragments() {
    let mut sealer = sealer();
    let mut outgoing = flight(Reliability::Acked, &[(2, 90), (2, 2800), (2, 400)]);
    let first = transmit(&mut outgoing, &mut sealer, 1200);
    let sent = places(&sealer, &first);
    assert_eq!((first.len(), sent.len()), (3, 5));
    // The first message and the beginning of the second have arrived: the rest would fit in other cuts.
    let arrived = sealer.open(&first[0])[0].number;
    assert!(outgoing.on_ack([arrived]).is_some());
    for mtu in [1200, 1500, 1200] {
        outgoing.rewind();
        let again = transmit(&mut outgoing, &mut sealer, mtu);
        assert_eq!(places(&sealer, &again), sent[2..], "{mtu}");
    }
}

#[test]
fn a_smaller_path_cuts_fragments_within_their_bounds_and_a_larger_one_leaves_them() {
    let mut sealer = sealer();
    let mut outgoing = flight(Reliability::Implicit, &[(0, 100), (0, 1500)]);
    let mut sent_at = |outgoing: &mut Outgoing, mtu| {
        let datagrams = transmit(outgoing, &mut sealer, mtu);
        outgoing.rewind();
        places(&sealer, &datagrams)
    };
    let whole = sent_at(&mut outgoing, 1200);
    let small = sent_at(&mut outgoing, 508);
    let (_, second_cut, _) = whole[2];
    assert!(
        small.iter().any(|&(seq, offset, _)| (seq, offset) == (1, second_cut)),
        "{small:?} after {whole:?}"
    );
    assert_eq!(sent_at(&mut outgoing, 1200), small);
}

fn messages() -> impl Strategy<Value = Vec<(u64, usize)>> {
    // Epochs in the order in which a flight has them.
    proptest::collection::vec((0u64..4, prop_oneof![Just(0), 1usize..200, 200usize..5000]), 1..7).prop_map(
        |mut messages| {
            messages.sort_by_key(|message| message.0);
            messages
        },
    )
}

proptest! {
    #[test]
    fn any_flight_is_packed_tightly_and_sent_once(
        messages in messages(), mtu in 228usize..1500, padding in 0usize..40, suffix in 0usize..40,
    ) {
        for reliability in [Reliability::Implicit, Reliability::Acked] {
            let mut sealer = FakeSealer { padding, suffix, ..FakeSealer::default() };
            let mut outgoing = flight(reliability, &messages);
            let datagrams = transmit(&mut outgoing, &mut sealer, mtu);
            assert_packed(reliability, &sealer, &datagrams, mtu);
            let counts = counts(&sealer, &datagrams);
            prop_assert!(counts.values().flatten().all(|&count| count <= 1));
            // Of a larger flight that is acknowledged this is the first burst only.
            let records: usize = datagrams.iter().map(|datagram| sealer.open(datagram).len()).sum();
            if reliability == Reliability::Implicit || records < 10 {
                prop_assert_eq!(counts.len(), messages.len());
                prop_assert!(counts.values().flatten().all(|&count| count == 1));
            }
        }
    }

    /// What was acknowledged is never sent again, what was not always is, whatever is lost and however the
    /// flight is cut.
    #[test]
    fn acknowledged_bytes_are_never_sent_again_and_others_always_are(
        messages in messages(), rounds in proptest::collection::vec((228usize..1500, any::<u64>()), 1..12),
    ) {
        let mut sealer = sealer();
        let mut outgoing = flight(Reliability::Acked, &messages);
        let mut acked: Vec<_> = messages.iter().map(|&(_, length)| (false, vec![false; length])).collect();
        let (mut earlier, mut smallest) = (BTreeSet::new(), usize::MAX);
        for (mtu, arrived) in rounds {
            // To the end of the flight, burst after burst.
            let mut datagrams = Vec::new();
            loop {
                datagrams.extend(transmit(&mut outgoing, &mut sealer, mtu));
                let paused = outgoing.burst_is_over() && outgoing.piece(outgoing.cursor).is_some();
                outgoing.rewind();
                if !paused {
                    break;
                }
            }
            let counts = counts(&sealer, &datagrams);
            for (message_seq, (whole, bytes)) in acked.iter().enumerate() {
                let sent = counts.get(&(message_seq as u16));
                prop_assert_eq!(sent.is_some(), !whole);
                for (index, &acked) in bytes.iter().enumerate() {
                    prop_assert_eq!(sent.map_or(0, |sent| sent[index]), usize::from(!acked));
                }
            }
            // Fragments keep their bounds, and are cut within them only if the datagrams have become smaller.
            let places = places(&sealer, &datagrams);
            let has_shrunk = mtu < smallest;
            smallest = smallest.min(mtu);
            for &(seq, offset, length) in &places {
                let is_known = earlier.contains(&(seq, offset, length));
                let is_within = |&&(other, at, most): &&(u16, usize, usize)| {
                    other == seq && at <= offset && offset + length <= at + most
                };
                prop_assert!(earlier.is_empty() || is_known || has_shrunk && earlier.iter().any(|place| is_within(&place)));
            }
            earlier.extend(places);
            let records = datagrams.iter().flat_map(|datagram| sealer.open(datagram));
            let received: Vec<_> =
                records.enumerate().filter(|(i, _)| arrived >> (i % 64) & 1 == 1).map(|(_, r)| r).collect();
            for fragment in received.iter().flat_map(fragments) {
                let (whole, bytes) = &mut acked[fragment.message_seq as usize];
                bytes[fragment.offset as usize..][..fragment.payload.len()].fill(true);
                *whole = bytes.iter().all(|&acked| acked);
            }
            prop_assert_eq!(outgoing.on_ack(received.iter().map(|record| record.number)).is_some(), !received.is_empty());
            prop_assert_eq!(outgoing.is_acked(), acked.iter().all(|(whole, _)| *whole));
        }
    }
}
