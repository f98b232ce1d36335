//! What the two generations of Godot call and number their types. It is a table: it reads and writes nothing.
//!
//! Read from Godot's `core/variant.h` (3.2) and `core/variant/variant.h` (4.0 to 4.6); the numbers of Godot 3 are also in
//! its page "Binary serialization API". The page of Godot 4 numbers them wrongly, which it says itself ("outdated").

/// Whose numbers are spoken on the wire.
///
/// Both ends must speak the same one: nothing in a packet tells which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariantFormat {
    /// Godot 3.x, as 3.2.3 speaks it.
    Godot3,
    /// Godot 4.x, as 4.0 to 4.6 speak it. Arrays and dictionaries are sent untyped.
    Godot4,
}

/// A type that crosses the wire here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nil,
    Bool,
    Int,
    Float,
    String,
    Vector2,
    Rect2,
    Vector3,
    Transform2D,
    Plane,
    Quaternion,
    Aabb,
    Basis,
    Transform3D,
    Color,
    NodePath,
    Dictionary,
    Array,
    PackedByteArray,
    PackedInt32Array,
    PackedInt64Array,
    PackedFloat32Array,
    PackedFloat64Array,
    PackedStringArray,
    PackedVector2Array,
    PackedVector3Array,
    PackedColorArray,
}

impl Kind {
    /// Godot 4's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nil => "Nil",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::String => "String",
            Self::Vector2 => "Vector2",
            Self::Rect2 => "Rect2",
            Self::Vector3 => "Vector3",
            Self::Transform2D => "Transform2D",
            Self::Plane => "Plane",
            Self::Quaternion => "Quaternion",
            Self::Aabb => "AABB",
            Self::Basis => "Basis",
            Self::Transform3D => "Transform3D",
            Self::Color => "Color",
            Self::NodePath => "NodePath",
            Self::Dictionary => "Dictionary",
            Self::Array => "Array",
            Self::PackedByteArray => "PackedByteArray",
            Self::PackedInt32Array => "PackedInt32Array",
            Self::PackedInt64Array => "PackedInt64Array",
            Self::PackedFloat32Array => "PackedFloat32Array",
            Self::PackedFloat64Array => "PackedFloat64Array",
            Self::PackedStringArray => "PackedStringArray",
            Self::PackedVector2Array => "PackedVector2Array",
            Self::PackedVector3Array => "PackedVector3Array",
            Self::PackedColorArray => "PackedColorArray",
        }
    }
}

/// What stands behind a type number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// It is carried.
    Carried(Kind),
    /// An object: refused, because reading one means running what a stranger names.
    Object,
    /// Another of Godot's types, by Godot's name for it.
    Refused(&'static str),
}

use Entry::{Carried, Object, Refused};

/// The place in the list is the number.
const GODOT_3: &[Entry] = &[
    Carried(Kind::Nil),
    Carried(Kind::Bool),
    Carried(Kind::Int),
    Carried(Kind::Float),
    Carried(Kind::String),
    Carried(Kind::Vector2),
    Carried(Kind::Rect2),
    Carried(Kind::Vector3),
    Carried(Kind::Transform2D),
    Carried(Kind::Plane),
    Carried(Kind::Quaternion),
    Carried(Kind::Aabb),
    Carried(Kind::Basis),
    Carried(Kind::Transform3D),
    Carried(Kind::Color),
    Carried(Kind::NodePath),
    Refused("RID"),
    Object,
    Carried(Kind::Dictionary),
    Carried(Kind::Array),
    Carried(Kind::PackedByteArray),
    Carried(Kind::PackedInt32Array),
    Carried(Kind::PackedFloat32Array),
    Carried(Kind::PackedStringArray),
    Carried(Kind::PackedVector2Array),
    Carried(Kind::PackedVector3Array),
    Carried(Kind::PackedColorArray),
];

/// The place in the list is the number.
const GODOT_4: &[Entry] = &[
    Carried(Kind::Nil),
    Carried(Kind::Bool),
    Carried(Kind::Int),
    Carried(Kind::Float),
    Carried(Kind::String),
    Carried(Kind::Vector2),
    Refused("Vector2i"),
    Carried(Kind::Rect2),
    Refused("Rect2i"),
    Carried(Kind::Vector3),
    Refused("Vector3i"),
    Carried(Kind::Transform2D),
    Refused("Vector4"),
    Refused("Vector4i"),
    Carried(Kind::Plane),
    Carried(Kind::Quaternion),
    Carried(Kind::Aabb),
    Carried(Kind::Basis),
    Carried(Kind::Transform3D),
    Refused("Projection"),
    Carried(Kind::Color),
    Refused("StringName"),
    Carried(Kind::NodePath),
    Refused("RID"),
    Object,
    Refused("Callable"),
    Refused("Signal"),
    Carried(Kind::Dictionary),
    Carried(Kind::Array),
    Carried(Kind::PackedByteArray),
    Carried(Kind::PackedInt32Array),
    Carried(Kind::PackedInt64Array),
    Carried(Kind::PackedFloat32Array),
    Carried(Kind::PackedFloat64Array),
    Carried(Kind::PackedStringArray),
    Carried(Kind::PackedVector2Array),
    Carried(Kind::PackedVector3Array),
    Carried(Kind::PackedColorArray),
    Refused("PackedVector4Array"),
];

