//! Which epochs are alive: look-up, promotion, retirement, and the older epochs that retransmissions need.

mod support;

use drystone_record::*;
use proptest::prelude::*;
use std::time::Duration;
use support::*;

const SECOND: Duration = Duration::from_secs(1);

fn unified_writer(epoch: u64) -> WriteEpoch {
    WriteEpoch::new(epoch, Shape::Unified.protection(Limits::NONE))
}

fn unified_reader(epoch: u64) -> ReadEpoch {
    ReadEpoch::new(epoch, Shape::Unified.protection(Limits::NONE), AdmittedTypes::UNIFIED)
}

fn plaintext_reader() -> ReadEpochs {
    let admitted = AdmittedTypes::UNIFIED_PLAINTEXT;
    ReadEpochs::new(ReadEpoch::new(0, Protection::plaintext(), admitted))
}

fn receive(epochs: &mut ReadEpochs, datagram: &[u8], now: Duration) -> Result<RecordNumber, OpenError> {
    let mut datagram = datagram.to_vec();
    let record = Records::new(&mut datagram).next_record(0).unwrap().unwrap();
    epochs.open(record, now).map(|opened| opened.number)
}

fn alive(epochs: &ReadEpochs) -> Vec<u64> {
    (0..12).filter(|&epoch| epochs.get(epoch).is_some()).collect()
}

#[test]
fn installing_retires_by_the_rules() {
    let mut epochs = plaintext_reader();
    for (install, expected) in [
        (2, &[0, 2][..]),
        (3, &[0, 2, 3]),
        // 4 has the low bits of 0; 2 is two behind, but outlives 4.
        (4, &[2, 3, 4]),
        (5, &[4, 5]),
        (6, &[5, 6]),
        (7, &[6, 7]),
    ] {
        epochs.install(unified_reader(install));
        assert_eq!(alive(&epochs), expected, "after {install}");
        assert_eq!(epochs.newest(), Some(install));
    }
}

/// The handshake of DTLS 1.2: epoch 0 stays beside epoch 1 until it is retired by name.
#[test]
fn plaintext_is_retired_by_name_only() {
    let mut epochs = plaintext_reader();
    epochs.install(Shape::Explicit.reader());
    let record = seal_data(&mut Shape::Explicit.writer(), b"finished");
    assert!(receive(&mut epochs, &record, SECOND).is_ok());
    assert_eq!((epochs.current(), epochs.next_retirement()), (1, None));
    epochs.retire_expired(Duration::MAX);
    assert_eq!(alive(&epochs), [0, 1]);
    epochs.retire(0);
    assert_eq!(alive(&epochs), [1]);
    let hello = seal(&mut WriteEpoch::new(0, Protection::plaintext()), ContentType::HANDSHAKE, b"hello");
    let outcome = receive(&mut epochs, &hello.unwrap(), SECOND);
    assert_eq!(outcome, Err(OpenError::Discard(Discard::UnknownEpoch)));
}

#[test]
fn the_first_opened_record_promotes_its_epoch() {
    let mut epochs = plaintext_reader();
    epochs.install(unified_reader(2));
    epochs.install(unified_reader(3));
    assert_eq!(epochs.current(), 0);
    let (mut two, mut three) = (unified_writer(2), unified_writer(3));
    assert!(receive(&mut epochs, &seal_data(&mut two, b""), SECOND).is_ok());
    assert_eq!((epochs.current(), epochs.next_retirement()), (2, None));

    let mut forged = seal_data(&mut three, b"forged");
    *forged.last_mut().unwrap() ^= 1;
    assert!(receive(&mut epochs, &forged, SECOND).is_err());
    assert_eq!((epochs.current(), epochs.next_retirement()), (2, None), "a forgery promoted");

    assert!(receive(&mut epochs, &seal_data(&mut three, b"data"), 10 * SECOND).is_ok());
    assert_eq!(epochs.current(), 3);
    assert_eq!(epochs.next_retirement(), Some(250 * SECOND));
    // Later records neither promote nor extend.
    assert!(receive(&mut epochs, &seal_data(&mut two, b"repeat"), 20 * SECOND).is_ok());
    assert!(receive(&mut epochs, &seal_data(&mut three, b"data"), 30 * SECOND).is_ok());
    assert_eq!((epochs.current(), epochs.next_retirement()), (3, Some(250 * SECOND)));
}

