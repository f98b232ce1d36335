//! The name of an association.

use std::fmt;

/// Names one association of one endpoint. Never given twice.
///
/// Ids are ordered by the time at which their associations began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId {
    number: u64,
    /// Where the association is kept, so that nothing is looked up by hashing.
    slot: u32,
}

impl PeerId {
    /// The association's number: they are counted from 1 in the order in which they were begun.
    pub const fn number(self) -> u64 {
        self.number
    }

    pub(super) const fn new(number: u64, slot: u32) -> Self {
        Self { number, slot }
    }

    pub(crate) const fn slot(self) -> u32 {
        self.slot
    }

    #[cfg(test)]
    pub(crate) const fn numbered(number: u64) -> Self {
        Self { number, slot: 0 }
    }
}

impl fmt::Display for PeerId {
    /// The association's number, from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}
