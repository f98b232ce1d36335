//! The RFC's `opaque name<floor..ceiling>`: one declaration of the bounds, used to read and to write.

/// A vector with a length in front: the width of that length and the bounds of what follows, all in bytes.
///
/// ```
/// use drystone_handshake::codec::Vector;
///
/// // opaque legacy_session_id<0..32>;
/// const SESSION_ID: Vector = Vector::u8(0, 32);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector {
    pub(super) width: Width,
    pub(super) floor: usize,
    pub(super) ceiling: usize,
}

/// How many bytes the length takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    One,
    Two,
    Three,
}

impl Vector {
    /// A vector with a length of one byte.
    ///
    /// # Panics
    /// If the ceiling does not fit the length; at compile time where the value is a constant.
    pub const fn u8(floor: usize, ceiling: usize) -> Self {
        assert!(floor <= ceiling && ceiling <= 0xff);
        Self { width: Width::One, floor, ceiling }
    }

    /// A vector with a length of two bytes.
    ///
    /// # Panics
    /// If the ceiling does not fit the length; at compile time where the value is a constant.
    pub const fn u16(floor: usize, ceiling: usize) -> Self {
        assert!(floor <= ceiling && ceiling <= 0xffff);
        Self { width: Width::Two, floor, ceiling }
    }

    /// A vector with a length of three bytes.
    ///
    /// # Panics
    /// If the ceiling does not fit the length; at compile time where the value is a constant.
    pub const fn u24(floor: usize, ceiling: usize) -> Self {
        assert!(floor <= ceiling && ceiling <= 0xff_ffff);
        Self { width: Width::Three, floor, ceiling }
    }

    /// Whether this many bytes are within the bounds.
    pub(super) const fn admits(self, length: usize) -> bool {
        self.floor <= length && length <= self.ceiling
    }
}
