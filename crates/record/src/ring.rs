//! AEAD and record number masks by ring. The only file of this crate that knows ring.
//!
//! ring does not wipe its expanded keys when they are dropped. Here a key that nobody uses is expanded in the place of one
//! that is dropped. Its keys have gaps (the round keys that AES-128 does not use, for one), and whatever lies on the stack is
//! copied with them: they are made, and replaced, where the stack was wiped before.

use crate::aead::{Aead, AeadFailure, AeadKey, InvalidKey, NONCE_LENGTH};
use crate::mask::{Mask, MaskKey, SAMPLE_LENGTH};
use ::ring::aead::{self, quic};
use alloc::boxed::Box;
use core::fmt;
use zeroize::{optimization_barrier, zeroize_stack};

/// Bytes of stack in which a key is made and moved.
const ROOM: usize = 2 << 10;

/// What is expanded in the place of a key: the longest has 32 bytes.
const NO_KEY: [u8; 32] = [0; 32];

/// AES-128-GCM with a 16-byte tag.
pub static AES_128_GCM: &dyn Aead = &RingAead { name: "AES-128-GCM", algorithm: &aead::AES_128_GCM };
/// AES-256-GCM with a 16-byte tag.
pub static AES_256_GCM: &dyn Aead = &RingAead { name: "AES-256-GCM", algorithm: &aead::AES_256_GCM };
/// ChaCha20-Poly1305 with a 16-byte tag.
pub static CHACHA20_POLY1305: &dyn Aead =
    &RingAead { name: "ChaCha20-Poly1305", algorithm: &aead::CHACHA20_POLY1305 };

/// The mask for suites with AES-128.
pub static MASK_AES_128: &dyn Mask = &RingMask { name: "AES-128", algorithm: &quic::AES_128 };
/// The mask for suites with AES-256.
pub static MASK_AES_256: &dyn Mask = &RingMask { name: "AES-256", algorithm: &quic::AES_256 };
/// The mask for suites with ChaCha20.
pub static MASK_CHACHA20: &dyn Mask = &RingMask { name: "ChaCha20", algorithm: &quic::CHACHA20 };

struct RingAead {
    name: &'static str,
    algorithm: &'static aead::Algorithm,
}

impl fmt::Debug for RingAead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Aead for RingAead {
    fn key_length(&self) -> usize {
        self.algorithm.key_len()
    }

    fn tag_length(&self) -> usize {
        self.algorithm.tag_len()
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKey> {
        on_clean_stack(|| {
            let unbound = aead::UnboundKey::new(self.algorithm, key).map_err(|_| InvalidKey)?;
            Ok(Box::new(RingAeadKey(aead::LessSafeKey::new(unbound))) as _)
        })
    }
}

struct RingAeadKey(aead::LessSafeKey);

impl Drop for RingAeadKey {
    fn drop(&mut self) {
        let algorithm = self.0.algorithm();
        let no_key = NO_KEY.get(..algorithm.key_len()).unwrap_or(&NO_KEY);
        on_clean_stack(|| {
            if let Ok(no_key) = aead::UnboundKey::new(algorithm, no_key) {
                self.0 = aead::LessSafeKey::new(no_key);
                optimization_barrier(&self.0);
            }
        });
    }
}

impl AeadKey for RingAeadKey {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LENGTH],
        additional_data: &[u8],
        in_out: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), AeadFailure> {
        let tag: &mut [u8; aead::MAX_TAG_LEN] = tag.try_into().map_err(|_| AeadFailure)?;
        let nonce = aead::Nonce::assume_unique_for_key(*nonce);
        let made = self
            .0
            .seal_in_place_separate_tag(nonce, aead::Aad::from(additional_data), in_out)
            .map_err(|_| AeadFailure)?;
        *tag = made.as_ref().try_into().map_err(|_| AeadFailure)?;
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LENGTH],
        additional_data: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadFailure> {
        let tag = aead::Tag::try_from(tag).map_err(|_| AeadFailure)?;
        let nonce = aead::Nonce::assume_unique_for_key(*nonce);
        self.0
            .open_in_place_separate_tag(nonce, aead::Aad::from(additional_data), tag, in_out, 0..)
            .map(|_| ())
            .map_err(|_| AeadFailure)
    }
}

struct RingMask {
    name: &'static str,
    algorithm: &'static quic::Algorithm,
}

impl fmt::Debug for RingMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Mask for RingMask {
    fn key_length(&self) -> usize {
        self.algorithm.key_len()
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, InvalidKey> {
        on_clean_stack(|| {
            let key = quic::HeaderProtectionKey::new(self.algorithm, key).map_err(|_| InvalidKey)?;
            Ok(Box::new(RingMaskKey(key)) as _)
        })
    }
}

struct RingMaskKey(quic::HeaderProtectionKey);

impl Drop for RingMaskKey {
    fn drop(&mut self) {
        let algorithm = self.0.algorithm();
        let no_key = NO_KEY.get(..algorithm.key_len()).unwrap_or(&NO_KEY);
        on_clean_stack(|| {
            if let Ok(no_key) = quic::HeaderProtectionKey::new(algorithm, no_key) {
                self.0 = no_key;
                optimization_barrier(&self.0);
            }
        });
    }
}

impl MaskKey for RingMaskKey {
    fn mask(&self, sample: &[u8; SAMPLE_LENGTH]) -> [u8; 2] {
        let [first, second, ..] =
            self.0.new_mask(sample).expect("ring makes a mask from every sample of 16 bytes");
        [first, second]
    }
}

/// Runs `work` where the stack holds nothing.
fn on_clean_stack<T>(work: impl FnOnce() -> T) -> T {
    zeroize_stack::<ROOM>();
    apart(work)
}

/// In a frame of its own, which lies in what was wiped.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}
