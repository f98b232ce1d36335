//! Threats to the record layer, one test per past vulnerability. The number in a test's name is the row of the list of
//! threats; nothing here knows handshakes.

mod support;

use drystone_record::*;
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::*;

const FORGED: OpenError = OpenError::Discard(Discard::AuthenticationFailed);

/// OpenSSL CVE-2016-2181: the window moved for a record that was not authentic.
#[test]
fn threat_17_forged_number_does_not_move_the_window() {
    for shape in AUTHENTIC {
        let mut writer = shape.writer();
        let mut reader = shape.reader();
        let genuine = seal_data(&mut writer, b"genuine");
        let mut forged = seal_data(&mut writer, b"forged");
        if shape.is_unified() {
            // 0x2e, number, number: whatever number the flipped bits unmask to.
            forged[1] ^= 0x7f;
            forged[2] ^= 0xff;
        } else {
            forged[5..11].fill(0xff);
        }
        assert_eq!(open(&mut reader, &forged, 0), Err(FORGED), "{shape:?}");
        assert_eq!(reader.largest_opened(), None);
        assert_eq!(open(&mut reader, &genuine, 0).unwrap().2, b"genuine");
        assert_eq!(reader.largest_opened(), Some(0));
        assert_eq!(reader.forgeries(), 1);
    }
}

/// The same, between genuine records: a forgery far ahead does not push older ones out of the window.
#[test]
fn threat_17_genuine_records_stay_in_the_window_after_forgeries() {
    for shape in AUTHENTIC {
        let mut writer = shape.writer();
        let mut reader = shape.reader();
        let records: Vec<_> = (0..100_u8).map(|n| seal_data(&mut writer, &[n])).collect();
        assert!(open(&mut reader, &records[99], 0).is_ok());
        writer.set_next_sequence(5000).unwrap();
        let mut forged = seal_data(&mut writer, b"far ahead");
        *forged.last_mut().unwrap() ^= 1;
        for _ in 0..10 {
            assert_eq!(open(&mut reader, &forged, 0), Err(FORGED));
        }
        for (n, record) in records[..99].iter().enumerate() {
            assert_eq!(open(&mut reader, record, 0).unwrap().2, [n as u8], "{shape:?}");
        }
    }
}

/// Duplicates are dropped, in any order, and a number far behind is too old.
#[test]
fn threat_17_replays_are_discarded() {
    for shape in AUTHENTIC {
        let mut writer = shape.writer();
        let mut reader = shape.reader();
        let records: Vec<_> = (0..200_u8).map(|n| seal_data(&mut writer, &[n])).collect();
        assert!(open(&mut reader, &records[150], 0).is_ok());
        assert!(open(&mut reader, &records[100], 0).is_ok());
        for n in [150, 100] {
            let again = open(&mut reader, &records[n], 0);
            assert_eq!(again, Err(OpenError::Discard(Discard::Replayed)), "{shape:?}");
        }
        let old = open(&mut reader, &records[150 - 128], 0);
        assert_eq!(old, Err(OpenError::Discard(Discard::TooOld)));
        assert!(open(&mut reader, &records[150 - 127], 0).is_ok());
        assert_eq!(reader.forgeries(), 0);
    }
}

/// tinydtls CVE-2021-42142: epochs other than the expected ones are dropped.
#[test]
fn threat_18_other_epochs_are_dropped() {
    for shape in AUTHENTIC {
        let mut reader = ReadEpochs::new(shape.reader());
        // Epoch 7 would have the same low bits as 3: a unified header cannot tell them apart.
        for epoch in (0..7).filter(|&epoch| epoch != shape.epoch()) {
            let mut writer = WriteEpoch::new(epoch, shape.protection(Limits::NONE));
            let mut datagram = seal_data(&mut writer, b"data");
            let record = Records::new(&mut datagram).next_record(0).unwrap().unwrap();
            let expected = match epoch > shape.epoch() && !shape.is_unified() {
                true => Discard::FutureEpoch,
                false => Discard::UnknownEpoch,
            };
            let outcome = reader.open(record, Duration::ZERO);
            assert_eq!(outcome, Err(OpenError::Discard(expected)), "{shape:?} {epoch}");
        }
    }
}

