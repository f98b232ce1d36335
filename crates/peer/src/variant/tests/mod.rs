//! Tests of the wire format as a whole: known bytes, round trips, hostile bytes.

mod hostile;
mod round_trip;
mod vectors;

use super::{Variant, VariantError, VariantFormat, VariantLimits};

const FORMATS: [VariantFormat; 2] = [VariantFormat::Godot3, VariantFormat::Godot4];

fn encode(value: &Variant, format: VariantFormat) -> Result<Vec<u8>, VariantError> {
    let mut bytes = Vec::new();
    value.encode(format, &mut bytes, VariantLimits::default())?;
    Ok(bytes)
}

/// The value, which must fill all bytes.
fn decode(bytes: &[u8], format: VariantFormat) -> Result<Variant, VariantError> {
    let (value, length) = Variant::decode(bytes, format, VariantLimits::default())?;
    assert_eq!(length, bytes.len(), "something lies behind the value");
    Ok(value)
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
    digits.chunks(2).map(byte).collect()
}
