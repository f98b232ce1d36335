//! Secret bytes: wiped on drop, compared in constant time, never printed. Knows nothing of what they mean.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Secret bytes in a box of their own, wiped on drop.
///
/// It is not `Clone`, and `Debug` prints only its length. It is boxed before it is written, so that a move copies a pointer
/// and never the bytes.
///
/// ```
/// use drystone_handshake::crypto::Secret;
///
/// let secret = Secret::with(32, |bytes| bytes.fill(7));
/// assert!(secret.ct_eq(&[7; 32]));
/// assert_eq!(format!("{secret:?}"), "Secret(32 bytes)");
/// ```
pub struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    /// Copies `bytes`. The caller's copy is the caller's to wipe.
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self::with(bytes.len(), |secret| secret.copy_from_slice(bytes))
    }

    /// Lets `fill` write `length` bytes in place, which are zero at first.
    pub fn with(length: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut secret = Zeroizing::new(vec![0; length].into_boxed_slice());
        fill(&mut secret);
        Self(secret)
    }

    /// The bytes. Copy them only into something that is wiped too.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Compares in constant time; secrets of another length are unequal.
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        self.expose().ct_eq(other).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
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
pub struct SharedSecret(Secret);

impl SharedSecret {
    /// Copies `bytes`. The caller's copy is the caller's to wipe.
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self::from_parts(&[bytes])
    }

    /// The concatenation of `parts`, in the order that the group defines.
    pub fn from_parts(parts: &[&[u8]]) -> Self {
        let length = parts.iter().map(|part| part.len()).sum();
        Self(Secret::with(length, |secret| {
            let parts = parts.iter().flat_map(|part| part.iter());
            secret.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        }))
    }

    /// The bytes. Copy them only into something that is wiped too.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedSecret({} bytes)", self.expose().len())
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn a_secret_holds_every_length() {
        for length in [0, 1, 12, 32, 48, 64, 65, 1000] {
            let secret = Secret::with(length, |bytes| bytes.fill(0xa5));
            assert_eq!(secret.expose(), &vec![0xa5; length][..]);
        }
    }

    #[test]
    fn a_move_leaves_the_bytes_where_they_are() {
        let secret = Secret::from_slice(&[7; 32]);
        let place = secret.expose().as_ptr();
        let moved = Some(secret);
        assert_eq!(moved.map(|secret| secret.expose().as_ptr()), Some(place));
    }

    #[test]
    fn a_shared_secret_is_its_parts_in_order() {
        assert_eq!(SharedSecret::from_parts(&[&[1, 2], &[], &[3]]).expose(), [1, 2, 3]);
        assert!(SharedSecret::from_parts(&[]).expose().is_empty());
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
    fn debug_output_has_no_content() {
        assert_eq!(format!("{:?}", Secret::from_slice(&[0xab; 48])), "Secret(48 bytes)");
        assert_eq!(format!("{:?}", SharedSecret::from_slice(&[0xab; 70])), "SharedSecret(70 bytes)");
    }
}
