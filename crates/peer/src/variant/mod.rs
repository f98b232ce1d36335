//! Godot's values on the wire: what `put_var` and `get_var` of Godot send and understand, in feature `variant`.
//!
//! It knows values and bytes, and of packets only that a [`PacketPeer`](crate::PacketPeer) carries them.
//!
//! | module | what it owns |
//! | --- | --- |
//! | `value` | [`Variant`] and its conversions |
//! | `geometry` | vectors, transforms, colours: a few real numbers each |
//! | `node_path` | paths as texts and as names |
//! | `format` | the type numbers of Godot 3 and Godot 4 |
//! | `encode`, `decode` | bytes |
//! | `peer` | [`PacketPeerVariant`]: `put_var` and `get_var` on any packet peer |
//!
//! Not carried, and refused with an error that names them: objects in every form, and the types of Godot that are not in
//! [`Variant`] (`Vector2i`, `Projection`, `StringName`, `RID`, `Callable`, ...).
//!
//! | | here | Godot |
//! | --- | --- | --- |
//! | nesting | 64 deep, or what [`VariantLimits`] says | 1,024 (4.x), any (3.2) |
//! | a count larger than the packet | refused at once | read until the bytes end |
//! | a path with a name that is empty or holds `/` or `:` | refused | read |
//! | U+0000 in a text | refused | the text ends there |
//! | unknown flags in a header | refused | ignored |
//! | an element that is not of the declared type | refused | left out |

mod decode;
mod encode;
mod error;
mod format;
mod geometry;
mod limits;
mod node_path;
mod peer;
#[cfg(test)]
mod tests;
mod value;

pub use error::VariantError;
pub use format::VariantFormat;
pub use geometry::{
    Aabb, Basis, Color, Plane, Quaternion, Rect2, Transform2D, Transform3D, Vector2, Vector3,
};
pub use limits::VariantLimits;
pub use peer::{PacketPeerVariant, VarError};
pub use value::Variant;
