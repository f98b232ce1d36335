//! The seam to authenticated encryption: what the record layer needs of an algorithm, and nothing more.
//! An implementation stands in `ring.rs`; a provider of another kind implements these two traits.

use alloc::boxed::Box;
use core::fmt;

/// The bytes of an AEAD nonce, the same in every suite of DTLS.
pub const NONCE_LENGTH: usize = 12;

/// An AEAD algorithm: makes keys.
pub trait Aead: Send + Sync + fmt::Debug {
    /// The length of a key in bytes.
    fn key_length(&self) -> usize;

    /// The length of a tag in bytes.
    fn tag_length(&self) -> usize;

    /// Expands a key, once per epoch and direction.
    ///
    /// # Errors
    /// [`InvalidKey`] if `key` is not [`key_length`](Self::key_length) bytes long.
    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKey>;
}

/// An expanded AEAD key. It neither counts nor remembers nonces: the epochs do.
pub trait AeadKey: Send + Sync {
    /// Encrypts `in_out` in place and writes the tag.
    ///
    /// # Errors
    /// [`AeadFailure`] if the algorithm refuses the input or `tag` has not the length of a tag.
    fn seal(
        &self,
        nonce: &[u8; NONCE_LENGTH],
        additional_data: &[u8],
        in_out: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), AeadFailure>;

    /// Decrypts `in_out` in place if the tag is right. After a failure the content of `in_out` is lost.
    ///
    /// # Errors
    /// [`AeadFailure`] if the tag is wrong, without further detail.
    fn open(
        &self,
        nonce: &[u8; NONCE_LENGTH],
        additional_data: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadFailure>;
}

/// The bytes are not a key of this algorithm: their length is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the key does not fit the algorithm")]
pub struct InvalidKey;

/// Sealing or opening failed. It says no more on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("authenticated encryption failed")]
pub struct AeadFailure;