/// wolfSSL PR 11177, Botan PR 5801: a counter that wraps repeats nonces.
#[test]
fn threat_20_sequence_numbers_and_epochs_never_wrap() {
    for shape in SHAPES {
        let mut writer = shape.writer();
        writer.set_next_sequence(RecordNumber::MAX_SEQUENCE).unwrap();
        assert!(writer.nears_limit());
        let last = seal(&mut writer, ContentType::ALERT, &[1, 0]).unwrap();
        assert_eq!(writer.next_number().sequence, RecordNumber::MAX_SEQUENCE + 1);
        for _ in 0..3 {
            let refused = seal(&mut writer, ContentType::ALERT, &[1, 0]);
            assert_eq!(refused, Err(SealError::SequenceExhausted));
        }
        assert_eq!(writer.set_next_sequence(0), Err(SequencePassed));
        if !shape.is_unified() {
            // A classic header carries the whole number, so that the peer can follow the leap.
            let opened = open(&mut shape.reader(), &last, 0).unwrap();
            assert_eq!(opened.0.sequence, RecordNumber::MAX_SEQUENCE);
        }

        let largest = if shape.is_unified() { MAX_EPOCH } else { 0xffff };
        let mut writer = WriteEpoch::new(largest, shape.protection(Limits::NONE));
        assert!(seal(&mut writer, ContentType::ALERT, &[1, 0]).is_ok());
        let mut writer = WriteEpoch::new(largest + 1, shape.protection(Limits::NONE));
        let refused = seal(&mut writer, ContentType::ALERT, &[1, 0]);
        assert_eq!(refused, Err(SealError::EpochExhausted));
    }
}

/// A number is used at most once, whatever calls fail between: a log of all nonces holds no pair.
#[test]
fn threat_20_no_nonce_is_used_twice() {
    let log = Arc::new(Mutex::new(HashSet::new()));
    let key = || Box::new(NullKey { nonces: Some(log.clone()), fails: false });
    for unified in [false, true] {
        log.lock().unwrap().clear();
        let protection = if unified {
            let mask = ring::MASK_AES_128.key(&[0; 16]).unwrap();
            Protection::unified(key(), 16, [0; 12], mask, Limits::NONE)
        } else {
            Protection::classic(key(), 16, ClassicNonce::Explicit { salt: [0; 4] }, Limits::NONE)
        };
        let mut writer = WriteEpoch::new(2, protection);
        let mut buffer = [0; 64];
        let mut sealed = 0;
        for round in 0..1000_usize {
            // Some of these have too little room, and use up no number.
            let start = round % 40;
            match writer.seal(ContentType::HANDSHAKE, &mut buffer, start..start + 4) {
                Ok(record) => {
                    assert_eq!(record.number.sequence, sealed);
                    sealed += 1;
                }
                Err(SealError::PrefixTooSmall) => assert!(start < writer.overhead().prefix),
                Err(other) => panic!("{other}"),
            }
        }
        assert!(sealed > 100);
        assert_eq!(log.lock().unwrap().len() as u64, sealed);
    }
}

/// An AEAD that failed may have used its nonce all the same.
#[test]
fn threat_20_a_number_that_could_not_be_sealed_is_not_tried_again() {
    let log = Arc::new(Mutex::new(HashSet::new()));
    let key = Box::new(NullKey { nonces: Some(log.clone()), fails: true });
    let mask = ring::MASK_AES_128.key(&[0; 16]).unwrap();
    let mut writer = WriteEpoch::new(3, Protection::unified(key, 16, [0; 12], mask, Limits::NONE));
    for sequence in 0..3 {
        assert_eq!(writer.next_number().sequence, sequence);
        let refused = seal(&mut writer, ContentType::APPLICATION_DATA, b"data");
        assert_eq!(refused, Err(SealError::Aead));
    }
    assert_eq!(log.lock().unwrap().len(), 3);
}

