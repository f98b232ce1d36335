//! How large and how deep a value may be. It measures nothing itself.

use super::VariantError;

/// What a value must keep to, in both directions.
///
/// ```
/// use drystone::{Variant, VariantError, VariantFormat};
/// use drystone::variant::VariantLimits;
///
/// let limits = VariantLimits::default().with_max_size(16);
/// let error = Variant::from("too long for this").encode(VariantFormat::Godot3, &mut Vec::new(), limits);
/// assert_eq!(error, Err(VariantError::TooLarge(16)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariantLimits {
    pub(super) max_size: usize,
    pub(super) max_depth: u8,
}

impl VariantLimits {
    /// The most bytes of one encoded value: 8 MiB unless set, as Godot's `encode_buffer_max_size`. Reading refuses
    /// more bytes than that before it looks at them.
    #[must_use]
    pub const fn with_max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }

    /// How many arrays and dictionaries may lie inside each other: 64 unless set. 0 allows none.
    ///
    /// Godot allows 1,024 (3.2 any number) and counts on a stack of 8 MiB. Nesting costs stack, less than four
    /// kilobytes each, and a stranger chooses it; no game needs more than a few.
    #[must_use]
    pub const fn with_max_depth(mut self, containers: u8) -> Self {
        self.max_depth = containers;
        self
    }

    /// The depth of what lies in a container that itself lies at `depth`.
    pub(super) fn deeper(self, depth: u8) -> Result<u8, VariantError> {
        if depth >= self.max_depth { Err(VariantError::TooDeep(self.max_depth)) } else { Ok(depth + 1) }
    }
}

impl Default for VariantLimits {
    fn default() -> Self {
        Self { max_size: 8 << 20, max_depth: 64 }
    }
}
