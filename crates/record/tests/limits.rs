//! The limits on one key (RFC 9147 section 4.5.3, RFC 9846 section 5.5), injected small.

mod support;

use drystone_record::*;
use std::time::Duration;
use support::*;

const FORGED: OpenError = OpenError::Discard(Discard::AuthenticationFailed);

fn confidentiality(confidentiality: ConfidentialityLimit) -> Limits {
    Limits { confidentiality, ..Limits::NONE }
}

fn seal_data_fits(writer: &mut WriteEpoch) -> bool {
    seal(writer, ContentType::APPLICATION_DATA, &[1; 100]).is_ok()
}

#[test]
fn blocks_are_counted_and_refused() {
    for shape in AUTHENTIC {
        // 100 bytes are 7 blocks, under unified headers with the content type too; the tag is one more.
        let mut writer = shape.writer_with(confidentiality(ConfidentialityLimit::Blocks(83)));
        let mut sealed = 0;
        while sealed < 20 && seal_data_fits(&mut writer) {
            sealed += 1;
            // 7/8 of 83, rounded up, are 73: after the tenth record.
            assert_eq!(writer.nears_limit(), sealed >= 10, "{shape:?} {sealed}");
        }
        assert_eq!(sealed, 10);
        let refused = seal(&mut writer, ContentType::APPLICATION_DATA, &[1; 100]);
        assert_eq!(refused, Err(SealError::KeyLimit));
        // What is left is enough for an alert.
        assert!(seal(&mut writer, ContentType::ALERT, &[1, 0]).is_ok());
        assert_eq!(writer.next_number().sequence, 11);
    }
}

#[test]
fn records_are_counted_and_refused() {
    let mut writer = Shape::Unified.writer_with(confidentiality(ConfidentialityLimit::Records(8)));
    for sealed in 1..=8 {
        assert!(seal(&mut writer, ContentType::ALERT, &vec![1; sealed * 100]).is_ok());
        assert_eq!(writer.nears_limit(), sealed >= 7);
    }
    assert_eq!(seal(&mut writer, ContentType::ALERT, &[]), Err(SealError::KeyLimit));
    assert_eq!(writer.next_number().sequence, 8);
}

#[test]
fn without_a_limit_only_the_sequence_ends() {
    let mut writer = Shape::UnifiedChaCha.writer_with(Limits::CHACHA20_POLY1305);
    for _ in 0..1000 {
        seal_data(&mut writer, &[1; 1000]);
    }
    assert!(!writer.nears_limit());
    writer.set_next_sequence(RecordNumber::MAX_SEQUENCE / 8 * 7).unwrap();
    assert!(!writer.nears_limit());
    writer.set_next_sequence(RecordNumber::MAX_SEQUENCE / 8 * 7 + 8).unwrap();
    assert!(writer.nears_limit());
}

#[test]
fn threat_77_forgeries_are_counted_until_the_key_opens_nothing() {
    for shape in AUTHENTIC {
        let mut reader = shape.reader_with(Limits { forgeries: 5, ..Limits::NONE });
        let mut writer = shape.writer();
        let mut forged = seal_data(&mut writer, b"forged");
        *forged.last_mut().unwrap() ^= 1;
        for count in 1..=4 {
            assert_eq!(open(&mut reader, &forged, 0), Err(FORGED));
            assert_eq!(reader.forgeries(), count);
            assert_eq!(reader.nears_forgery_limit(), count >= 3);
        }
        let genuine = seal_data(&mut writer, b"genuine");
        assert!(open(&mut reader, &genuine, 0).is_ok());
        assert_eq!(open(&mut reader, &forged, 0), Err(OpenError::ForgeryLimit), "{shape:?}");
        let genuine = seal_data(&mut writer, b"genuine");
        assert_eq!(open(&mut reader, &genuine, 0), Err(OpenError::ForgeryLimit));
    }
}

/// What is dropped before the AEAD runs is no attempt at forgery: it must not use up the key.
#[test]
fn threat_77_only_failed_authentications_count() {
    for shape in AUTHENTIC {
        let mut reader = shape.reader_with(Limits { forgeries: 1, ..Limits::NONE });
        let genuine = seal_data(&mut shape.writer(), b"genuine");
        assert!(open(&mut reader, &genuine, 0).is_ok());
        for _ in 0..10 {
            assert_eq!(open(&mut reader, &genuine, 0), Err(OpenError::Discard(Discard::Replayed)));
            let short = if shape.is_unified() {
                b"\x2f\0\0\0\x01x".to_vec()
            } else {
                b"\x17\xfe\xfd\0\x01\0\0\0\0\0\x09\0\x01x".to_vec()
            };
            assert_eq!(open(&mut reader, &short, 0), Err(OpenError::Discard(Discard::TooShort)));
            let inadmissible = b"\x18\xfe\xfd\0\x01\0\0\0\0\0\x09\0\x01x";
            assert!(matches!(open(&mut reader, inadmissible, 0), Err(OpenError::Discard(_))));
        }
        assert_eq!(reader.forgeries(), 0);
    }
}