#[test]
fn an_epoch_that_is_followed_lives_for_the_retention_time() {
    let mut epochs = ReadEpochs::new(unified_reader(2));
    epochs.install(unified_reader(3));
    let (mut two, mut three) = (unified_writer(2), unified_writer(3));
    assert!(receive(&mut epochs, &seal_data(&mut three, b"data"), SECOND).is_ok());
    let end = SECOND + RETENTION;
    let just_before = end - Duration::from_micros(1);
    assert!(receive(&mut epochs, &seal_data(&mut two, b"repeat"), just_before).is_ok());
    // Its time is over, whether the timer came or not.
    let late = receive(&mut epochs, &seal_data(&mut two, b"repeat"), end);
    assert_eq!(late, Err(OpenError::Discard(Discard::UnknownEpoch)));
    epochs.retire_expired(just_before);
    assert_eq!(alive(&epochs), [2, 3]);
    epochs.retire_expired(end);
    assert_eq!(alive(&epochs), [3]);
    assert_eq!(epochs.next_retirement(), None);
}

/// A second change of keys gives the oldest epoch no second term.
#[test]
fn later_promotions_do_not_extend_a_retention() {
    let mut epochs = ReadEpochs::new(unified_reader(2));
    epochs.install(unified_reader(3));
    assert!(receive(&mut epochs, &seal_data(&mut unified_writer(3), b"data"), SECOND).is_ok());
    epochs.install(unified_reader(4));
    assert!(receive(&mut epochs, &seal_data(&mut unified_writer(4), b"data"), 9 * SECOND).is_ok());
    epochs.retire_expired(SECOND + RETENTION);
    assert_eq!(alive(&epochs), [3, 4]);
    assert_eq!(epochs.next_retirement(), Some(9 * SECOND + RETENTION));
}

/// Ten changes of keys, each record opened in its own epoch by two bits alone, the old one too.
#[test]
fn key_updates_pass_over_the_two_bits() {
    let mut epochs = ReadEpochs::new(unified_reader(3));
    let mut old = unified_writer(3);
    for epoch in 4..14 {
        epochs.install(unified_reader(epoch));
        let mut new = unified_writer(epoch);
        let number = receive(&mut epochs, &seal_data(&mut old, b"last of the old"), SECOND).unwrap();
        assert_eq!(number.epoch, epoch - 1);
        let number = receive(&mut epochs, &seal_data(&mut new, b"first"), SECOND).unwrap();
        assert_eq!(number, RecordNumber { epoch, sequence: 0 });
        let number = receive(&mut epochs, &seal_data(&mut old, b"late"), SECOND).unwrap();
        assert_eq!(number.epoch, epoch - 1);
        assert_eq!(epochs.current(), epoch);
        old = new;
    }
}

/// Before the peer's KeyUpdate there is no next epoch: its records are no forgeries of ours either.
#[test]
fn the_next_epoch_exists_from_its_installation_on() {
    let mut epochs = ReadEpochs::new(unified_reader(3));
    assert!(receive(&mut epochs, &seal_data(&mut unified_writer(3), b"data"), SECOND).is_ok());
    let mut next = unified_writer(4);
    let early = receive(&mut epochs, &seal_data(&mut next, b"early"), SECOND);
    assert_eq!(early, Err(OpenError::Discard(Discard::UnknownEpoch)));
    assert_eq!(epochs.get(3).unwrap().forgeries(), 0);
    epochs.install(unified_reader(4));
    assert_eq!((epochs.current(), epochs.newest()), (3, Some(4)));
    assert!(receive(&mut epochs, &seal_data(&mut next, b"in time"), SECOND).is_ok());
    assert_eq!(epochs.current(), 4);
}

