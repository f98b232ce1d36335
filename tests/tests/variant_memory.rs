//! Reading a value takes no more memory than its documentation says, whatever the bytes are.

use drystone::variant::VariantLimits;
use drystone::{Variant, VariantFormat};
use drystone_tests::alloc::measure;
use proptest::prelude::*;

const FORMAT: VariantFormat = VariantFormat::Godot4;
const DICTIONARY: u32 = 27;
const ARRAY: u32 = 28;
const PACKED_BYTES: u32 = 29;
const PACKED_STRINGS: u32 = 34;
const PACKED_VECTOR2S: u32 = 35;

/// The promise of `Variant::decode`.
fn bound(bytes: usize) -> u64 {
    32 * bytes as u64 + (16 << 10)
}

/// Most bytes of heap held at one moment while the value is read.
fn peak(bytes: &[u8]) -> u64 {
    let (result, heap) = measure(|| Variant::decode(bytes, FORMAT, VariantLimits::default()).map(drop));
    let _ = result;
    heap.peak_bytes
}

fn bytes(words: impl IntoIterator<Item = u32>) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// A header, a count, and so many zeros: a nil, an empty text or nothing each.
fn zeros(kind: u32, count: u32, words: usize) -> Vec<u8> {
    bytes([kind, count].into_iter().chain(std::iter::repeat_n(0, words)))
}

#[test]
fn the_smallest_elements_in_the_largest_number() {
    // One more than a power of two, when the vector has just doubled.
    for elements in [1, 5, 17, 4097, 65_537_u32] {
        for (kind, words) in [(ARRAY, 1), (DICTIONARY, 2), (PACKED_STRINGS, 1), (PACKED_VECTOR2S, 2)] {
            let bytes = zeros(kind, elements, elements as usize * words);
            let peak = peak(&bytes);
            assert!(peak <= bound(bytes.len()), "{kind}: {peak} bytes for {}", bytes.len());
            // It was read, not refused.
            assert!(peak >= bytes.len() as u64 - 8, "{kind}: {peak} bytes for {}", bytes.len());
        }
    }
}

#[test]
fn counts_reserve_nothing() {
    for kind in [ARRAY, DICTIONARY, PACKED_STRINGS] {
        // As many elements as there can be behind it, of which the first is of an unknown type or has no end.
        let mut bytes = zeros(kind, 1000, 2000);
        bytes[8..12].fill(0xff);
        assert!(peak(&bytes) <= 256, "{kind}: {}", peak(&bytes));
    }
    for kind in [PACKED_BYTES, PACKED_VECTOR2S] {
        assert_eq!(peak(&zeros(kind, 0x7fff_ffff, 8)), 0);
    }
}

#[test]
fn containers_in_containers() {
    // Each claims more than it gets.
    for claimed in [1, 2, 4, 8, 1000] {
        for kind in [ARRAY, DICTIONARY] {
            let level = [kind, claimed];
            let bytes = bytes(level.into_iter().cycle().take(2 * 64).chain([0; 2000]));
            assert!(peak(&bytes) <= bound(bytes.len()), "{kind} with {claimed}: {}", peak(&bytes));
        }
    }
    // Many small ones side by side.
    let small = [ARRAY, 1, ARRAY, 1, 0];
    let count = 10_001;
    let bytes = bytes([ARRAY, count].into_iter().chain(small.into_iter().cycle().take(5 * count as usize)));
    assert!(peak(&bytes) <= bound(bytes.len()), "{} bytes for {}", peak(&bytes), bytes.len());
}

#[test]
fn more_than_the_limit_is_not_looked_at() {
    let bytes = zeros(ARRAY, 1000, 1000);
    let limits = VariantLimits::default().with_max_size(4000);
    let (result, heap) = measure(|| Variant::decode(&bytes, FORMAT, limits).is_err());
    assert!(result && heap.count == 0, "{heap:?}");
}

proptest! {
    #[test]
    fn any_words(words in proptest::collection::vec(prop_oneof![0_u32..8, 27_u32..38], 1..200)) {
        let bytes = bytes(words);
        prop_assert!(peak(&bytes) <= bound(bytes.len()));
    }
}
