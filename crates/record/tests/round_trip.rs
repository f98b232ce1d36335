//! What is sealed opens again, in every shape, form and length, and what cannot be sealed is refused without a trace.

mod support;

use drystone_record::*;
use proptest::prelude::*;
use support::*;

/// All payloads of 0 to 64 bytes, each shape: the payload, its type and its number come back, and the tightest buffer
/// is enough.
#[test]
fn all_short_lengths_in_every_shape() {
    for shape in SHAPES {
        let mut writer = shape.writer();
        let mut reader = shape.reader();
        for length in 0..=64_u8 {
            let payload = vec![length; usize::from(length)];
            let record = seal(&mut writer, ContentType::HANDSHAKE, &payload).unwrap();
            let (number, content_type, opened) = open(&mut reader, &record, 0).unwrap();
            assert_eq!(opened, payload, "{shape:?}");
            assert_eq!(content_type, ContentType::HANDSHAKE);
            assert_eq!(number, RecordNumber { epoch: shape.epoch(), sequence: length.into() });
        }
    }
}

/// RFC 9147 section 4.2.3: with a short tag, short payloads are padded to the 16 bytes that the mask samples; with a
/// full tag nothing is.
#[test]
fn padding_reaches_the_mask_and_no_further() {
    for (tag, sealed) in [(0, [16, 16, 16, 17, 33]), (8, [16, 16, 24, 25, 41]), (16, [17, 24, 32, 33, 49])] {
        let mut writer = Shape::NullUnified(tag).writer();
        for (payload, body) in [0, 7, 15, 16, 32].into_iter().zip(sealed) {
            let record = seal_data(&mut writer, &vec![1; payload]);
            assert_eq!(record.len(), 5 + body, "tag {tag}, payload {payload}");
            assert!(writer.overhead().total() >= writer.overhead_of(payload).total());
        }
    }
}

/// The overheads that the handshake packs by.
#[test]
fn overheads() {
    let overhead = |shape: Shape| shape.writer().overhead();
    let plaintext = WriteEpoch::new(0, Protection::plaintext()).overhead();
    assert_eq!(plaintext, Overhead { prefix: 13, suffix: 0 });
    assert_eq!(overhead(Shape::Explicit), Overhead { prefix: 21, suffix: 16 });
    assert_eq!(overhead(Shape::Implicit), Overhead { prefix: 13, suffix: 16 });
    assert_eq!(overhead(Shape::Unified), Overhead { prefix: 5, suffix: 17 });
    let mut writer = Shape::Unified.writer();
    writer.set_unified_form(UnifiedForm::COMPACT);
    assert_eq!(writer.overhead(), Overhead { prefix: 2, suffix: 17 });
    writer.set_connection_id(b"four").unwrap();
    assert_eq!(writer.overhead(), Overhead { prefix: 6, suffix: 17 });
    let mut writer = Shape::Explicit.writer();
    writer.set_connection_id(b"four").unwrap();
    assert_eq!(writer.overhead(), Overhead { prefix: 25, suffix: 17 });
}

/// Records of one buffer: each lies where its range says, and the rest is untouched.
#[test]
fn sealing_touches_only_the_record() {
    for shape in SHAPES {
        let mut writer = shape.writer();
        let Overhead { prefix, suffix } = writer.overhead_of(10);
        let mut buffer = [0xee; 200];
        let start = 50 + prefix;
        let sealed = writer.seal(ContentType::ALERT, &mut buffer, start..start + 10).unwrap();
        assert_eq!(sealed.range, 50..start + 10 + suffix);
        assert!(buffer[..50].iter().all(|&byte| byte == 0xee), "{shape:?}");
        assert!(buffer[sealed.range.end..].iter().all(|&byte| byte == 0xee));
        let opened = open(&mut shape.reader(), &buffer[sealed.range], 0).unwrap();
        assert_eq!(opened.2, [0xee; 10]);
    }
}

#[test]
fn what_does_not_fit_is_refused_and_uses_no_number() {
    for shape in SHAPES {
        let mut writer = shape.writer();
        let Overhead { prefix, suffix } = writer.overhead_of(10);
        let mut buffer = vec![0; prefix + 10 + suffix];
        let mut seal = |payload, buffer: &mut [u8]| writer.seal(ContentType::ALERT, buffer, payload);
        assert_eq!(seal(prefix - 1..prefix + 9, &mut buffer), Err(SealError::PrefixTooSmall));
        let end = buffer.len() - 1;
        if suffix > 0 {
            let refused = seal(prefix..prefix + 10, &mut buffer[..end]);
            assert_eq!(refused, Err(SealError::SuffixTooSmall), "{shape:?}");
        }
        let outside = seal(prefix..buffer.len() + 1, &mut buffer);
        assert_eq!(outside, Err(SealError::PayloadOutsideBuffer));
        #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake")]
        let reversed = seal(10..5, &mut buffer);
        assert_eq!(reversed, Err(SealError::PayloadOutsideBuffer));
        assert!(buffer.iter().all(|&byte| byte == 0));
        assert_eq!(seal(prefix..prefix + 10, &mut buffer).unwrap().number.sequence, 0);
    }
}