/// RFC 9147 section 8: the old keys stay "until receipt and successful decryption of a message using the new keys",
/// since our ACK may be lost. However long that takes.
#[test]
fn the_keys_before_an_update_stay_until_the_first_record_under_the_new_ones() {
    let mut epochs = ReadEpochs::new(unified_reader(3));
    let mut old = unified_writer(3);
    assert!(receive(&mut epochs, &seal_data(&mut old, b"data"), SECOND).is_ok());
    epochs.install(unified_reader(4));
    let mut forged = seal_data(&mut unified_writer(4), b"forged");
    *forged.last_mut().unwrap() ^= 1;
    assert!(receive(&mut epochs, &forged, SECOND).is_err());
    let much_later = 100 * RETENTION;
    epochs.retire_expired(much_later);
    assert!(receive(&mut epochs, &seal_data(&mut old, b"repeated KeyUpdate"), much_later).is_ok());
    assert_eq!(epochs.next_retirement(), None);

    assert!(receive(&mut epochs, &seal_data(&mut unified_writer(4), b"data"), much_later).is_ok());
    assert!(receive(&mut epochs, &seal_data(&mut old, b"late"), much_later + SECOND).is_ok());
    let after = receive(&mut epochs, &seal_data(&mut old, b"too late"), much_later + RETENTION);
    assert_eq!(after, Err(OpenError::Discard(Discard::UnknownEpoch)));
}

/// The peer's last flight, repeated: it is read during the first update of keys, and not any more after the second.
#[test]
fn the_handshake_epoch_outlives_one_update() {
    let mut epochs = ReadEpochs::new(unified_reader(2));
    let mut handshake = unified_writer(2);
    for epoch in 3..=5 {
        epochs.install(unified_reader(epoch));
        let repeat = receive(&mut epochs, &seal_data(&mut handshake, b"Finished"), SECOND);
        match epoch {
            5 => assert_eq!(repeat, Err(OpenError::Discard(Discard::UnknownEpoch))),
            _ => assert_eq!(repeat.unwrap().epoch, 2),
        }
        let mut writer = unified_writer(epoch);
        assert!(receive(&mut epochs, &seal_data(&mut writer, b"data"), SECOND).is_ok());
        assert_eq!(epochs.current(), epoch);
    }
}

/// The last epochs there are (RFC 9147 section 4.2.1: "MUST NOT allow the epoch to wrap"), and the one after them.
#[test]
fn threat_20_the_last_epochs_work_and_none_follows() {
    assert_eq!((MAX_EPOCH, RecordNumber::MAX_SEQUENCE), (0xffff_ffff_ffff, 0xffff_ffff_ffff));
    let mut epochs = ReadEpochs::new(unified_reader(MAX_EPOCH - 3));
    let mut writes = WriteEpochs::new(unified_writer(MAX_EPOCH - 3));
    for epoch in MAX_EPOCH - 2..=MAX_EPOCH {
        epochs.install(unified_reader(epoch));
        writes.install(unified_writer(epoch)).unwrap();
        let number = receive(&mut epochs, &seal_data(writes.current_mut(), b"data"), SECOND).unwrap();
        assert_eq!((number.epoch, epochs.current()), (epoch, epoch));
    }
    writes.install(unified_writer(MAX_EPOCH + 1)).unwrap();
    let refused = seal(writes.current_mut(), ContentType::APPLICATION_DATA, b"data");
    assert_eq!(refused, Err(SealError::EpochExhausted));
    // Nothing is computed from an epoch that could overflow.
    for epoch in [u64::MAX, u64::MAX - 1] {
        epochs.install(unified_reader(epoch));
        assert_eq!(epochs.newest(), Some(u64::MAX));
    }
}

proptest! {
    /// Whatever is installed when: no two epochs that are alive look alike in a header, and the newest is there.
    #[test]
    fn epochs_alive_are_told_apart_by_two_bits(
        steps in proptest::collection::vec((1_u64..6, any::<bool>(), 0_u64..100), 1..20),
    ) {
        let mut epochs = ReadEpochs::new(unified_reader(2));
        let (mut newest, mut now) = (2, Duration::ZERO);
        for (step, opens, seconds) in steps {
            newest += step;
            now += Duration::from_secs(seconds);
            epochs.install(unified_reader(newest));
            if opens {
                prop_assert!(receive(&mut epochs, &seal_data(&mut unified_writer(newest), b""), now).is_ok());
                prop_assert_eq!(epochs.current(), newest);
            }
            epochs.retire_expired(now);
            let alive: Vec<_> = (0..=newest).filter(|&epoch| epochs.get(epoch).is_some()).collect();
            let mut bits: Vec<_> = alive.iter().map(|epoch| epoch & 3).collect();
            bits.sort_unstable();
            bits.dedup();
            prop_assert_eq!(bits.len(), alive.len());
            prop_assert_eq!(alive.last(), Some(&newest));
            prop_assert!(alive.iter().all(|&epoch| epoch + 1 >= newest || epoch == 2 && newest < 5));
        }
    }
}

