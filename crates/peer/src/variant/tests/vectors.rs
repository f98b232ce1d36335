//! Known bytes of both formats. Spaces are for the reader.

use super::super::{Color, Rect2, Vector2, Vector3};
use super::{FORMATS, Variant, VariantError, VariantFormat, decode, encode, unhex};
use VariantFormat::{Godot3, Godot4};

/// One value of every type that both formats have, with its bytes in each.
///
/// Godot 3: printed by `var2bytes` of Godot 3.2.3 (Debian's godot3-server). Godot 4: written by hand after its
/// `core/io/marshalls.cpp` (4.4 and later), which differs in the first byte only.
fn both() -> Vec<(Variant, &'static str, &'static str)> {
    let v2 = Vector2 { x: 1.0, y: 2.0 };
    let v3 = Vector3 { x: 1.0, y: 2.0, z: 3.0 };
    let strings = ["a", "bcd", "", "abcdefg"].map(str::to_owned).to_vec();
    vec![
        (Variant::Nil, "00000000", "00000000"),
        (true.into(), "01000000 01000000", "01000000 01000000"),
        (false.into(), "01000000 00000000", "01000000 00000000"),
        (1.into(), "02000000 01000000", "02000000 01000000"),
        ((-1).into(), "02000000 ffffffff", "02000000 ffffffff"),
        (i32::MAX.into(), "02000000 ffffff7f", "02000000 ffffff7f"),
        (i32::MIN.into(), "02000000 00000080", "02000000 00000080"),
        (0x8000_0000_u32.into(), "02000100 0000008000000000", "02000100 0000008000000000"),
        ((-0x8000_0001_i64).into(), "02000100 ffffff7fffffffff", "02000100 ffffff7fffffffff"),
        (0.5.into(), "03000000 0000003f", "03000000 0000003f"),
        (0.1.into(), "03000100 9a9999999999b93f", "03000100 9a9999999999b93f"),
        (f64::INFINITY.into(), "03000000 0000807f", "03000000 0000807f"),
        ("aé".into(), "04000000 03000000 61c3a900", "04000000 03000000 61c3a900"),
        ("".into(), "04000000 00000000", "04000000 00000000"),
        (v2.into(), "05000000 0000803f 00000040", "05000000 0000803f 00000040"),
        (v3.into(), "07000000 0000803f 00000040 00004040", "09000000 0000803f 00000040 00004040"),
        (
            Rect2 { position: v2, size: Vector2 { x: 3.0, y: 4.0 } }.into(),
            "06000000 0000803f 00000040 00004040 00008040",
            "07000000 0000803f 00000040 00004040 00008040",
        ),
        (
            Variant::NodePath("a/b:c".into()),
            "0f000000 02000080 01000000 00000000 01000000 61000000 01000000 62000000 01000000 63000000",
            "16000000 02000080 01000000 00000000 01000000 61000000 01000000 62000000 01000000 63000000",
        ),
        (
            Color { r: 1.0, g: 0.5, b: 0.25, a: 0.0 }.into(),
            "0e000000 0000803f 0000003f 0000803e 00000000",
            "14000000 0000803f 0000003f 0000803e 00000000",
        ),
        (
            Variant::Dictionary(vec![("a".into(), 1.into()), (2.into(), Variant::Nil)]),
            "12000000 02000000 04000000 01000000 61000000 02000000 01000000 02000000 02000000 00000000",
            "1b000000 02000000 04000000 01000000 61000000 02000000 01000000 02000000 02000000 00000000",
        ),
        (
            Variant::Array(vec![1.into(), Variant::Array(vec![true.into()])]),
            "13000000 02000000 02000000 01000000 13000000 01000000 01000000 01000000",
            "1c000000 02000000 02000000 01000000 1c000000 01000000 01000000 01000000",
        ),
        (Variant::Array(vec![]), "13000000 00000000", "1c000000 00000000"),
        (
            vec![1_u8, 2, 3, 4, 5].into(),
            "14000000 05000000 01020304 05000000",
            "1d000000 05000000 01020304 05000000",
        ),
        (Vec::<u8>::new().into(), "14000000 00000000", "1d000000 00000000"),
        (
            vec![1_i32, -2].into(),
            "15000000 02000000 01000000 feffffff",
            "1e000000 02000000 01000000 feffffff",
        ),
        (
            vec![1.5_f32, 0.1].into(),
            "16000000 02000000 0000c03f cdcccc3d",
            "20000000 02000000 0000c03f cdcccc3d",
        ),
        (
            Variant::PackedStringArray(strings),
            "17000000 04000000 02000000 61000000 04000000 62636400 01000000 00000000 08000000 6162636465666700",
            "22000000 04000000 02000000 61000000 04000000 62636400 01000000 00000000 08000000 6162636465666700",
        ),
        (
            Variant::PackedVector2Array(vec![v2]),
            "18000000 01000000 0000803f 00000040",
            "23000000 01000000 0000803f 00000040",
        ),
        (
            Variant::PackedVector3Array(vec![v3]),
            "19000000 01000000 0000803f 00000040 00004040",
            "24000000 01000000 0000803f 00000040 00004040",
        ),
        (
            Variant::PackedColorArray(vec![Color { r: 1.0, g: 2.0, b: 3.0, a: 4.0 }]),
            "1a000000 01000000 0000803f 00000040 00004040 00008040",
            "25000000 01000000 0000803f 00000040 00004040 00008040",
        ),
    ]
}

