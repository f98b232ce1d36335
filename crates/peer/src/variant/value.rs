//! A value as Godot knows it, and how to make one from Rust's types and back. It knows nothing of bytes.

use super::format::Kind;
use super::geometry::{
    Aabb, Basis, Color, Plane, Quaternion, Rect2, Transform2D, Transform3D, Vector2, Vector3,
};

/// A value of one of Godot's types that can be sent: the plain ones, no objects.
///
/// The names are those of Godot 4; Godot 3 calls the packed arrays `PoolByteArray`, `PoolIntArray`, `PoolRealArray`
/// and so on, and has none of 64-bit numbers.
///
/// ```
/// use drystone::{Variant, VariantFormat};
/// use drystone::variant::{VariantLimits, Vector2};
///
/// let shot = Variant::Dictionary(vec![
///     ("from".into(), Vector2 { x: 3.0, y: 4.0 }.into()),
///     ("hits".into(), 2.into()),
/// ]);
/// let mut bytes = Vec::new();
/// shot.encode(VariantFormat::Godot4, &mut bytes, VariantLimits::default())?;
///
/// let (read, length) = Variant::decode(&bytes, VariantFormat::Godot4, VariantLimits::default())?;
/// assert_eq!((&read, length), (&shot, bytes.len()));
/// assert_eq!(read.get("hits").and_then(Variant::as_int), Some(2));
/// # Ok::<(), drystone::VariantError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Variant {
    /// `null`.
    #[default]
    Nil,
    /// `bool`.
    Bool(bool),
    /// `int`: 64 bits, sent as 32 if that is enough.
    Int(i64),
    /// `float`: double precision, sent in single precision if that loses nothing.
    Float(f64),
    /// `String`. One that holds U+0000 cannot be sent.
    String(String),
    /// `Vector2`.
    Vector2(Vector2),
    /// `Rect2`.
    Rect2(Rect2),
    /// `Vector3`.
    Vector3(Vector3),
    /// `Transform2D`.
    Transform2D(Transform2D),
    /// `Plane`.
    Plane(Plane),
    /// `Quaternion` (Godot 3: `Quat`).
    Quaternion(Quaternion),
    /// `AABB`.
    Aabb(Aabb),
    /// `Basis`.
    Basis(Box<Basis>),
    /// `Transform3D` (Godot 3: `Transform`).
    Transform3D(Box<Transform3D>),
    /// `Color`.
    Color(Color),
    /// `NodePath`, as the text that Godot makes of it: `/root/Level:position:x`.
    NodePath(String),
    /// `Dictionary`: keys and values, in the order in which they are sent. Of equal keys Godot keeps the last value;
    /// here all of them are kept.
    Dictionary(Vec<(Self, Self)>),
    /// `Array`.
    Array(Vec<Self>),
    /// `PackedByteArray` (Godot 3: `PoolByteArray`).
    PackedByteArray(Vec<u8>),
    /// `PackedInt32Array` (Godot 3: `PoolIntArray`).
    PackedInt32Array(Vec<i32>),
    /// `PackedInt64Array`; Godot 4 only.
    PackedInt64Array(Vec<i64>),
    /// `PackedFloat32Array` (Godot 3: `PoolRealArray`).
    PackedFloat32Array(Vec<f32>),
    /// `PackedFloat64Array`; Godot 4 only.
    PackedFloat64Array(Vec<f64>),
    /// `PackedStringArray` (Godot 3: `PoolStringArray`).
    PackedStringArray(Vec<String>),
    /// `PackedVector2Array` (Godot 3: `PoolVector2Array`).
    PackedVector2Array(Vec<Vector2>),
    /// `PackedVector3Array` (Godot 3: `PoolVector3Array`).
    PackedVector3Array(Vec<Vector3>),
    /// `PackedColorArray` (Godot 3: `PoolColorArray`).
    PackedColorArray(Vec<Color>),
}

