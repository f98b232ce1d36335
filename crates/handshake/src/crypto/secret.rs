//! Secret bytes: wiped on drop, compared in constant time, never printed. Knows nothing of what they mean.

use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{DefaultIsZeroes, Zeroize, Zeroizing};

/// A secret of up to 64 bytes, kept inline and wiped on drop.
///
/// It is not `Clone`, and `Debug` prints only its length. A move may leave a copy of the old bytes on the stack:
/// keep secrets in place where they live long.
///
/// ```
/// use drystone_handshake::crypto::Secret;
///
/// let secret = Secret::with(32, |bytes| bytes.fill(7));
/// assert!(secret.ct_eq(&[7; 32]));
/// assert_eq!(format!("{secret:?}"), "Secret(32 bytes)");
/// ```
pub struct Secret {
    length: usize,
    bytes: Bytes,
}

/// Wiped as one: byte by byte takes a good part of the time of deriving them.
#[derive(Clone, Copy)]
struct Bytes([u8; Secret::CAPACITY]);

impl Default for Bytes {
    fn default() -> Self {
        Self([0; Secret::CAPACITY])
    }
}

impl DefaultIsZeroes for Bytes {}

impl Secret {
    /// The most bytes a secret can hold: the output of SHA-512, the longest hash in use.
    pub const CAPACITY: usize = 64;

    /// Copies `bytes`. The caller's copy is the caller's to wipe.
    ///
    /// # Panics
    ///
    /// If there are more than [`Secret::CAPACITY`] bytes. The length of a secret follows from the suite's hash and
    /// AEAD, never from the network.
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self::with(bytes.len(), |secret| secret.copy_from_slice(bytes))
    }

    /// Lets `fill` write `length` bytes in place, which are zero at first.
    ///
    /// # Panics
    ///
    /// If `length` is more than [`Secret::CAPACITY`]; see [`Secret::from_slice`].
    pub fn with(length: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut secret = Self { length, bytes: Bytes::default() };
        let bytes = secret.bytes.0.get_mut(..length);
        fill(bytes.expect("the lengths of hashes and keys are at most 64 bytes"));
        secret
    }

    /// The bytes. Copy them only into something that is wiped too.
    pub fn expose(&self) -> &[u8] {
        self.bytes.0.get(..self.length).unwrap_or(&[])
    }

    /// Compares in constant time; secrets of another length are unequal.
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        self.expose().ct_eq(other).into()
    }
}

impl Zeroize for Secret {
    fn zeroize(&mut self) {
        self.bytes.zeroize();
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.length)
    }
}

/// What a key exchange agreed on: the pre-master secret of DTLS 1.2, the (EC)DHE input of 1.3. Of any length,
/// because hybrid groups concatenate; wiped on drop; `Debug` prints only the length.
///
/// ```
/// use drystone_handshake::crypto::SharedSecret;
///
/// let hybrid = SharedSecret::from_parts(&[&[1; 32], &[2; 32]]);
/// assert_eq!(hybrid.expose().len(), 64);
/// ```
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// Copies `bytes`. The caller's copy is the caller's to wipe.
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self::from_parts(&[bytes])
    }

    /// The concatenation of `parts`, in the order that the group defines.
    pub fn from_parts(parts: &[&[u8]]) -> Self {
        // One allocation of the exact size: a growing vector would leave unwiped copies behind.
        Self(Zeroizing::new(parts.concat()))
    }

    /// The bytes. Copy them only into something that is wiped too.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedSecret({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn a_secret_holds_every_length_up_to_its_capacity() {
        for length in 0..=Secret::CAPACITY {
            let secret = Secret::with(length, |bytes| bytes.fill(0xa5));
            assert_eq!(secret.expose(), &std::vec![0xa5; length][..]);
        }
    }

    #[test]
    #[should_panic(expected = "at most 64 bytes")]
    fn a_longer_secret_is_refused() {
        Secret::from_slice(&[0; Secret::CAPACITY + 1]);
    }

    #[test]
    fn comparison_covers_every_byte_and_the_length() {
        let secret = Secret::from_slice(&[1, 2, 3]);
        assert!(secret.ct_eq(&[1, 2, 3]));
        for other in [&[0, 2, 3][..], &[1, 0, 3], &[1, 2, 0], &[1, 2], &[1, 2, 3, 0], &[]] {
            assert!(!secret.ct_eq(other));
        }
    }

    #[test]
    fn wiping_clears_every_byte() {
        let mut secret = Secret::from_slice(&[0xff; Secret::CAPACITY]);
        secret.zeroize();
        assert_eq!(secret.bytes.0, [0; Secret::CAPACITY]);
        assert!(core::mem::needs_drop::<Secret>());
        assert!(core::mem::needs_drop::<SharedSecret>());
    }

    #[test]
    fn debug_output_has_no_content() {
        assert_eq!(format!("{:?}", Secret::from_slice(&[0xab; 48])), "Secret(48 bytes)");
        assert_eq!(format!("{:?}", SharedSecret::from_slice(&[0xab; 70])), "SharedSecret(70 bytes)");
    }
}