#[test]
fn every_type_in_both_formats() {
    for (value, three, four) in both() {
        for (format, hex) in [(Godot3, three), (Godot4, four)] {
            assert_eq!(encode(&value, format), Ok(unhex(hex)), "{value:?} for {format:?}");
            assert_eq!(decode(&unhex(hex), format).as_ref(), Ok(&value), "{value:?} of {format:?}");
        }
    }
}

/// Godot prints these bytes for `NAN`; it is not equal to itself, so it is compared as bits.
#[test]
fn not_a_number() {
    for format in FORMATS {
        let bytes = encode(&f64::NAN.into(), format).expect("a float");
        assert_eq!(bytes, unhex("03000100 000000000000f87f"));
        let value = decode(&bytes, format).expect("a float");
        assert_eq!(value.as_float().map(f64::to_bits), Some(f64::NAN.to_bits()));
    }
}

/// The values of Godot 4's own tests of this format, tests/core/io/test_marshalls.h (MIT).
#[test]
fn godot_4_as_its_own_tests_have_it() {
    let known: [(Variant, &str); 4] = [
        (0x1234_5678.into(), "02000000 78563412"),
        (0xf123_4567_89ab_cdef_u64.cast_signed().into(), "02000100 efcdab8967 4523f1"),
        (0.15625.into(), "03000000 0000203e"),
        ((1.0 / 3.0).into(), "03000100 555555555555d53f"),
    ];
    for (value, hex) in known {
        assert_eq!(encode(&value, Godot4), Ok(unhex(hex)));
        assert_eq!(decode(&unhex(hex), Godot4), Ok(value));
    }
}

/// As above: `Array[int]` and `Dictionary[int, int]`.
#[test]
fn declared_types_of_godot_4_are_read() {
    let number = Variant::Int(0xf123_4567_89ab_cdef_u64.cast_signed());
    let array = unhex("1c000100 02000000 01000000 02000100 efcdab89674523f1");
    assert_eq!(decode(&array, Godot4), Ok(Variant::Array(vec![number.clone()])));
    let dictionary =
        unhex("1b000500 02000000 02000000 01000000 02000100 efcdab89674523f1 02000100 efcdab89674523f1");
    assert_eq!(decode(&dictionary, Godot4), Ok(Variant::Dictionary(vec![(number.clone(), number)])));
}

/// By hand, after `_decode_container_type` in Godot 4's core/io/marshalls.cpp.
#[test]
fn declared_types_that_are_not_held_are_refused() {
    let cases = [
        // Dictionary[String, Variant] and Dictionary[Variant, String] with one pair ("a", 1).
        ("1b000100 04000000 01000000 04000000 01000000 61000000 02000000 01000000", None),
        (
            "1b000400 04000000 01000000 04000000 01000000 61000000 02000000 01000000",
            Some(VariantError::WrongElement),
        ),
        // Array[Variant], said the long way.
        ("1c000100 00000000 01000000 00000000", None),
        // Array[int] with a bool, Array[Vector2i] with none and with a bool.
        ("1c000100 02000000 01000000 01000000 01000000", Some(VariantError::WrongElement)),
        ("1c000100 06000000 00000000", None),
        ("1c000100 06000000 01000000 01000000 01000000", Some(VariantError::WrongElement)),
        // A type that there is not, an object, a class, a script.
        ("1c000100 27000000 00000000", Some(VariantError::UnknownType(39))),
        ("1c000100 18000000 00000000", Some(VariantError::Object)),
        ("1c000200 04000000 4e6f6465 00000000", Some(VariantError::Object)),
        ("1c000300 04000000 4e6f6465 00000000", Some(VariantError::Object)),
        // Bits that no container has.
        ("1c000400 00000000", Some(VariantError::UnknownFlags(0x0004_001c))),
        ("1b001000 00000000", Some(VariantError::UnknownFlags(0x0010_001b))),
    ];
    for (hex, error) in cases {
        assert_eq!(decode(&unhex(hex), Godot4).err(), error, "{hex}");
    }
    // Godot 3 declares nothing.
    assert_eq!(
        decode(&unhex("13000100 02000000 00000000"), Godot3),
        Err(VariantError::UnknownFlags(0x0001_0013))
    );
}

