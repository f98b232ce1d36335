//! The limits on one key (RFC 9147 section 4.5.3, RFC 9846 section 5.5), injected small.

mod support;

use drystone_record::*;
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