/// In the first word of a `NodePath`: it consists of names (Godot 1 sent one text).
pub(super) const PATH_OF_NAMES: u32 = 1 << 31;
/// In the flags of a `NodePath`: it begins at the root.
pub(super) const PATH_ABSOLUTE: u32 = 1;
/// In the flags of a `NodePath` of Godot 2: one more property follows than is counted.
pub(super) const PATH_HAS_PROPERTY: u32 = 2;

/// In the header: the number has 64 bits, or the components of the vectors have.
pub(super) const FLAG_64: u32 = 1 << 16;

/// The part of the header that is the type number.
pub(super) const NUMBER_MASK: u32 = 0xff;

/// In the header of an array: which sort of type its elements are declared to have (Godot 4 only).
pub(super) const ELEMENT_SORT: u32 = 16;
/// In the header of a dictionary: the same for its keys.
pub(super) const KEY_SORT: u32 = 16;
/// In the header of a dictionary: the same for its values.
pub(super) const VALUE_SORT: u32 = 18;
/// Each of the three has two bits.
pub(super) const SORT_MASK: u32 = 0b11;

impl VariantFormat {
    pub(super) fn entry(self, number: u32) -> Option<Entry> {
        self.table().get(usize::try_from(number).ok()?).copied()
    }

    /// `None` if the format has no such type.
    pub(super) fn number(self, kind: Kind) -> Option<u32> {
        let place = self.table().iter().position(|entry| *entry == Carried(kind))?;
        u32::try_from(place).ok()
    }

    /// The flags that may be set in a header of this type. Godot ignores all others; here they are refused, since a
    /// flag that we do not know changes the layout of what follows.
    pub(super) fn flags(self, kind: Kind) -> u32 {
        match (self, kind) {
            (_, Kind::Int | Kind::Float) => FLAG_64,
            // Godot 4 built with double precision.
            (
                Self::Godot4,
                Kind::Vector2
                | Kind::Rect2
                | Kind::Vector3
                | Kind::Transform2D
                | Kind::Plane
                | Kind::Quaternion
                | Kind::Aabb
                | Kind::Basis
                | Kind::Transform3D
                | Kind::PackedVector2Array
                | Kind::PackedVector3Array,
            ) => FLAG_64,
            (Self::Godot4, Kind::Array) => SORT_MASK << ELEMENT_SORT,
            (Self::Godot4, Kind::Dictionary) => SORT_MASK << KEY_SORT | SORT_MASK << VALUE_SORT,
            _ => 0,
        }
    }

    fn table(self) -> &'static [Entry] {
        match self {
            Self::Godot3 => GODOT_3,
            Self::Godot4 => GODOT_4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Godot 3: the page "Binary serialization API" of 3.2. Godot 4: constants as `@GlobalScope` documents them
    /// (`TYPE_COLOR = 20`, ...).
    #[test]
    fn numbers_are_godots() {
        let known = [
            (Kind::Nil, Some(0), Some(0)),
            (Kind::Bool, Some(1), Some(1)),
            (Kind::Int, Some(2), Some(2)),
            (Kind::Float, Some(3), Some(3)),
            (Kind::String, Some(4), Some(4)),
            (Kind::Vector2, Some(5), Some(5)),
            (Kind::Rect2, Some(6), Some(7)),
            (Kind::Vector3, Some(7), Some(9)),
            (Kind::Transform2D, Some(8), Some(11)),
            (Kind::Plane, Some(9), Some(14)),
            (Kind::Quaternion, Some(10), Some(15)),
            (Kind::Aabb, Some(11), Some(16)),
            (Kind::Basis, Some(12), Some(17)),
            (Kind::Transform3D, Some(13), Some(18)),
            (Kind::Color, Some(14), Some(20)),
            (Kind::NodePath, Some(15), Some(22)),
            (Kind::Dictionary, Some(18), Some(27)),
            (Kind::Array, Some(19), Some(28)),
            (Kind::PackedByteArray, Some(20), Some(29)),
            (Kind::PackedInt32Array, Some(21), Some(30)),
            (Kind::PackedInt64Array, None, Some(31)),
            (Kind::PackedFloat32Array, Some(22), Some(32)),
            (Kind::PackedFloat64Array, None, Some(33)),
            (Kind::PackedStringArray, Some(23), Some(34)),
            (Kind::PackedVector2Array, Some(24), Some(35)),
            (Kind::PackedVector3Array, Some(25), Some(36)),
            (Kind::PackedColorArray, Some(26), Some(37)),
        ];
        for (kind, three, four) in known {
            assert_eq!(VariantFormat::Godot3.number(kind), three, "{kind:?}");
            assert_eq!(VariantFormat::Godot4.number(kind), four, "{kind:?}");
        }
        assert_eq!(VariantFormat::Godot3.entry(17), Some(Object));
        assert_eq!(VariantFormat::Godot4.entry(24), Some(Object));
        assert_eq!((VariantFormat::Godot3.entry(27), VariantFormat::Godot4.entry(39)), (None, None));
    }
}
