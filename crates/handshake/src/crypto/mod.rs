//! Cryptography that the handshake needs: narrow traits, the key schedules of both versions on top of them, and one
//! implementation in [`ring`]. Knows no message, no state and no record.
//!
//! | what | where |
//! | --- | --- |
//! | everything that can be offered, in order of preference | [`CryptoProvider`] |
//! | suites as data | [`CipherSuite`] |
//! | hash and HMAC | [`Hash`], [`Hmac`] |
//! | key exchange | [`KeyExchangeGroup`] |
//! | signatures | [`SigningKey`], [`SignatureVerifier`] |
//! | key derivation of DTLS 1.2 | `prf12` |
//! | key derivation of DTLS 1.3 | `schedule13`, on `hkdf` |
//!
//! Every trait can be implemented outside of this crate; a provider is plain data that can be put together anew.

#[doc(hidden)]
pub mod hkdf;
#[doc(hidden)]
pub mod prf12;
#[cfg(feature = "ring")]
pub mod ring;
#[doc(hidden)]
pub mod schedule13;

mod hash;
mod key_error;
mod key_log;
mod kx;
#[cfg(all(feature = "pq", feature = "ring"))]
mod mlkem;
mod secret;
mod sign;
pub(crate) mod stack;
mod suite;

#[cfg(test)]
pub(crate) mod test_support;

use alloc::sync::Arc;
use alloc::vec::Vec;

use drystone_x509::{PrivateKeyDer, PublicKey};

pub use hash::{Digest, Hash, HashContext, Hmac, HmacKey};
pub use key_error::KeyError;
pub use key_log::KeyLogLabel;
pub use kx::{KeyExchangeError, KeyExchangeGroup, PendingKeyExchange, StartedKeyExchange};
pub use secret::{Secret, SharedSecret};
pub use sign::{
    SignatureVerifier, SigningError, SigningKey, certificate_verify_content, server_key_exchange_content,
    signs_certificate_verify13,
};
pub use suite::{Authentication, CipherSuite};

use crate::message::registry::{CipherSuiteId, NamedGroup, SignatureScheme};

/// What can be offered and accepted, in order of preference. Nothing outside of it is ever offered.
///
/// ```
/// use drystone_handshake::crypto::ring;
/// use drystone_handshake::NamedGroup;
///
/// let mut provider = ring::provider();
/// provider.groups.retain(|group| group.name() != NamedGroup::SECP384R1);
/// assert!(provider.group(NamedGroup::SECP384R1).is_none());
/// assert!(provider.group(NamedGroup::X25519).is_some());
/// ```
///
/// A group of one's own, here one that counts the keys made:
///
/// ```
/// use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
/// use drystone_handshake::crypto::{
///     KeyExchangeError, KeyExchangeGroup, SharedSecret, StartedKeyExchange, ring,
/// };
/// use drystone_handshake::NamedGroup;
///
/// #[derive(Debug)]
/// struct Counting(AtomicUsize);
///
/// impl KeyExchangeGroup for Counting {
///     fn name(&self) -> NamedGroup {
///         ring::X25519.name()
///     }
///     fn share_length(&self) -> usize {
///         ring::X25519.share_length()
///     }
///     fn start(&self) -> Result<StartedKeyExchange, KeyExchangeError> {
///         self.0.fetch_add(1, Relaxed);
///         ring::X25519.start()
///     }
///     fn respond(&self, peer_share: &[u8]) -> Result<(Vec<u8>, SharedSecret), KeyExchangeError> {
///         self.0.fetch_add(1, Relaxed);
///         ring::X25519.respond(peer_share)
///     }
/// }
///
/// static GROUP: Counting = Counting(AtomicUsize::new(0));
///
/// # fn main() -> Result<(), KeyExchangeError> {
/// let mut provider = ring::provider();
/// provider.groups = vec![&GROUP];
/// provider.groups[0].start()?;
/// assert_eq!(GROUP.0.load(Relaxed), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct CryptoProvider {
    /// The suites of both versions.
    pub cipher_suites: Vec<&'static CipherSuite>,
    /// The groups for the key exchange.
    pub groups: Vec<&'static dyn KeyExchangeGroup>,
    /// The signature schemes that are accepted from a peer.
    pub signature_verifiers: Vec<SignatureVerifier>,
    /// Makes a signing key of a private key in PKCS#8, SEC1 or PKCS#1. Where the public key is known, from a certificate, the
    /// file may lack it (RFC 5915 section 3); that it belongs to the certificate is checked by the caller.
    pub load_private_key: LoadPrivateKey,
}

/// How a provider makes a signing key: of a private key, and its public key where that is known.
pub type LoadPrivateKey = fn(&PrivateKeyDer<'_>, Option<&PublicKey>) -> Result<Arc<dyn SigningKey>, KeyError>;

impl CryptoProvider {
    /// SHA-256 under HMAC if any suite has it, else what the first one has: for what is no suite's.
    pub(crate) fn hmac(&self) -> Option<&'static dyn Hmac> {
        let suites = || self.cipher_suites.iter().map(|suite| suite.hmac);
        suites().find(|hmac| hmac.output_length() == 32).or_else(|| suites().next())
    }

    /// The same for a hash alone.
    pub(crate) fn hash(&self) -> Option<&'static dyn Hash> {
        let suites = || self.cipher_suites.iter().map(|suite| suite.hash);
        suites().find(|hash| hash.output_length() == 32).or_else(|| suites().next())
    }

    /// The suite with this code point.
    pub fn cipher_suite(&self, id: CipherSuiteId) -> Option<&'static CipherSuite> {
        self.cipher_suites.iter().copied().find(|suite| suite.id == id)
    }

    /// The group with this code point.
    pub fn group(&self, name: NamedGroup) -> Option<&'static dyn KeyExchangeGroup> {
        self.groups.iter().copied().find(|group| group.name() == name)
    }

    /// How signatures of this scheme are verified.
    pub fn signature_verifier(&self, scheme: SignatureScheme) -> Option<&SignatureVerifier> {
        self.signature_verifiers.iter().find(|verifier| verifier.scheme == scheme)
    }
}

/// One of the two ends of a handshake. Closed: there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that sent ClientHello.
    Client,
    /// The end that answers it.
    Server,
}

impl Side {
    /// The other end.
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}
