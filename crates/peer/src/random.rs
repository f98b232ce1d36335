//! The operating system's random numbers, and the settings that most programs start from.

use drystone_handshake::{Error, FromRng, SecureRandom};
#[cfg(feature = "ring")]
use drystone_handshake::{Settings, crypto};

/// The operating system's source of random bytes.
///
/// ```
/// use drystone::{OsRandom, SecureRandom};
///
/// let mut bytes = [0; 32];
/// OsRandom.fill(&mut bytes)?;
/// assert_ne!(bytes, [0; 32]);
/// # Ok::<(), drystone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl SecureRandom for OsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        FromRng(getrandom::SysRng).fill(bytes)
    }
}

/// The defaults: cryptography by ring, random numbers from the operating system.
///
/// ```
/// let mut settings = drystone::settings();
/// settings.alpn = vec![b"game/1".to_vec()];
/// settings.mtu = 1350;
/// ```
#[cfg(feature = "ring")]
pub fn settings() -> Settings {
    Settings::new(crypto::ring::provider(), OsRandom)
}
