//! What is written can be read, and is the same: for any value.

use std::mem::size_of;

use proptest::prelude::*;

use super::super::{
    Aabb, Basis, Color, Plane, Quaternion, Rect2, Transform2D, Transform3D, Vector2, Vector3,
};
use super::{Variant, VariantFormat, VariantLimits, decode, encode};
use VariantFormat::{Godot3, Godot4};

/// Any number that is equal to itself.
fn real() -> impl Strategy<Value = f32> {
    any::<f32>().prop_filter("a number", |number| !number.is_nan())
}

fn float() -> impl Strategy<Value = f64> {
    let any = any::<f64>().prop_filter("a number", |number| !number.is_nan());
    // Half of them fit single precision.
    prop_oneof![any, real().prop_map(f64::from)]
}

fn int() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), any::<i32>().prop_map(i64::from)]
}

fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,9}"
}

fn vector2() -> impl Strategy<Value = Vector2> {
    (real(), real()).prop_map(|(x, y)| Vector2 { x, y })
}

fn vector3() -> impl Strategy<Value = Vector3> {
    (real(), real(), real()).prop_map(|(x, y, z)| Vector3 { x, y, z })
}

fn color() -> impl Strategy<Value = Color> {
    (real(), real(), real(), real()).prop_map(|(r, g, b, a)| Color { r, g, b, a })
}

fn list<T: std::fmt::Debug>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    proptest::collection::vec(item, 0..9)
}

/// The values that consist of vectors.
fn geometry() -> impl Strategy<Value = Variant> {
    let basis = || [vector3(), vector3(), vector3()].prop_map(|rows| Basis { rows });
    prop_oneof![
        (vector2(), vector2()).prop_map(|(position, size)| Rect2 { position, size }.into()),
        (vector2(), vector2(), vector2()).prop_map(|(x, y, origin)| Transform2D { x, y, origin }.into()),
        (vector3(), real()).prop_map(|(normal, d)| Plane { normal, d }.into()),
        color().prop_map(|Color { r: x, g: y, b: z, a: w }| Quaternion { x, y, z, w }.into()),
        (vector3(), vector3()).prop_map(|(position, size)| Aabb { position, size }.into()),
        basis().prop_map(Variant::from),
        (basis(), vector3()).prop_map(|(basis, origin)| Transform3D { basis, origin }.into()),
    ]
}

/// Any value that both formats have.
fn variant() -> impl Strategy<Value = Variant> {
    let plain = prop_oneof![
        Just(Variant::Nil),
        any::<bool>().prop_map(Variant::from),
        int().prop_map(Variant::from),
        float().prop_map(Variant::from),
        text().prop_map(Variant::from),
        vector2().prop_map(Variant::from),
        vector3().prop_map(Variant::from),
        color().prop_map(Variant::from),
        geometry(),
        "/?([a-z.]{1,5}(/[a-z.]{1,5}){0,3})?(:[a-z]{1,5}){0,2}".prop_map(Variant::NodePath),
    ];
    let packed = prop_oneof![
        list(any::<u8>()).prop_map(Variant::from),
        list(any::<i32>()).prop_map(Variant::from),
        list(real()).prop_map(Variant::from),
        list(text()).prop_map(Variant::from),
        list(vector2()).prop_map(Variant::from),
        list(vector3()).prop_map(Variant::from),
        list(color()).prop_map(Variant::from),
    ];
    prop_oneof![plain, packed].prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            list(inner.clone()).prop_map(Variant::from),
            list((inner.clone(), inner)).prop_map(Variant::from),
        ]
    })
}

proptest! {
    #[test]
    fn both_formats(value in variant()) {
        for format in [Godot3, Godot4] {
            let bytes = encode(&value, format).expect("it can be written");
            prop_assert_eq!(bytes.len() % 4, 0);
            prop_assert_eq!(&decode(&bytes, format).expect("it can be read"), &value);
        }
    }

    #[test]
    fn godot_4_only(ints in list(int()), floats in list(float())) {
        for value in [Variant::from(ints), Variant::from(floats)] {
            let bytes = encode(&value, Godot4).expect("it can be written");
            prop_assert_eq!(&decode(&bytes, Godot4).expect("it can be read"), &value);
        }
    }

    /// A limit of exactly the length lets it through, one byte less refuses it and leaves no trace.
    #[test]
    fn size_limit_is_exact(value in variant()) {
        let bytes = encode(&value, Godot4).expect("it can be written");
        let mut out = vec![7; 3];
        let limits = VariantLimits::default().with_max_size(bytes.len());
        value.encode(Godot4, &mut out, limits).expect("it fits");
        prop_assert_eq!(&out[3..], &bytes[..]);
        prop_assert!(Variant::decode(&bytes, Godot4, limits).is_ok());

        out.truncate(3);
        let limits = VariantLimits::default().with_max_size(bytes.len() - 1);
        let error = value.encode(Godot4, &mut out, limits).expect_err("it does not fit");
        prop_assert_eq!(error.godot_code(), 6);
        prop_assert_eq!(out, [7; 3]);
        let error = Variant::decode(&bytes, Godot4, limits).expect_err("it does not fit");
        prop_assert_eq!(error.godot_code(), 6);
    }

    /// Every beginning of an encoding is too short, whatever the types.
    #[test]
    fn truncated_anywhere(value in variant()) {
        for format in [Godot3, Godot4] {
            let bytes = encode(&value, format).expect("it can be written");
            for length in 0..bytes.len() {
                let error = decode(&bytes[..length], format).expect_err("it is cut");
                prop_assert_eq!(error.godot_code(), 30);
            }
        }
    }
}

/// The bound on memory in the documentation of `decode` counts on it.
#[test]
fn a_variant_is_small() {
    assert!(size_of::<Variant>() <= 32);
}
