//! Padding by a rule: what an observer sees of lengths, what it costs, and where it ends.

mod support;

use drystone_record::*;
use proptest::prelude::*;
use std::num::NonZeroU16;
use support::*;

fn multiple(bytes: u16) -> Padding {
    Padding::to_multiple_of(NonZeroU16::new(bytes).unwrap())
}

/// Ends of an epoch whose records hide their content type: unified ones, and classic ones with a connection id.
fn hiding_ends(shape: Shape, padding: Padding) -> (WriteEpoch, ReadEpoch, usize) {
    let id: &[u8] = if shape.is_unified() { b"" } else { b"id" };
    let mut writer = shape.writer();
    writer.set_connection_id(id).unwrap();
    writer.set_padding(padding);
    let admitted = shape.admitted(!id.is_empty());
    (writer, ReadEpoch::new(shape.epoch(), shape.protection(Limits::NONE), admitted), id.len())
}

/// The lengths on the wire are those of a payload of the apparent length, and what was sealed comes back.
#[test]
fn records_look_like_those_of_the_apparent_length() {
    for shape in SHAPES {
        for (padding, apparent) in [
            (multiple(64), [64, 64, 64, 128, 1024]),
            (Padding::to_length(200), [200, 200, 200, 200, 1000]),
            (Padding::to_length(1200).at_most(100), [100, 100, 100, 100, 1000]),
            (Padding::FULL.at_most(1000), [1000; 5]),
        ] {
            let (mut plain, ..) = hiding_ends(shape, Padding::NONE);
            let (mut writer, mut reader, own) = hiding_ends(shape, padding);
            for (payload, apparent) in [0, 1, 64, 65, 1000].into_iter().zip(apparent) {
                let payload = vec![9; payload];
                // `seal` gives exactly the room of `overhead_of`, filled with what is not zero.
                let record = seal_data(&mut writer, &payload);
                assert_eq!(record.len(), seal_data(&mut plain, &vec![9; apparent]).len(), "{shape:?}");
                let (_, content_type, opened) = open(&mut reader, &record, own).unwrap();
                assert_eq!((content_type, opened), (ContentType::APPLICATION_DATA, payload));
            }
        }
    }
}

/// A record without an inner content type has no place for padding.
#[test]
fn records_that_show_their_type_are_not_padded() {
    let mut plaintext = WriteEpoch::new(0, Protection::plaintext());
    plaintext.set_padding(multiple(64));
    assert_eq!(seal_data(&mut plaintext, b"data").len(), 13 + 4);
    for shape in [Shape::Explicit, Shape::Implicit, Shape::NullClassic(8)] {
        let mut writer = shape.writer();
        let overhead = writer.overhead_of(4);
        writer.set_padding(multiple(64));
        assert_eq!(writer.overhead_of(4), overhead);
        assert_eq!(open(&mut shape.reader(), &seal_data(&mut writer, b"data"), 0).unwrap().2, b"data");
    }
}

/// The whole plaintext, padding included, stays below the limits of the RFCs: 2^14 + 1 bytes (RFC 9846 section 5.4),
/// 2^14 with a classic header (RFC 9146 section 5).
#[test]
fn padding_ends_where_records_do() {
    for (shape, longest) in [(Shape::NullUnified(0), MAX_PAYLOAD), (Shape::NullClassic(0), MAX_PAYLOAD - 1)] {
        for padding in [multiple(1000), multiple(u16::MAX), Padding::FULL] {
            let (mut writer, mut reader, own) = hiding_ends(shape, padding);
            for payload in [longest - 5, longest - 1, longest] {
                let record = seal_data(&mut writer, &vec![1; payload]);
                assert_eq!(record.len(), writer.overhead().prefix + longest + 1, "{shape:?} {payload}");
                assert_eq!(open(&mut reader, &record, own).unwrap().2.len(), payload);
            }
        }
    }
}

/// Data is padded in full or not sealed at all.
#[test]
fn data_is_refused_where_its_padding_has_no_room() {
    for shape in AUTHENTIC {
        let (mut writer, ..) = hiding_ends(shape, Padding::to_length(100));
        let Overhead { prefix, suffix } = writer.overhead_of(10);
        assert_eq!(suffix - writer.overhead().suffix, 90, "{shape:?}");
        let mut buffer = vec![0; prefix + 10 + suffix - 1];
        let data = ContentType::APPLICATION_DATA;
        let refused = writer.seal(data, &mut buffer, prefix..prefix + 10);
        assert_eq!(refused, Err(SealError::SuffixTooSmall));
        assert_eq!(writer.next_number().sequence, 0);
        buffer.push(0);
        assert_eq!(writer.seal(data, &mut buffer, prefix..prefix + 10).unwrap().range, 0..buffer.len());
    }
}