/// pion CVE-2026-26014: random explicit nonces collide. Ours is the record number, seen on the wire.
#[test]
fn threat_21_the_explicit_nonce_on_the_wire_is_the_record_number() {
    let mut writer = Shape::Explicit.writer();
    for sequence in [0, 1, 0xff_ffff, 0x0102_0304_0506] {
        writer.set_next_sequence(sequence).unwrap();
        let record = seal_data(&mut writer, b"data");
        assert_eq!(record[13..21], record[3..11]);
        assert_eq!(record[13..21], ((1 << 48) | sequence).to_be_bytes());
    }
}

/// Mbed TLS 2.2.1: one bad record hid the later ones of its datagram.
#[test]
fn threat_32_a_good_record_after_a_bad_one_is_opened() {
    for shape in AUTHENTIC {
        let mut writer = shape.writer();
        let mut reader = shape.reader();
        let mut bad = seal_data(&mut writer, b"bad");
        *bad.last_mut().unwrap() ^= 1;
        let replayed = seal_data(&mut writer, b"replayed");
        assert!(open(&mut reader, &replayed, 0).is_ok());
        let other_epoch = b"\x17\xfe\xfd\x00\x07\0\0\0\0\0\0\0\x05other".to_vec();
        let too_short = if shape.is_unified() {
            b"\x2f\0\0\0\x03abc".to_vec()
        } else {
            b"\x17\xfe\xfd\x00\x01\0\0\0\0\0\x63\0\x03abc".to_vec()
        };
        let good = seal_data(&mut writer, b"good");
        let mut datagram = [bad, replayed, other_epoch, too_short, good].concat();

        let mut records = Records::new(&mut datagram);
        let mut discards = Vec::new();
        let mut payloads = Vec::new();
        while let Some(record) = records.next_record(0) {
            match reader.open(record.unwrap()) {
                Ok(opened) => payloads.push(opened.payload.to_vec()),
                Err(OpenError::Discard(reason)) => discards.push(reason),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(payloads, [b"good"], "{shape:?}");
        use Discard::*;
        assert_eq!(discards, [AuthenticationFailed, Replayed, UnknownEpoch, TooShort]);
    }
}

/// OpenSSL CVE-2026-75806, wolfSSL CVE-2026-5778: every body shorter than nonce and tag.
#[test]
fn threat_36_bodies_shorter_than_nonce_and_tag_are_dropped() {
    for (shape, shortest) in
        [(Shape::Explicit, 24), (Shape::Implicit, 16), (Shape::Unified, 16), (Shape::NullUnified(0), 16)]
    {
        for length in 0..shortest {
            let mut reader = shape.reader();
            let mut datagram = header_of(shape, length);
            datagram.resize(datagram.len() + usize::from(length), 0);
            let outcome = open(&mut reader, &datagram, 0);
            assert_eq!(outcome, Err(OpenError::Discard(Discard::TooShort)), "{shape:?} {length}");
            assert_eq!(reader.forgeries(), 0);
        }
    }
}

/// wolfSSL CVE-2026-5778: records of every length from 0 to 64 bytes, whole and cut off, in each epoch.
#[test]
fn threat_37_all_record_lengths_are_survived() {
    for shape in AUTHENTIC {
        for length in 0..=64_u8 {
            for fill in [0, 0xff, 0x2f, 22] {
                let mut datagram = header_of(shape, length);
                datagram.resize(datagram.len() + usize::from(length), fill);
                let outcome = open(&mut shape.reader(), &datagram, 0);
                assert!(matches!(outcome, Err(OpenError::Discard(_))), "{shape:?} {length}: {outcome:?}");
                datagram.pop();
                let outcome = open(&mut shape.reader(), &datagram, 0);
                assert_eq!(outcome, Err(OpenError::Discard(Discard::Truncated)));
            }
            // Raw bytes of that length, each first byte.
            for first in 0..=255 {
                let mut datagram = vec![first; usize::from(length)];
                let mut records = Records::new(&mut datagram);
                while let Some(record) = records.next_record(usize::from(length % 9)) {
                    let Ok(record) = record else { continue };
                    let mut epochs = ReadEpochs::new(shape.reader());
                    let outcome = epochs.open(record, Duration::ZERO);
                    assert!(matches!(outcome, Err(OpenError::Discard(_))));
                }
            }
        }
    }
}

/// RFC 9147 section 4.5.2, RFC 6347 section 4.1.2.7: a flipped bit in each place is a discard, and the genuine record
/// is opened afterwards.
#[test]
fn threat_38_every_flipped_bit_is_a_silent_discard() {
    for shape in AUTHENTIC {
        let mut reader = shape.reader();
        let genuine = seal_data(&mut shape.writer(), b"some payload");
        for bit in 0..genuine.len() * 8 {
            let mut damaged = genuine.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let outcome = open(&mut reader, &damaged, 0);
            assert!(matches!(outcome, Err(OpenError::Discard(_))), "{shape:?} {bit}: {outcome:?}");
        }
        assert_eq!(open(&mut reader, &genuine, 0).unwrap().2, b"some payload");
    }
}

/// wolfSSL PR 11177: where the peer must write a connection id, records without one are dropped, and the other way round.
#[test]
fn threat_65_a_stripped_connection_id_is_dropped() {
    for shape in AUTHENTIC {
        let mut writer = shape.writer();
        let without = seal_data(&mut writer, b"without");
        writer.set_connection_id(b"\x01\x02").unwrap();
        let with = seal_data(&mut writer, b"with");
        let protection = || shape.protection(Limits::NONE);

        let mut strict = ReadEpoch::new(shape.epoch(), protection(), shape.admitted(true));
        let missing = OpenError::Discard(Discard::MissingConnectionId);
        assert_eq!(open(&mut strict, &without, 2), Err(missing));
        let opened = open(&mut strict, &with, 2).unwrap();
        assert_eq!((opened.1, &opened.2[..]), (ContentType::APPLICATION_DATA, &b"with"[..]));

        let mut plain = ReadEpoch::new(shape.epoch(), protection(), shape.admitted(false));
        let unexpected = OpenError::Discard(Discard::UnexpectedContentType);
        assert_eq!(open(&mut plain, &with, 2), Err(unexpected));
        let uncut = OpenError::Discard(Discard::UnexpectedConnectionId);
        assert_eq!(open(&mut plain, &with, 0), Err(uncut));
    }
}

proptest! {
    /// RFC 9846 section 5.3: under a unified header the nonce is the whole number, of which the wire has 16 bits, XORed
    /// with the IV.
    #[test]
    fn threat_21_the_nonce_of_a_unified_record_is_its_number(
        iv in any::<[u8; 12]>(), sequence in 0..=RecordNumber::MAX_SEQUENCE,
    ) {
        let log = Arc::new(Mutex::new(HashSet::new()));
        let key = Box::new(NullKey { nonces: Some(log.clone()), fails: false });
        let mask = ring::MASK_AES_128.key(&[0; 16]).unwrap();
        let mut writer = WriteEpoch::new(3, Protection::unified(key, 16, iv, mask, Limits::NONE));
        writer.set_next_sequence(sequence).unwrap();
        seal_data(&mut writer, b"data");
        let mut nonce = iv;
        nonce[4..].iter_mut().zip(sequence.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
        prop_assert_eq!(&*log.lock().unwrap(), &HashSet::from([nonce]));
    }

    /// Any bytes, any epoch: nothing but discards.
    #[test]
    fn threat_38_garbage_is_only_ever_discarded(
        first in prop_oneof![20_u8..28, 32_u8..64],
        rest in proptest::collection::vec(any::<u8>(), 0..100),
        own in 0_usize..10,
    ) {
        for shape in AUTHENTIC {
            let mut reader = shape.reader();
            let mut datagram = [&[first][..], &rest].concat();
            let mut records = Records::new(&mut datagram);
            while let Some(record) = records.next_record(own) {
                if let Ok(record) = record {
                    let outcome = reader.open(record);
                    prop_assert!(matches!(outcome, Err(OpenError::Discard(_))), "{:?}", outcome);
                }
            }
            prop_assert_eq!(reader.largest_opened(), None);
        }
    }
}

/// A header of this shape's own epoch that promises a body of so many bytes.
fn header_of(shape: Shape, length: u8) -> Vec<u8> {
    if shape.is_unified() {
        vec![0b0010_1100 | 3, 0, 0, 0, length]
    } else {
        vec![23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, length]
    }
}
