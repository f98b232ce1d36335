//! Records and epochs that are not authenticated, in both versions alike: nothing foreign, replayed or damaged ends an
//! association, is delivered or keeps its neighbours from being (threats 17, 18, 32, 33 and 38).

use drystone_handshake::{Discard, ProtocolVersion};
use drystone_record::{ContentType, RecordNumber};
use drystone_tests::rogue::{Duel, Scene, Script, Step, connects_and_talks, raw_record, raw_unified_record};

fn in_every_state() -> impl Iterator<Item = Scene> {
    Script::BOTH.into_iter().flat_map(|script| script.states())
}

fn connected() -> impl Iterator<Item = Duel> {
    Script::BOTH.into_iter().flat_map(|script| script.connected())
}

#[test]
fn threat_17_a_replayed_packet_is_delivered_once() {
    for mut duel in connected() {
        let packet = duel.rogue.data(b"once");
        for _ in 0..100 {
            duel.give(&packet);
        }
        assert_eq!(duel.victim.received, [b"once"]);
        assert_eq!(duel.victim.discards(Discard::Replayed), 99);
        // Too old to tell.
        let old = duel.rogue.data(b"old");
        for _ in 0..1_000 {
            duel.rogue.data(b"lost");
        }
        let new = duel.rogue.data(b"new");
        duel.give(&new);
        duel.give(&old);
        assert_eq!(duel.victim.received, [&b"once"[..], b"new"]);
        assert_eq!(duel.victim.discards(Discard::TooOld), 1);
    }
}

#[test]
fn threat_18_epochs_other_than_the_expected_are_dropped_in_every_state() {
    for script in Script::BOTH {
        // Classic records have one epoch under keys in DTLS 1.2, and none in DTLS 1.3.
        let first = if script.version == ProtocolVersion::DTLS_1_2 { 2 } else { 1 };
        for (mut duel, rest) in script.states() {
            let mut answers = 0;
            for epoch in (first..=4).chain([255, 256, 257, 0x7fff, 0xffff]) {
                for content_type in 20..=27 {
                    let number = RecordNumber { epoch, sequence: 3 };
                    answers +=
                        usize::from(duel.give(&raw_record(ContentType(content_type), number, &[1; 40])) > 0);
                }
            }
            let dropped = duel.victim.discards(Discard::FutureEpoch)
                + duel.victim.discards(Discard::UnknownEpoch)
                + duel.victim.discards(Discard::UnexpectedConnectionId);
            assert!(dropped >= 56, "{rest:?}: {dropped}: {:?}", duel.victim.connection().stats());
            for epoch in 0..4 {
                answers += usize::from(duel.give(&raw_unified_record(epoch, 3, &[1; 40])) > 0);
            }
            // RFC 6347 section 4.2.4 permits to repeat the last flight, as for any other sign that it was lost.
            assert!(answers <= 1, "{rest:?}: {answers} answers at one moment");
            connects_and_talks(&mut duel, rest, "after foreign epochs");
        }
    }
}

/// Bad records before, and after, each good one, in the same datagram.
#[test]
fn threat_32_a_good_record_beside_bad_ones_is_processed() {
    let bad = |sequence| {
        [
            raw_record(ContentType::HANDSHAKE, RecordNumber { epoch: 1, sequence: 900 }, &[3; 50]),
            raw_unified_record(2, 900, &[3; 50]),
            raw_record(ContentType::HANDSHAKE, RecordNumber { epoch: 0, sequence }, &[0xff; 11]),
            raw_record(ContentType::HEARTBEAT, RecordNumber { epoch: 0, sequence }, &[0xff; 11]),
            raw_unified_record(1, 1, &[0; 20]),
            raw_unified_record(3, 1, &[0; 3]),
        ]
        .concat()
    };
    for (mut duel, steps) in Script::BOTH.into_iter().flat_map(|script| script.beginnings()) {
        for (place, step) in steps.iter().enumerate() {
            let good = duel.rogue.perform(*step);
            let sequence = 100 + place as u64;
            duel.give(&[bad(sequence), good, bad(sequence)].concat());
        }
        assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
        for _ in 0..3 {
            let data = duel.rogue.data(b"good");
            duel.give(&[bad(200), data, bad(300)].concat());
        }
        assert_eq!(duel.victim.received, [b"good"; 3]);
    }
}

#[test]
fn threat_33_plaintext_application_data_is_delivered_in_no_state() {
    for (mut duel, rest) in in_every_state() {
        for sequence in 0..20 {
            let number = RecordNumber { epoch: 0, sequence };
            assert_eq!(duel.give(&raw_record(ContentType::APPLICATION_DATA, number, b"forged")), 0);
        }
        assert!(duel.victim.received.is_empty());
        assert_eq!(duel.victim.discards(Discard::UnexpectedContentType), 20);
        connects_and_talks(&mut duel, rest, "after plaintext data");
    }
}

#[test]
fn threat_38_every_flipped_bit_of_a_packet_is_dropped() {
    for mut duel in connected() {
        let packet = duel.rogue.data(b"a genuine packet");
        for bit in 0..packet.len() * 8 {
            assert_eq!(duel.give(&flipped(&packet, bit)), 0, "bit {bit}");
            assert!(duel.victim.received.is_empty(), "bit {bit}");
        }
        assert!(duel.victim.events.is_empty());
        duel.give(&packet);
        assert_eq!(duel.victim.received.pop().as_deref(), Some(&b"a genuine packet"[..]));
        duel.talk();
    }
}

#[test]
fn threat_38_every_flipped_bit_of_a_protected_finished_is_dropped() {
    for script in Script::BOTH {
        // A flip in a classic header's epoch or type makes other records, which have tests of their own.
        let is_classic = script.version == ProtocolVersion::DTLS_1_2;
        let first = if is_classic { 13 * 8 } else { 0 };
        for mut duel in script.before_finished() {
            let finished = duel.rogue.perform(Step::Finished);
            for bit in first..finished.len() * 8 {
                let answers = duel.give(&flipped(&finished, bit));
                assert_eq!(answers, 0, "bit {bit}");
                assert!(!duel.victim.is_connected() && duel.victim.error().is_none(), "bit {bit}");
            }
            duel.give(&finished);
            assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
            duel.talk();
        }
    }
}

fn flipped(record: &[u8], bit: usize) -> Vec<u8> {
    let mut damaged = record.to_vec();
    damaged[bit / 8] ^= 1 << (bit % 8);
    damaged
}
