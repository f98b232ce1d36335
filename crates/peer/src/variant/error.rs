//! Why a value cannot be written or read, and what Godot calls that. It knows nothing of packets.

use thiserror::Error;

use super::VariantFormat;

/// Why a value cannot be written to bytes, or read from them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VariantError {
    /// The bytes end before the value does, or a count says more than there are.
    #[error("the bytes end before the value does")]
    Truncated,
    /// No such type in this format. The sender may speak the other one.
    #[error("type {0} is unknown in this format")]
    UnknownType(u32),
    /// Flags that this type does not have. The sender may speak the other format, or a newer one.
    #[error("header {0:#010x} has flags that its type does not have")]
    UnknownFlags(u32),
    /// An object, or an array or dictionary declared to hold objects. Never read: it would let a stranger choose what
    /// is made here.
    #[error("objects are refused")]
    Object,
    /// One of Godot's types that is not carried here.
    #[error("values of the type {0} are not carried")]
    Unsupported(&'static str),
    /// A type of Godot 4 that Godot 3 has not.
    #[error("{format:?} has no {name}")]
    NotInFormat {
        /// Godot's name for the type.
        name: &'static str,
        /// The format that was asked for.
        format: VariantFormat,
    },
    /// A text that is not UTF-8, or has a character U+0000, which Godot's strings cannot hold.
    #[error("a text is not UTF-8 or holds U+0000")]
    Text,
    /// An element, key or value is not of the type that its array or dictionary declares.
    #[error("an element is not of the declared type")]
    WrongElement,
    /// Arrays or dictionaries inside each other, deeper than the limit.
    #[error("containers are nested deeper than {0}")]
    TooDeep(u8),
    /// More bytes than the limit, which is given; or more elements than the format can count.
    #[error("the value is larger than {0} bytes")]
    TooLarge(usize),
}

impl VariantError {
    /// The number in Godot's `Error` enum: what `get_var`, `put_var` or `bytes_to_var` of Godot would fail with.
    ///
    /// ```
    /// use drystone::VariantError;
    ///
    /// assert_eq!(VariantError::TooLarge(8 << 20).godot_code(), 6); // ERR_OUT_OF_MEMORY
    /// assert_eq!(VariantError::Truncated.godot_code(), 30); // ERR_INVALID_DATA
    /// ```
    pub const fn godot_code(&self) -> i32 {
        match self {
            // ERR_UNAVAILABLE
            Self::Unsupported(_) => 2,
            // ERR_UNAUTHORIZED
            Self::Object => 4,
            // ERR_OUT_OF_MEMORY: Godot says so of both.
            Self::TooDeep(_) | Self::TooLarge(_) => 6,
            // ERR_INVALID_DATA
            Self::Truncated
            | Self::UnknownType(_)
            | Self::UnknownFlags(_)
            | Self::Text
            | Self::WrongElement => 30,
            // ERR_INVALID_PARAMETER
            Self::NotInFormat { .. } => 31,
        }
    }
}