/// Between half of the forgeries and all of them there is time to ask the peer for new keys, and the question is about
/// the newest ones only.
#[test]
fn threat_77_new_keys_are_asked_for_at_half_of_the_forgeries() {
    let limits = Limits { forgeries: 6, ..Limits::NONE };
    let reader = |epoch| ReadEpoch::new(epoch, Shape::Unified.protection(limits), AdmittedTypes::UNIFIED);
    let mut epochs = ReadEpochs::new(reader(3));
    for forgeries in 1..=4 {
        assert_eq!(receive(&mut epochs, &forged(3)), Err(FORGED));
        assert_eq!(epochs.nears_forgery_limit(), forgeries >= 3, "{forgeries}");
    }
    // The peer's KeyUpdate came; nothing was opened with its keys yet.
    epochs.install(reader(4));
    assert!(!epochs.nears_forgery_limit());
}

/// RFC 9147 section 4.5.3: keys that new ones have followed may go instead of the association. Else whoever can forge
/// could end it with records of an epoch that is no longer in use.
#[test]
fn threat_77_an_older_key_goes_alone() {
    let limits = Limits { forgeries: 3, ..Limits::NONE };
    let reader = |epoch| ReadEpoch::new(epoch, Shape::Unified.protection(limits), AdmittedTypes::UNIFIED);
    let mut epochs = ReadEpochs::new(reader(2));
    epochs.install(reader(3));
    for _ in 0..2 {
        assert_eq!(receive(&mut epochs, &forged(2)), Err(FORGED));
    }
    assert!(receive(&mut epochs, &genuine(3, 0)).is_ok());
    // Up to here epoch 2 was in use, and its end would have been the end of all.
    assert!(receive(&mut epochs, &genuine(2, 0)).is_ok());
    assert_eq!(receive(&mut epochs, &forged(2)), Err(FORGED));
    let after = receive(&mut epochs, &genuine(2, 1));
    assert_eq!(after, Err(OpenError::Discard(Discard::UnknownEpoch)));
    assert!(receive(&mut epochs, &genuine(3, 1)).is_ok());

    // The key in use takes the association with it, also while the next one waits for its first record: the peer may
    // have nothing else yet.
    epochs.install(reader(4));
    for forgeries in 1..=5 {
        let expected = if forgeries < 3 { FORGED } else { OpenError::ForgeryLimit };
        assert_eq!(receive(&mut epochs, &forged(3)), Err(expected), "{forgeries}");
    }
}

/// RFC 9147 section 4.5.3, RFC 9846 section 5.5, RFC 9325 section 4.4.
#[test]
fn the_limits_of_the_algorithms() {
    use ConfidentialityLimit::*;
    // 2^24.5 records of 2^14 bytes in blocks of 16 bytes.
    let full_records = 2_f64.powf(24.5) * 1024.0;
    for (limits, confidentiality, forgeries) in [
        (Limits::AES_GCM_13, Blocks(full_records as u64), 2_f64.powi(36)),
        (Limits::AES_GCM_12, Blocks(full_records as u64), 2_f64.powi(28)),
        (Limits::CHACHA20_POLY1305, SequenceOnly, 2_f64.powi(36)),
        (Limits::AES_CCM, Records(1 << 23), 2_f64.powf(23.5)),
        (Limits::AES_CCM_8, Records(1 << 23), 2_f64.powi(7)),
    ] {
        assert_eq!(limits, Limits { confidentiality, forgeries: forgeries as u64 });
    }
}

fn genuine(epoch: u64, sequence: u64) -> Vec<u8> {
    let mut writer = WriteEpoch::new(epoch, Shape::Unified.protection(Limits::NONE));
    writer.set_next_sequence(sequence).unwrap();
    seal_data(&mut writer, b"genuine")
}

fn forged(epoch: u64) -> Vec<u8> {
    let mut record = genuine(epoch, 9);
    *record.last_mut().unwrap() ^= 1;
    record
}

fn receive(epochs: &mut ReadEpochs, datagram: &[u8]) -> Result<RecordNumber, OpenError> {
    let mut datagram = datagram.to_vec();
    let record = Records::new(&mut datagram).next_record(0).unwrap().unwrap();
    epochs.open(record, Duration::ZERO).map(|opened| opened.number)
}