#[test]
fn the_largest_payload_is_two_to_the_fourteen() {
    for shape in SHAPES {
        let (mut writer, mut reader) = (shape.writer(), shape.reader());
        let largest = vec![3; MAX_PAYLOAD];
        let record = seal_data(&mut writer, &largest);
        assert_eq!(open(&mut reader, &record, 0).unwrap().2, largest);
        let refused = seal(&mut writer, ContentType::ALERT, &vec![3; MAX_PAYLOAD + 1]);
        assert_eq!(refused, Err(SealError::PayloadTooLarge));
        assert_eq!(writer.next_number().sequence, 1);
    }
    let mut writer = Shape::Explicit.writer();
    writer.set_connection_id(b"id").unwrap();
    let refused = seal(&mut writer, ContentType::ALERT, &vec![3; MAX_PAYLOAD]);
    assert_eq!(refused, Err(SealError::PayloadTooLarge));
    assert!(seal(&mut writer, ContentType::ALERT, &vec![3; MAX_PAYLOAD - 1]).is_ok());
}

/// An authentic record of more than 2^14 bytes is the peer's fault and fatal; a plaintext one is nobody's.
#[test]
fn overlong_records() {
    // Sealed by hand, since we refuse: the null AEAD without a tag.
    let body = vec![1; MAX_PAYLOAD + 2];
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let classic = [
        &[23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0][..],
        &(8 + u16::from_be_bytes(length)).to_be_bytes(),
        &[0; 8],
        &body,
    ]
    .concat();
    let mut reader = Shape::NullClassic(0).reader();
    assert_eq!(open(&mut reader, &classic, 0), Err(OpenError::RecordOverflow));
    let unified = [&[0b0010_1111, 0, 0][..], &length, &body].concat();
    let mut reader = Shape::NullUnified(0).reader();
    assert_eq!(open(&mut reader, &unified, 0), Err(OpenError::RecordOverflow));

    let plain = [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &length, &body].concat();
    let protection = Protection::plaintext();
    let mut reader = ReadEpoch::new(0, protection, AdmittedTypes::CLASSIC_PLAINTEXT);
    assert_eq!(open(&mut reader, &plain, 0), Err(OpenError::Discard(Discard::TooLong)));
    assert!(peek_plaintext(&plain).is_none());
}

/// RFC 9846 section 5.4: an authentic record without a content type is fatal.
#[test]
fn a_record_of_zeros_has_no_content_type() {
    let record = [&[0b0010_1111, 0, 0, 0, 20][..], &[0; 20]].concat();
    let mut reader = Shape::NullUnified(0).reader();
    assert_eq!(open(&mut reader, &record, 0), Err(OpenError::MissingContentType));
    // An AEAD with a full tag around nothing at all.
    let mut writer = Shape::NullUnified(16).writer();
    let record = seal(&mut writer, ContentType(0), b"").unwrap();
    let mut reader = Shape::NullUnified(16).reader();
    assert_eq!(open(&mut reader, &record, 0), Err(OpenError::MissingContentType));
}

/// Padding of any length is taken off (RFC 9147 section 4).
#[test]
fn padding_of_the_peer_is_taken_off() {
    for zeros in [0, 1, 15, 300] {
        let mut inner = b"data\x17".to_vec();
        inner.resize(inner.len().max(16) + zeros, 0);
        let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
        let record = [&[0b0010_1111, 0, 0][..], &length, &inner].concat();
        let (_, content_type, payload) = open(&mut Shape::NullUnified(0).reader(), &record, 0).unwrap();
        assert_eq!((content_type, &payload[..]), (ContentType::APPLICATION_DATA, &b"data"[..]));
    }
}

