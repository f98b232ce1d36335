//! The seam to record number encryption (RFC 9147 section 4.2.3): the mask that hides the sequence number of a
//! unified header. An implementation stands in `ring.rs`.

use crate::InvalidKey;
use alloc::boxed::Box;
use core::fmt;

/// The bytes of ciphertext from which a mask is made.
pub const SAMPLE_LENGTH: usize = 16;

/// An algorithm for record number masks: makes keys.
pub trait Mask: Send + Sync + fmt::Debug {
    /// The length of a key in bytes.
    fn key_length(&self) -> usize;

    /// Expands a key, once per epoch and direction.
    ///
    /// # Errors
    /// [`InvalidKey`] if `key` is not [`key_length`](Self::key_length) bytes long.
    fn key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, InvalidKey>;
}

/// An expanded key for record number masks.
pub trait MaskKey: Send + Sync {
    /// The mask for a record whose ciphertext starts with `sample`: its first two bytes, which are XORed with the
    /// sequence number field. Any sample may come, since the peer chooses it: there is none that fails.
    fn mask(&self, sample: &[u8; SAMPLE_LENGTH]) -> [u8; 2];
}
