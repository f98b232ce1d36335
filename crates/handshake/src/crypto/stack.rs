//! Wipes the stack that computations with secrets have used. Knows neither the computations nor the secrets.
//!
//! A secret of this crate lies in a box of its own and is written there at once. What computes it, ring for the most part,
//! leaves copies on the stack, where they would stay until something else happens to be written over them.

use zeroize::zeroize_stack;

/// Bytes of stack that a hash, HMAC or an AEAD's key expansion uses at most, with what is above them here.
pub(crate) const SYMMETRIC: usize = 8 << 10;

/// Bytes of stack that a key exchange or a signature uses at most.
#[cfg(feature = "ring")]
pub(crate) const PUBLIC_KEY: usize = 32 << 10;

/// Bytes of stack that ML-KEM uses at most.
#[cfg(all(feature = "pq", feature = "ring"))]
pub(crate) const KEM: usize = 64 << 10;

/// Runs `work`, and wipes the `BYTES` of stack below the caller. The result must hold no secret in itself, only in boxes.
///
/// No more than a precaution: Rust does not promise where a computation leaves its bytes. The tests of this project look.
pub(crate) fn wiping<const BYTES: usize, T>(work: impl FnOnce() -> T) -> T {
    let result = apart(work);
    zeroize_stack::<BYTES>();
    result
}

/// In a frame of its own, which begins where the wiping begins.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}