/// By hand, after core/io/marshalls.cpp: a Godot 4 with `precision=double` sets the flag and sends 64 bits.
#[test]
fn double_precision_builds_of_godot_4_are_read() {
    let (one, two, three) = ("000000000000f03f", "0000000000000040", "0000000000000840");
    let v2 = Vector2 { x: 1.0, y: 2.0 };
    let v3 = Vector3 { x: 1.0, y: 2.0, z: 3.0 };
    let cases: [(String, Variant); 4] = [
        (format!("05000100 {one} {two}"), v2.into()),
        (format!("09000100 {one} {two} {three}"), v3.into()),
        (format!("23000100 02000000 {one} {two} {one} {two}"), vec![v2, v2].into()),
        (format!("24000100 01000000 {one} {two} {three}"), vec![v3].into()),
    ];
    for (hex, value) in cases {
        assert_eq!(decode(&unhex(&hex), Godot4), Ok(value));
    }
    let huge = unhex("05000100 ffffffffffffef7f 0100000000000000");
    assert_eq!(decode(&huge, Godot4), Ok(Vector2 { x: f32::INFINITY, y: 0.0 }.into()));
    assert_eq!(decode(&unhex("05000100 00000000"), Godot3), Err(VariantError::UnknownFlags(0x0001_0005)));
}

/// By hand: Godot 3 has no such types, Godot 4 numbers them 31 and 33.
#[test]
fn packed_64_bit_numbers_are_godot_4s() {
    let ints = Variant::from(vec![-1_i64, 1 << 40]);
    let floats = Variant::from(vec![0.1_f64]);
    assert_eq!(encode(&ints, Godot4), Ok(unhex("1f000000 02000000 ffffffffffffffff 0000000000010000")));
    assert_eq!(encode(&floats, Godot4), Ok(unhex("21000000 01000000 9a9999999999b93f")));
    for value in [ints, floats] {
        assert_eq!(decode(&encode(&value, Godot4).expect("Godot 4 has it"), Godot4).as_ref(), Ok(&value));
        let error = encode(&value, Godot3).expect_err("Godot 3 has it not");
        assert_eq!(error, VariantError::NotInFormat { name: value.type_name(), format: Godot3 });
        assert_eq!(error.godot_code(), 31);
    }
}

/// The first three are what `var2bytes` of Godot 3.2.3 prints for a `Reference` and a `RID`; the others are headers with the
/// numbers of Godot 4.
#[test]
fn other_types_are_refused_by_name() {
    let unsupported = VariantError::Unsupported;
    let cases = [
        (Godot3, "11000100 0805000000000000", VariantError::Object),
        (Godot3, "11000000 00000000", VariantError::Object),
        (Godot3, "10000000", unsupported("RID")),
        (Godot3, "1b000000 00000000", VariantError::UnknownType(27)),
        (Godot4, "18000100 0805000000000000", VariantError::Object),
        (Godot4, "06000000 01000000 02000000", unsupported("Vector2i")),
        (Godot4, "15000000 01000000 61000000", unsupported("StringName")),
        (Godot4, "1a000000 00000000 0000000000000000", unsupported("Signal")),
        (Godot4, "26000000 00000000", unsupported("PackedVector4Array")),
        (Godot4, "27000000", VariantError::UnknownType(39)),
        (Godot4, "ff000000", VariantError::UnknownType(255)),
        // The same inside a container.
        (Godot3, "13000000 01000000 11000100 0805000000000000", VariantError::Object),
    ];
    for (format, hex, error) in cases {
        assert_eq!(decode(&unhex(hex), format), Err(error), "{hex} of {format:?}");
    }
    assert_eq!(VariantError::Object.godot_code(), 4);
    assert_eq!(unsupported("Signal").godot_code(), 2);
}

/// Godot reads all of these too: a packed text without its NUL, a flag in the count of a container, any number as
/// `true`, anything as padding, and whatever lies behind the value.
#[test]
fn what_godot_does_not_write_but_reads() {
    for format in FORMATS {
        let array = encode(&vec!["abc".to_owned()].into(), format).expect("texts");
        let without_nul = [&array[..8], &unhex("03000000 616263ff")].concat();
        assert_eq!(decode(&without_nul, format), Ok(vec!["abc".to_owned()].into()));
        let mut shared = encode(&Variant::Array(vec![Variant::Nil]), format).expect("an array");
        shared[7] = 0x80;
        assert_eq!(decode(&shared, format), Ok(Variant::Array(vec![Variant::Nil])));
        assert_eq!(decode(&unhex("01000000 00010000"), format), Ok(true.into()));
        let read = Variant::decode(&unhex("00000000 ffff"), format, Default::default());
        assert_eq!(read, Ok((Variant::Nil, 4)));
    }
}