/// Epoch 0 has no window: a copy is handed out again, and a number may go back.
#[test]
fn plaintext_has_no_replay_window() {
    let mut writer = WriteEpoch::new(0, Protection::plaintext());
    let mut reader = ReadEpoch::new(0, Protection::plaintext(), AdmittedTypes::CLASSIC_PLAINTEXT);
    writer.set_next_sequence(RecordNumber::MAX_SEQUENCE).unwrap();
    let late = seal(&mut writer, ContentType::HANDSHAKE, b"late").unwrap();
    let mut writer = WriteEpoch::new(0, Protection::plaintext());
    let early = seal(&mut writer, ContentType::HANDSHAKE, b"early").unwrap();
    for _ in 0..2 {
        assert_eq!(open(&mut reader, &late, 0).unwrap().0.sequence, RecordNumber::MAX_SEQUENCE);
        assert_eq!(open(&mut reader, &early, 0).unwrap().0.sequence, 0);
    }
    assert_eq!(reader.largest_opened(), None);
}

#[test]
fn the_header_version_is_that_of_plaintext_only() {
    let mut writer = WriteEpoch::new(0, Protection::plaintext());
    writer.set_header_version(0xfeff);
    let first = seal(&mut writer, ContentType::HANDSHAKE, b"hello").unwrap();
    assert_eq!(first[1..3], [0xfe, 0xff]);
    let mut reader = ReadEpoch::new(0, Protection::plaintext(), AdmittedTypes::CLASSIC_PLAINTEXT);
    assert!(open(&mut reader, &first, 0).is_ok());
    let mut writer = Shape::Explicit.writer();
    writer.set_header_version(0xfeff);
    assert_eq!(seal_data(&mut writer, b"data")[1..3], [0xfe, 0xfd]);
}

