//! The provider on [ring](https://docs.rs/ring). Its key shares and signatures take their random numbers from the
//! operating system. With the feature `pq`, ML-KEM-768 by libcrux stands beside ring's X25519.
//!
//! # What is wiped, and what is not
//!
//! What leaves ring is written into wiped boxes at once, and the stack that ring has used is wiped after each computation.
//! AEAD and mask keys are overwritten when they are dropped. Other objects of ring on the heap are not: it has no way to wipe
//! them. When they are freed they leave, until the memory is used again, the ephemeral private key of a key exchange and the
//! private key of a [`signing_key`] in ring's form. HMAC keys are never on the heap, but for the root of the cookies.

mod hash;
#[cfg(feature = "pq")]
mod hybrid;
mod key_file;
mod kx;
mod sign;
mod suites;
mod verify;

pub use hash::{HMAC_SHA_256, HMAC_SHA_384, HMAC_SHA_512, SHA_256, SHA_384, SHA_512};
#[cfg(feature = "pq")]
pub use hybrid::X25519MLKEM768;
pub use kx::{SECP256R1, SECP384R1, X25519};
use sign::load;
pub use sign::signing_key;
pub use suites::CIPHER_SUITES;
pub use verify::SIGNATURE_VERIFIERS;

use crate::crypto::{CryptoProvider, KeyExchangeGroup};

/// The groups in order of preference. X25519MLKEM768 comes first (feature `pq`): what is recorded today must not be read
/// by tomorrow's quantum computers. P-384 comes last: it costs ten times as much as the others.
pub static GROUPS: &[&dyn KeyExchangeGroup] = &[
    #[cfg(feature = "pq")]
    X25519MLKEM768,
    X25519,
    SECP256R1,
    SECP384R1,
];

/// Everything that this module has, in order of preference.
///
/// ```
/// let provider = drystone_handshake::crypto::ring::provider();
/// assert!(!provider.cipher_suites.is_empty());
/// ```
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: CIPHER_SUITES.to_vec(),
        groups: GROUPS.to_vec(),
        signature_verifiers: SIGNATURE_VERIFIERS.to_vec(),
        load_private_key: load,
    }
}
