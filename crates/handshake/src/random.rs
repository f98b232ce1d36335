//! Randomness as a configuration value.

use core::fmt::Debug;

use rand_core::TryCryptoRng;

use crate::Error;

/// A source of random bytes for randoms, cookies and the like.
///
/// Key shares and signatures made by ring use the operating system's source instead (ring seals that choice).
/// Every `TryCryptoRng` that is cheap to clone serves through [`FromRng`].
pub trait SecureRandom: Send + Sync + Debug {
    /// Fills `bytes`, or fails without a usable result.
    ///
    /// # Errors
    /// [`Error::RandomFailure`] if the source has none to give; the association then ends with internal_error.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error>;
}

/// Adapts a random number generator: every call works on a clone of it, so it must be a handle to a shared source
/// (like the operating system's), not a generator with its own state.
///
/// ```
/// use drystone_handshake::{FromRng, SecureRandom};
///
/// let random = FromRng(getrandom::SysRng);
/// let mut bytes = [0; 32];
/// random.fill(&mut bytes).unwrap();
/// assert_ne!(bytes, [0; 32]);
/// ```
#[derive(Clone, Debug)]
pub struct FromRng<R>(pub R);

impl<R: TryCryptoRng + Clone + Send + Sync + Debug> SecureRandom for FromRng<R> {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.clone().try_fill_bytes(bytes).map_err(|_| Error::RandomFailure)
    }
}