/// Admitted outer types, one by one.
#[test]
fn outer_types_are_data() {
    let sets = [
        (AdmittedTypes::CLASSIC_PLAINTEXT, &[20, 21, 22][..]),
        (AdmittedTypes::UNIFIED_PLAINTEXT, &[21, 22, 26]),
        (AdmittedTypes::CLASSIC, &[21, 22, 23, 27]),
        (AdmittedTypes::CLASSIC_WITH_CONNECTION_ID, &[25]),
        (AdmittedTypes::UNIFIED, &[]),
    ];
    for (set, admitted) in sets {
        for outer in 20..=27_u8 {
            let record = [&[outer, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &[0, 1], b"x"].concat();
            // Type 25 has an id of one byte here, the first of the length.
            let record = if outer == 25 { [&record[..11], b"\x07", &record[11..]].concat() } else { record };
            let mut reader = ReadEpoch::new(0, Protection::plaintext(), AdmittedTypes::UNIFIED);
            reader.set_admitted_types(set);
            let outcome = open(&mut reader, &record, 1);
            assert_eq!(outcome.is_ok(), admitted.contains(&outer), "{set:?} {outer} {outcome:?}");
        }
    }
}

proptest! {
    /// Anything sealed opens to the same, with any connection id and any form of header, in any order.
    #[test]
    fn sealed_records_open(
        shape in 0..SHAPES.len(),
        id in proptest::collection::vec(any::<u8>(), 0..=255),
        records in proptest::collection::vec(
            (20_u8..28, proptest::collection::vec(any::<u8>(), 0..200), any::<bool>(), any::<bool>()), 1..20),
        order in any::<prop::sample::Index>(),
    ) {
        let shape = SHAPES[shape];
        let mut writer = shape.writer();
        writer.set_connection_id(&id).unwrap();
        let admitted = if id.is_empty() && !shape.is_unified() {
            AdmittedTypes::of(&(20..28).map(ContentType).collect::<Vec<_>>())
        } else {
            shape.admitted(!id.is_empty())
        };
        let mut reader = ReadEpoch::new(shape.epoch(), shape.protection(Limits::NONE), admitted);
        let mut sealed = Vec::new();
        for (content_type, payload, long_sequence, length) in &records {
            writer.set_unified_form(UnifiedForm { long_sequence: *long_sequence, length: *length });
            let content_type = match ContentType(*content_type) {
                // An outer tls12_cid means a connection id.
                ContentType::TLS12_CID => ContentType::ALERT,
                other => other,
            };
            let number = writer.next_number();
            let record = seal(&mut writer, content_type, payload).unwrap();
            sealed.push((number, content_type, payload.clone(), record));
        }
        let middle = order.index(sealed.len());
        sealed.rotate_left(middle);
        for (number, content_type, payload, record) in sealed {
            let opened = open(&mut reader, &record, id.len()).unwrap();
            prop_assert_eq!(opened, (number, content_type, payload));
        }
    }
}

#[test]
fn a_connection_id_has_at_most_255_bytes() {
    let mut writer = Shape::Unified.writer();
    assert_eq!(writer.set_connection_id(&[1; 255]), Ok(()));
    assert_eq!(writer.set_connection_id(&[1; 256]), Err(ConnectionIdTooLong));
    assert_eq!(writer.overhead().prefix, 5 + 255);
    writer.set_connection_id(b"").unwrap();
    assert_eq!(writer.overhead().prefix, 5);
}

/// Nothing that is secret or private is printed.
#[test]
fn debug_output_shows_no_content() {
    let mut writer = Shape::Unified.writer();
    let mut record = seal_data(&mut writer, b"private");
    let mut records = Records::new(&mut record);
    let protected = records.next_record(0).unwrap().unwrap();
    let mut text = format!("{writer:?} {records:?} {protected:?}");
    let mut reader = Shape::Unified.reader();
    let opened = reader.open(protected).unwrap();
    text += &format!("{opened:?} {reader:?} {:?}", Shape::Explicit.protection(Limits::NONE));
    text += &format!("{:?}", ClassicNonce::Explicit { salt: [201; 4] });
    // Payload, keys, IV and salts as numbers would print like this.
    for secret in ["112", "7, 7", "5, 5", "9, 9", "201", "1, 2, 3, 4", "private"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(text.contains("payload_length: 7"));
}

/// Every first byte that a unified header can have, `001CSLEE`, is written and read again.
#[test]
fn every_form_of_the_unified_header_opens() {
    let mut first_bytes = std::collections::BTreeSet::new();
    for epoch in 4..8 {
        for (id, long_sequence, length) in [&b""[..], b"id"].into_iter().flat_map(|id| {
            [(false, false), (false, true), (true, false), (true, true)].map(|(s, l)| (id, s, l))
        }) {
            let protection = || Shape::Unified.protection(Limits::NONE);
            let mut writer = WriteEpoch::new(epoch, protection());
            writer.set_connection_id(id).unwrap();
            writer.set_unified_form(UnifiedForm { long_sequence, length });
            let admitted = Shape::Unified.admitted(!id.is_empty());
            let mut reader = ReadEpoch::new(epoch, protection(), admitted);
            for sequence in 0..3 {
                let record = seal_data(&mut writer, b"data");
                let bits = [!id.is_empty(), long_sequence, length].map(u8::from);
                let [c, s, l] = bits;
                assert_eq!(record[0], 0b0010_0000 | c << 4 | s << 3 | l << 2 | (epoch & 3) as u8);
                assert_eq!(record.len(), 1 + id.len() + 1 + usize::from(s) + 2 * usize::from(l) + 4 + 1 + 16);
                first_bytes.insert(record[0]);
                let opened = open(&mut reader, &record, id.len()).unwrap();
                let number = RecordNumber { epoch, sequence };
                assert_eq!(opened, (number, ContentType::APPLICATION_DATA, b"data".to_vec()));
            }
        }
    }
    assert!(first_bytes.into_iter().eq(32..64));
}

/// "The record consumes the entire rest of the datagram" (RFC 9147 section 4): right in the last place, and only there.
#[test]
fn a_record_without_a_length_is_the_last_of_its_datagram() {
    let (mut writer, mut reader) = (Shape::Unified.writer(), Shape::Unified.reader());
    let first = seal_data(&mut writer, b"with a length");
    writer.set_unified_form(UnifiedForm::COMPACT);
    let last = seal_data(&mut writer, b"without");
    let mut datagram = [first, last.clone()].concat();
    let mut records = Records::new(&mut datagram);
    for payload in [&b"with a length"[..], b"without"] {
        let record = records.next_record(0).unwrap().unwrap();
        assert_eq!(reader.open(record).unwrap().payload, payload);
    }
    assert!(records.next_record(0).is_none());

    let mut datagram = [last, seal_data(&mut writer, b"swallowed")].concat();
    let mut records = Records::new(&mut datagram);
    let record = records.next_record(0).unwrap().unwrap();
    assert_eq!(reader.open(record), Err(OpenError::Discard(Discard::AuthenticationFailed)));
    assert!(records.next_record(0).is_none());
}

/// What a unified header does not say is authentic all the same: it is additional data as it was written, without its
/// mask (RFC 9147 section 4). Changing the form of a record is noticed.
#[test]
fn the_form_of_a_header_is_authentic() {
    let mut writer = Shape::Unified.writer();
    writer.set_unified_form(UnifiedForm { long_sequence: true, length: false });
    let record = seal_data(&mut writer, b"data");
    let length = u16::try_from(record.len() - 3).unwrap().to_be_bytes();
    // A length that is true, but was not there when the record was sealed.
    let with_length = [&[record[0] | 0x04], &record[1..3], &length, &record[3..]].concat();
    let mut reader = Shape::Unified.reader();
    let forged = OpenError::Discard(Discard::AuthenticationFailed);
    assert_eq!(open(&mut reader, &with_length, 0), Err(forged));
    assert!(open(&mut reader, &record, 0).is_ok());
}