/// Many records pass; the number is found again from 16 bits, and from 8 with the reordering that they bear.
#[test]
fn numbers_are_reconstructed_over_long_runs() {
    let mut reader = unified_reader(3);
    let mut writer = unified_writer(3);
    for (form, step) in [(UnifiedForm::FULL, 32_000), (UnifiedForm::COMPACT, 100)] {
        writer.set_unified_form(form);
        for _ in 0..200 {
            let next = writer.next_number().sequence + step;
            writer.set_next_sequence(next).unwrap();
            let record = seal_data(&mut writer, b"far");
            assert_eq!(open(&mut reader, &record, 0).unwrap().0.sequence, next);
        }
    }
}

#[test]
fn a_future_epoch_is_told_from_an_unknown_one() {
    let mut epochs = plaintext_reader();
    let early = seal_data(&mut Shape::Explicit.writer(), b"early");
    let outcome = receive(&mut epochs, &early, SECOND);
    assert_eq!(outcome, Err(OpenError::Discard(Discard::FutureEpoch)));
    let outcome = receive(&mut epochs, &seal_data(&mut unified_writer(2), b"early"), SECOND);
    assert_eq!(outcome, Err(OpenError::Discard(Discard::UnknownEpoch)));
}

/// Opening is per epoch: the same number in two epochs is no replay.
#[test]
fn windows_are_per_epoch() {
    let mut epochs = ReadEpochs::new(unified_reader(2));
    epochs.install(unified_reader(3));
    for epoch in [2, 3] {
        let record = seal_data(&mut unified_writer(epoch), b"number 0");
        assert!(receive(&mut epochs, &record, SECOND).is_ok());
        let again = receive(&mut epochs, &record, SECOND);
        assert_eq!(again, Err(OpenError::Discard(Discard::Replayed)));
    }
    assert_eq!(epochs.get_mut(2).unwrap().largest_opened(), Some(0));
}

#[test]
fn write_epochs_keep_what_messages_still_name() {
    let mut epochs = WriteEpochs::new(WriteEpoch::new(0, Protection::plaintext()));
    for epoch in [2, 3, 4] {
        epochs.install(unified_writer(epoch)).unwrap();
        assert_eq!(epochs.current().epoch(), epoch);
    }
    let numbers: Vec<_> = epochs.iter().map(WriteEpoch::epoch).collect();
    assert_eq!(numbers, [0, 2, 3, 4]);
    seal_data(epochs.get_mut(2).unwrap(), b"again");
    assert_eq!(epochs.get(2).unwrap().next_number().sequence, 1);

    // Going back would repeat record numbers.
    for epoch in [0, 3, 4] {
        assert_eq!(epochs.install(unified_writer(epoch)), Err(EpochNotNewer));
    }
    epochs.retain(|epoch| epoch == 2);
    let numbers: Vec<_> = epochs.iter().map(WriteEpoch::epoch).collect();
    assert_eq!(numbers, [2, 4], "the current epoch always stays");
    assert!(epochs.get_mut(3).is_none());
    seal_data(epochs.current_mut(), b"data");
}

/// A server repeats the record number of the hello that it answers, and never goes back.
#[test]
fn numbers_only_go_forward() {
    let mut writer = WriteEpoch::new(0, Protection::plaintext());
    writer.set_next_sequence(7).unwrap();
    let record = seal(&mut writer, ContentType::HANDSHAKE, b"server hello").unwrap();
    assert_eq!(record[5..11], [0, 0, 0, 0, 0, 7]);
    assert_eq!(writer.set_next_sequence(7), Err(SequencePassed));
    assert_eq!(writer.next_number(), RecordNumber { epoch: 0, sequence: 8 });
}