/// What the protocol itself sends needs no more than [`WriteEpoch::overhead`], however much room there is.
#[test]
fn other_types_are_not_padded() {
    for shape in AUTHENTIC {
        let (mut writer, mut reader, own) = hiding_ends(shape, Padding::to_length(100));
        let Overhead { prefix, suffix } = writer.overhead();
        for content_type in [ContentType::HANDSHAKE, ContentType::ALERT, ContentType::ACK] {
            for room in [0, 500] {
                let mut buffer = vec![0xee; prefix + 10 + suffix + room];
                let sealed = writer.seal(content_type, &mut buffer, prefix..prefix + 10).unwrap();
                assert_eq!(sealed.range, 0..prefix + 10 + suffix, "{shape:?} {room}");
                let (_, opened_type, payload) = open(&mut reader, &buffer[sealed.range], own).unwrap();
                assert_eq!((opened_type, payload), (content_type, vec![0xee; 10]));
            }
            let mut tight = vec![0; prefix + 10 + suffix - 1];
            let refused = writer.seal(content_type, &mut tight, prefix..prefix + 10);
            assert_eq!(refused, Err(SealError::SuffixTooSmall));
        }
    }
}

/// With a short tag the mask needs 16 bytes, whatever the rule says.
#[test]
fn the_mask_gets_its_sample_under_every_rule() {
    for padding in [Padding::NONE, multiple(1), multiple(5), Padding::to_length(3), Padding::to_length(40)] {
        for tag in [0, 8, 16] {
            let (mut writer, mut reader, _) = hiding_ends(Shape::NullUnified(tag), padding);
            for payload in 0..20 {
                let record = seal_data(&mut writer, &vec![1; payload]);
                assert!(record.len() >= 5 + 16, "{padding:?} {tag} {payload}");
                assert_eq!(open(&mut reader, &record, 0).unwrap().2.len(), payload);
            }
        }
    }
}

/// Padding is encrypted too, and costs what it weighs.
#[test]
fn padding_counts_towards_the_limit() {
    let confidentiality = ConfidentialityLimit::Blocks(40);
    let mut writer = Shape::Unified.writer_with(Limits { confidentiality, ..Limits::NONE });
    writer.set_padding(Padding::to_length(111));
    // 112 bytes with the content type, and the tag: 8 blocks each.
    for _ in 0..5 {
        seal_data(&mut writer, b"x");
    }
    assert_eq!(seal(&mut writer, ContentType::APPLICATION_DATA, b"x"), Err(SealError::KeyLimit));
}

/// Padded data leaves room for an alert.
#[test]
fn an_alert_still_fits_the_key() {
    for limit in 20..60 {
        let confidentiality = ConfidentialityLimit::Blocks(limit);
        let mut writer = Shape::Unified.writer_with(Limits { confidentiality, ..Limits::NONE });
        writer.set_padding(Padding::to_length(111));
        writer.keep_room_for_alert();
        while seal(&mut writer, ContentType::APPLICATION_DATA, b"x").is_ok() {}
        let mut buffer = [0; 64];
        assert!(writer.seal(ContentType::ALERT, &mut buffer, 20..22).is_ok(), "{limit}");
    }
}

proptest! {
    /// Whatever the rule, form and id: what is sealed opens, in the room that `overhead_of` names, and no payload up to
    /// the bound makes a record longer than the bound does.
    #[test]
    fn padded_records_open(
        shape in 0..SHAPES.len(),
        bytes in 1_u16..1500,
        at_most in 0_usize..1500,
        id in proptest::collection::vec(any::<u8>(), 0..20),
        form in (any::<bool>(), any::<bool>()),
        payloads in proptest::collection::vec(0_usize..1500, 1..10),
    ) {
        let shape = SHAPES[shape];
        let mut writer = shape.writer();
        writer.set_connection_id(&id).unwrap();
        writer.set_unified_form(UnifiedForm { long_sequence: form.0, length: form.1 });
        writer.set_padding(multiple(bytes).at_most(at_most));
        let bound = writer.overhead().total() + at_most;
        let admitted = shape.admitted(!id.is_empty());
        let mut reader = ReadEpoch::new(shape.epoch(), shape.protection(Limits::NONE), admitted);
        for length in payloads {
            let payload = vec![5; length];
            let record = seal_data(&mut writer, &payload);
            prop_assert!(length > at_most || record.len() <= bound);
            prop_assert_eq!(open(&mut reader, &record, id.len()).unwrap().2, payload);
        }
    }
}
