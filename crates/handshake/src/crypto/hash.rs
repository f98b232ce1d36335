//! What the handshake needs of a hash function and of HMAC. Knows no algorithm by name.

use alloc::boxed::Box;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::DefaultIsZeroes;

/// The output of a [`Hash`] or an [`Hmac`]: up to 64 bytes inline.
///
/// Comparison takes constant time, because a `Digest` is also what a received verify_data is compared with.
/// `Debug` prints only the length, because key derivation passes secrets through this type; such copies are held in
/// [`zeroize::Zeroizing`].
#[derive(Clone, Copy)]
pub struct Digest {
    length: usize,
    bytes: [u8; Self::CAPACITY],
}

impl Digest {
    /// The most bytes a digest can hold.
    pub const CAPACITY: usize = 64;

    /// A digest of these bytes, or `None` if there are more than [`Digest::CAPACITY`].
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut digest = Self { length: bytes.len(), ..Self::default() };
        digest.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(digest)
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

impl Default for Digest {
    /// The digest of length 0.
    fn default() -> Self {
        Self { length: 0, bytes: [0; Self::CAPACITY] }
    }
}

impl DefaultIsZeroes for Digest {}

impl PartialEq<[u8]> for Digest {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_ref().ct_eq(other).into()
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        *self == *other.as_ref()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({} bytes)", self.length)
    }
}

/// A hash function: of the transcript, and under HMAC of a key schedule.
///
/// ```
/// use drystone_handshake::crypto::{Hash, ring};
///
/// let mut context = ring::SHA_256.start();
/// context.update(b"client hello");
/// let so_far = context.current();
/// context.update(b"server hello");
/// assert_ne!(context.finish(), so_far);
/// assert_eq!(so_far, ring::SHA_256.hash(&[b"client ", b"hello"]));
/// ```
pub trait Hash: Send + Sync + fmt::Debug {
    /// Bytes of a digest: 1 to [`Digest::CAPACITY`].
    fn output_length(&self) -> usize;

    /// Begins a hash that is fed piece by piece.
    fn start(&self) -> Box<dyn HashContext>;

    /// The hash of the concatenation of `data`.
    fn hash(&self, data: &[&[u8]]) -> Digest;

    /// The hash of nothing, which the key schedule of DTLS 1.3 takes often: who knows it need not compute it.
    fn of_nothing(&self) -> Digest {
        self.hash(&[])
    }
}

/// SHA-256 of nothing.
#[rustfmt::skip]
pub(super) const SHA_256_OF_NOTHING: [u8; 32] = [0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55];

/// SHA-384 of nothing.
#[rustfmt::skip]
pub(super) const SHA_384_OF_NOTHING: [u8; 48] = [0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38, 0x4c, 0xd9, 0x32, 0x7e, 0xb1, 0xb1, 0xe3, 0x6a, 0x21, 0xfd, 0xb7, 0x11, 0x14, 0xbe, 0x07, 0x43, 0x4c, 0x0c, 0xc7, 0xbf, 0x63, 0xf6, 0xe1, 0xda, 0x27, 0x4e, 0xde, 0xbf, 0xe7, 0x6f, 0x65, 0xfb, 0xd5, 0x1a, 0xd2, 0xf1, 0x48, 0x98, 0xb9, 0x5b];

/// A hash that is being fed.
pub trait HashContext: Send + Sync {
    /// Appends `data`.
    fn update(&mut self, data: &[u8]);

    /// A copy that goes on from the same point.
    fn fork(&self) -> Box<dyn HashContext>;

    /// The hash of everything fed, after which nothing more can be.
    fn finish(self: Box<Self>) -> Digest;

    /// The hash of everything fed so far.
    fn current(&self) -> Digest {
        self.fork().finish()
    }
}

/// HMAC with one hash function (RFC 2104).
///
/// ```
/// use drystone_handshake::crypto::{Hmac, ring};
///
/// let tag = ring::HMAC_SHA_256.sign(b"key", &[b"data"]);
/// ring::HMAC_SHA_256.use_key(b"key", &mut |key| assert_eq!(key.sign(&[b"da", b"ta"]), tag));
/// ```
pub trait Hmac: Send + Sync + fmt::Debug {
    /// Bytes of a tag: 1 to [`Digest::CAPACITY`].
    fn output_length(&self) -> usize;

    /// Prepares a key for several tags and lends it to `work`, which is called once. What is prepared is as secret as the
    /// key: it belongs on the stack, which the callers of this crate wipe.
    fn use_key(&self, key: &[u8], work: &mut dyn FnMut(&dyn HmacKey));

    /// A key that stays, prepared once: of a secret that lives as long as its configuration, since not every provider can wipe
    /// it.
    fn key(&self, key: &[u8]) -> Box<dyn HmacKey>;

    /// The tag of the concatenation of `data` under a key that is used once.
    fn sign(&self, key: &[u8], data: &[&[u8]]) -> Digest {
        let mut tag = Digest::default();
        self.use_key(key, &mut |key| tag = key.sign(data));
        tag
    }
}

/// An HMAC key, expanded once.
pub trait HmacKey: Send + Sync {
    /// Bytes of a tag: 1 to [`Digest::CAPACITY`].
    fn output_length(&self) -> usize;

    /// The tag of the concatenation of `data`.
    fn sign(&self, data: &[&[u8]]) -> Digest;
}

#[cfg(test)]
mod tests {
    use std::format;

    use zeroize::Zeroize;

    use super::*;

    #[test]
    fn a_digest_holds_up_to_64_bytes() {
        assert_eq!(Digest::from_slice(&[9; 64]).unwrap().as_ref(), &[9; 64]);
        assert!(Digest::from_slice(&[9; 65]).is_none());
    }

    #[test]
    fn comparison_covers_every_byte_and_the_length() {
        let digest = Digest::from_slice(&[1, 2, 3]).unwrap();
        assert_eq!(digest, *[1, 2, 3].as_slice());
        for other in [&[0, 2, 3][..], &[1, 0, 3], &[1, 2, 0], &[1, 2], &[1, 2, 3, 0], &[]] {
            assert_ne!(digest, *other);
        }
    }

    #[test]
    fn wiping_clears_every_byte_and_debug_shows_none() {
        let mut digest = Digest::from_slice(&[0xab; 64]).unwrap();
        assert_eq!(format!("{digest:?}"), "Digest(64 bytes)");
        digest.zeroize();
        assert_eq!(digest.bytes, [0; 64]);
    }
}
