//! Bytes that nobody honest sends, and values that nobody honest makes.

use std::iter;
use std::thread;

use proptest::prelude::*;

use super::{FORMATS, Variant, VariantError, VariantFormat, VariantLimits, decode, encode, unhex};
use VariantFormat::{Godot3, Godot4};

/// `depth` arrays inside each other, the innermost empty.
fn nested_bytes(format: VariantFormat, depth: usize) -> Vec<u8> {
    let number = if format == Godot3 { 19 } else { 28 };
    let level = |count: u8| [number, 0, 0, 0, count, 0, 0, 0];
    iter::repeat_n(level(1), depth - 1).chain([level(0)]).flatten().collect()
}

fn nested(depth: usize) -> Variant {
    (1..depth).fold(Variant::Array(vec![]), |inner, _| Variant::Array(vec![inner]))
}

#[test]
fn nesting_is_limited_both_ways() {
    for format in FORMATS {
        assert_eq!(decode(&nested_bytes(format, 64), format), Ok(nested(64)));
        assert_eq!(encode(&nested(64), format), Ok(nested_bytes(format, 64)));
        assert_eq!(decode(&nested_bytes(format, 65), format), Err(VariantError::TooDeep(64)));
        assert_eq!(encode(&nested(65), format), Err(VariantError::TooDeep(64)));
        assert_eq!(decode(&nested_bytes(format, 1 << 20), format), Err(VariantError::TooDeep(64)));
        let none = VariantLimits::default().with_max_depth(0);
        assert!(Variant::decode(&unhex("02000000 01000000"), format, none).is_ok());
        assert_eq!(Variant::decode(&nested_bytes(format, 1), format, none), Err(VariantError::TooDeep(0)));
    }
    assert_eq!(VariantError::TooDeep(64).godot_code(), 6);
}

#[test]
fn keys_nest_as_values_do() {
    let by_key = (0..64).fold(Variant::Nil, |inner, _| Variant::Dictionary(vec![(inner, Variant::Nil)]));
    assert_eq!(encode(&by_key, Godot3).and_then(|bytes| decode(&bytes, Godot3)), Ok(by_key.clone()));
    let deeper = Variant::Dictionary(vec![(by_key, Variant::Nil)]);
    assert_eq!(encode(&deeper, Godot3), Err(VariantError::TooDeep(64)));
}

/// The promise of `with_max_depth`: less than four kilobytes of stack for each level, even in a build without
/// optimisation, and with the deepest setting.
#[test]
fn the_deepest_nesting_needs_little_stack() {
    let run = || {
        let limits = VariantLimits::default().with_max_depth(u8::MAX);
        let bytes = nested_bytes(Godot4, 255);
        let (value, length) = Variant::decode(&bytes, Godot4, limits).expect("within the limit");
        assert_eq!(length, bytes.len());
        let mut again = Vec::new();
        value.encode(Godot4, &mut again, limits).expect("within the limit");
        assert_eq!(again, bytes);
        let error = Variant::decode(&nested_bytes(Godot4, 256), Godot4, limits);
        assert_eq!(error, Err(VariantError::TooDeep(255)));
    };
    let small = thread::Builder::new().stack_size(1 << 20).spawn(run).expect("a thread");
    small.join().expect("the stack is large enough");
}

/// Counts that the bytes behind them cannot bear, for every type that has one. Reading them takes no time and no
/// memory: with the greatest counts one of them would be 128 GiB.
#[test]
fn counts_are_not_believed() {
    let counted = [(Godot3, 18..=26), (Godot4, 27..=37), (Godot3, 4..=4), (Godot4, 4..=4)];
    for (format, numbers) in counted {
        for (number, count) in numbers.flat_map(|number| {
            [9, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff].map(|count| (number, count))
        }) {
            let mut bytes = vec![number, 0, 0, 0];
            bytes.extend_from_slice(&u32::to_le_bytes(count));
            bytes.extend_from_slice(&[0; 8]);
            let container = matches!((format, number), (Godot3, 18 | 19) | (Godot4, 27 | 28));
            let result = Variant::decode(&bytes, format, VariantLimits::default());
            if container && count == 0x8000_0000 {
                // The highest bit of a container's count is none of it.
                assert!(matches!(result, Ok((Variant::Array(_) | Variant::Dictionary(_), 8))));
            } else {
                assert_eq!(result, Err(VariantError::Truncated), "{number} with {count:#x} in {format:?}");
            }
        }
    }
}

#[test]
fn texts_are_utf8_without_nul() {
    let texts: [&[u8]; 6] = [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"a\0b", b"\0"];
    for (format, text) in FORMATS.iter().flat_map(|format| texts.map(|text| (*format, text))) {
        let mut body = u32::try_from(text.len()).expect("short").to_le_bytes().to_vec();
        body.extend_from_slice(text);
        body.resize(body.len().next_multiple_of(4), 0);
        let string = [&[4, 0, 0, 0], &body[..]].concat();
        assert_eq!(decode(&string, format), Err(VariantError::Text), "{text:x?}");
        let packed = if format == Godot3 { 23 } else { 34 };
        let array = [&[packed, 0, 0, 0, 1, 0, 0, 0], &body[..]].concat();
        // A packed text may end with one NUL.
        let good = (text == b"\0").then(|| vec![String::new()].into());
        assert_eq!(decode(&array, format), good.ok_or(VariantError::Text), "{text:x?}");

        assert_eq!(encode(&"a\0b".into(), format), Err(VariantError::Text));
        assert_eq!(encode(&vec!["\0".to_owned()].into(), format), Err(VariantError::Text));
    }
}

#[test]
fn flags_that_mean_nothing_are_refused() {
    for header in ["00000100", "01000100", "02000200", "02010000", "04000100", "14000100", "00000080"] {
        let bytes = [unhex(header), vec![0; 8]].concat();
        let expected = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
        let result = Variant::decode(&bytes, Godot3, VariantLimits::default());
        assert_eq!(result, Err(VariantError::UnknownFlags(expected)), "{header}");
    }
}

#[test]
fn a_failed_encoding_leaves_no_trace() {
    let value = Variant::Array(vec![1.into(), "fine".into(), "\0".into()]);
    let mut out = b"before".to_vec();
    assert_eq!(value.encode(Godot4, &mut out, VariantLimits::default()), Err(VariantError::Text));
    assert_eq!(out, b"before");
}

/// Bytes in which each word is likely to be a header, a count or a small number.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        4 => (0_u32..40).prop_map(u32::to_le_bytes),
        2 => (0_u32..40, 0_u32..16).prop_map(|(number, flags)| (number | flags << 16).to_le_bytes()),
        1 => any::<[u8; 4]>(),
    ];
    proptest::collection::vec(word, 0..64).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Whatever can be read can be written, in a form that is stable.
    #[test]
    fn whatever_is_read_can_be_written(bytes in plausible()) {
        for format in FORMATS {
            let Ok((value, length)) = Variant::decode(&bytes, format, VariantLimits::default()) else {
                continue;
            };
            prop_assert!(length <= bytes.len());
            let once = encode(&value, format).expect("what was read can be written");
            let again = decode(&once, format).expect("what was written can be read");
            // As bytes: not a number is not equal to itself.
            prop_assert_eq!(encode(&again, format).expect("it was written before"), once);
        }
    }
}