impl Variant {
    /// The value, if this is a `bool`.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The value, if this is an `int`.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(value) = self { Some(*value) } else { None }
    }

    /// The value, if this is a `float`. An `int` is none: Godot tells them apart on the wire.
    pub fn as_float(&self) -> Option<f64> {
        if let Self::Float(value) = self { Some(*value) } else { None }
    }

    /// The text, if this is a `String`.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The elements, if this is an `Array` (not a packed one).
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(elements) = self { Some(elements) } else { None }
    }

    /// Keys and values, if this is a `Dictionary`.
    pub fn as_dictionary(&self) -> Option<&[(Self, Self)]> {
        if let Self::Dictionary(pairs) = self { Some(pairs) } else { None }
    }

    /// The value under a key that is a `String`, if this is a `Dictionary` that has it; of several the last, as in
    /// Godot.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let mut pairs = self.as_dictionary()?.iter().rev();
        pairs.find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// What Godot 4 calls the type of this value.
    ///
    /// ```
    /// use drystone::Variant;
    ///
    /// assert_eq!(Variant::from(1).type_name(), "int");
    /// assert_eq!(Variant::from(vec![1_u8, 2]).type_name(), "PackedByteArray");
    /// ```
    pub fn type_name(&self) -> &'static str {
        self.kind().name()
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Nil,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Float(_) => Kind::Float,
            Self::String(_) => Kind::String,
            Self::Vector2(_) => Kind::Vector2,
            Self::Rect2(_) => Kind::Rect2,
            Self::Vector3(_) => Kind::Vector3,
            Self::Transform2D(_) => Kind::Transform2D,
            Self::Plane(_) => Kind::Plane,
            Self::Quaternion(_) => Kind::Quaternion,
            Self::Aabb(_) => Kind::Aabb,
            Self::Basis(_) => Kind::Basis,
            Self::Transform3D(_) => Kind::Transform3D,
            Self::Color(_) => Kind::Color,
            Self::NodePath(_) => Kind::NodePath,
            Self::Dictionary(_) => Kind::Dictionary,
            Self::Array(_) => Kind::Array,
            Self::PackedByteArray(_) => Kind::PackedByteArray,
            Self::PackedInt32Array(_) => Kind::PackedInt32Array,
            Self::PackedInt64Array(_) => Kind::PackedInt64Array,
            Self::PackedFloat32Array(_) => Kind::PackedFloat32Array,
            Self::PackedFloat64Array(_) => Kind::PackedFloat64Array,
            Self::PackedStringArray(_) => Kind::PackedStringArray,
            Self::PackedVector2Array(_) => Kind::PackedVector2Array,
            Self::PackedVector3Array(_) => Kind::PackedVector3Array,
            Self::PackedColorArray(_) => Kind::PackedColorArray,
        }
    }
}

/// `From` for types that fit a variant without loss.
macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Variant {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    bool => Bool,
    i8 => Int, i16 => Int, i32 => Int, i64 => Int, u8 => Int, u16 => Int, u32 => Int,
    f32 => Float, f64 => Float,
    &str => String, String => String,
    Vector2 => Vector2, Vector3 => Vector3, Color => Color, Rect2 => Rect2, Transform2D => Transform2D,
    Plane => Plane, Quaternion => Quaternion, Aabb => Aabb, Basis => Basis, Transform3D => Transform3D,
    Vec<Variant> => Array, Vec<(Variant, Variant)> => Dictionary,
    Vec<u8> => PackedByteArray, &[u8] => PackedByteArray,
    Vec<i32> => PackedInt32Array, Vec<i64> => PackedInt64Array,
    Vec<f32> => PackedFloat32Array, Vec<f64> => PackedFloat64Array,
    Vec<String> => PackedStringArray,
    Vec<Vector2> => PackedVector2Array, Vec<Vector3> => PackedVector3Array, Vec<Color> => PackedColorArray,
}

impl From<()> for Variant {
    fn from((): ()) -> Self {
        Self::Nil
    }
}

impl<T: Into<Self>> From<Option<T>> for Variant {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_from_and_read_as_rust_types() {
        assert_eq!(Variant::from(7_u32).as_int(), Some(7));
        assert_eq!(Variant::from(0.5_f32).as_float(), Some(0.5));
        assert_eq!(Variant::from(true).as_bool(), Some(true));
        assert_eq!(Variant::from("x").as_str(), Some("x"));
        assert_eq!(Variant::from(None::<i32>), Variant::Nil);
        assert_eq!(Variant::from(()), Variant::default());
        assert_eq!(Variant::from(Some(1)), Variant::Int(1));
        assert_eq!(Variant::from(vec![Variant::Nil]).as_array(), Some(&[Variant::Nil][..]));
        assert_eq!(Variant::from(&b"ab"[..]), Variant::PackedByteArray(b"ab".to_vec()));
        assert_eq!(Variant::from(1).as_float(), None);
    }

    #[test]
    fn of_equal_keys_the_last_counts() {
        let value =
            Variant::Dictionary(vec![("a".into(), 1.into()), (2.into(), 2.into()), ("a".into(), 3.into())]);
        assert_eq!(value.get("a"), Some(&Variant::Int(3)));
        assert_eq!(value.get("b"), None);
        assert_eq!(Variant::Nil.get("a"), None);
    }
}
