//! The bytes are a value of Godot, read in both formats. Reading takes bounded memory; what can be read can be written,
//! and that reads as the same value and takes no more than twice the bytes; a cut value is no value.
#![no_main]

use drystone::variant::VariantLimits;
use drystone::{Variant, VariantFormat};
use drystone_tests::alloc::measure;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for format in [VariantFormat::Godot3, VariantFormat::Godot4] {
        let limits = VariantLimits::default();
        let (read, heap) = measure(|| Variant::decode(data, format, limits));
        assert!(
            heap.peak_bytes <= 32 * data.len() as u64 + (16 << 10),
            "{} bytes of memory",
            heap.peak_bytes
        );
        let Ok((value, length)) = read else {
            continue;
        };
        assert!(length <= data.len(), "read beyond the end");
        round_trip(&value, format, length);
        if let Some(last) = length.checked_sub(1) {
            assert!(Variant::decode(&data[..last], format, limits).is_err(), "a cut value");
        }
    }
});

/// Compared as bytes, since "not a number" is not equal to itself.
fn round_trip(value: &Variant, format: VariantFormat, length: usize) {
    let limits = VariantLimits::default();
    let mut once = Vec::new();
    value.encode(format, &mut once, limits).expect("what was read can be written");
    assert!(once.len() % 4 == 0 && once.len() <= 2 * length, "{} bytes of {length}", once.len());
    let (again, used) = Variant::decode(&once, format, limits).expect("what was written can be read");
    assert_eq!(used, once.len(), "something lies behind the value");
    let mut twice = Vec::new();
    again.encode(format, &mut twice, limits).expect("it was written before");
    assert_eq!(once, twice, "the canonical form is not stable");
}
