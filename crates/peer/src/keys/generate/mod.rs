//! `Crypto`: new keys, self-signed certificates, random bytes. Which certificate, say the files beside this one.

mod date;
mod error;
mod name;
mod self_signed;

use std::fmt::Display;

use drystone_handshake::{Credential, SecureRandom as _};
use drystone_x509::PrivateKeyDer;
use zeroize::{Zeroizing, zeroize_stack};

pub use self::error::GenerateError;
pub use self::self_signed::SelfSigned;
use super::certificate::X509Certificate;
use super::key::CryptoKey;
use crate::clock::Clock;
use crate::random::OsRandom;

/// Makes keys and certificates, as Godot's class of this name does. With the feature `generate`.
///
/// ```
/// use drystone::{Credential, Crypto, KeyAlgorithm, SelfSigned};
///
/// let crypto = Crypto::new();
/// let key = crypto.generate_key(KeyAlgorithm::EcP256)?;
/// let wanted = SelfSigned {
///     subject_alt_names: vec!["game.example.org".to_owned(), "192.0.2.7".to_owned()],
///     ..SelfSigned::default()
/// };
/// let certificate = crypto.generate_self_signed_certificate(&key, &wanted)?;
///
/// // The server presents it ...
/// let private_key = key.private_key().expect("it is not the public half alone");
/// let credential = Credential::new(certificate.certificates().to_vec(), private_key)?;
/// // ... and the clients, to whom it was given with the game, trust it and nothing else.
/// let policy = drystone::x509::Policy::new(certificate.trust_anchors()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Crypto {
    _private: (),
}

/// A kind of key that [`Crypto`] makes.
///
/// There is no RSA here, and no `generate_rsa`: ring, from which all our cryptography comes, makes no RSA keys. Where
/// one is needed, `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem` makes a file that
/// [`CryptoKey::load`] takes, and [`Crypto::generate_self_signed_certificate`] signs with it. Godot takes ECDSA keys
/// just as well, and their handshakes are shorter and cheaper for the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on P-256, which every peer knows.
    #[default]
    EcP256,
    /// ECDSA on P-384.
    EcP384,
    /// Ed25519. Godot does not know it.
    Ed25519,
}

impl Crypto {
    /// There is nothing to set.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new private key, in PKCS#8.
    ///
    /// # Errors
    /// [`GenerateError::Failed`] if the operating system gives no random numbers.
    pub fn generate_key(&self, algorithm: KeyAlgorithm) -> Result<CryptoKey, GenerateError> {
        let der = match algorithm {
            KeyAlgorithm::EcP256 => ecdsa(&rcgen::PKCS_ECDSA_P256_SHA256)?,
            KeyAlgorithm::EcP384 => ecdsa(&rcgen::PKCS_ECDSA_P384_SHA384)?,
            KeyAlgorithm::Ed25519 => ed25519()?,
        };
        Ok(CryptoKey::try_from(PrivateKeyDer::Pkcs8(der.into()))?)
    }

    /// A certificate for `key`, signed with it: version 3, the serial number random, good for servers and clients.
    ///
    /// The key may be any private one, a loaded RSA key too. It signs with SHA-256, on P-384 with SHA-384.
    ///
    /// # Errors
    /// [`GenerateError`] says which part of the request cannot be met.
    pub fn generate_self_signed_certificate(
        &self,
        key: &CryptoKey,
        wanted: &SelfSigned,
    ) -> Result<X509Certificate, GenerateError> {
        self_signed::certificate(key, wanted, Clock::new().start().unix)
    }

    /// `count` bytes from the operating system's source of random numbers.
    ///
    /// # Errors
    /// [`GenerateError::Failed`] if it gives none.
    pub fn generate_random_bytes(&self, count: usize) -> Result<Vec<u8>, GenerateError> {
        let mut bytes = vec![0; count];
        OsRandom.fill(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

/// A new key (ECDSA on P-256) with a certificate that it signs itself for these DNS names and IP addresses, good for ten years:
/// for tests, for peers that recognise each other by [fingerprints](drystone_x509::Policy::fingerprint), and for games that ship
/// the certificate. The certificate is the first of [`Credential::chain`].
///
/// ```
/// use drystone::x509::Fingerprint;
///
/// let credential = drystone::self_signed(["game.example.org", "192.0.2.7"])?;
/// println!("a=fingerprint:{}", Fingerprint::sha256(&credential.chain()[0]));
/// # Ok::<(), drystone::GenerateError>(())
/// ```
///
/// # Errors
/// [`GenerateError`] if a name is none, or there are no random numbers.
pub fn self_signed<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Result<Credential, GenerateError> {
    let subject_alt_names = names.into_iter().map(Into::into).collect();
    let wanted = SelfSigned { subject_alt_names, ..SelfSigned::default() };
    let crypto = Crypto::new();
    let key = crypto.generate_key(KeyAlgorithm::EcP256)?;
    let certificate = crypto.generate_self_signed_certificate(&key, &wanted)?;
    let private_key = key.private_key().ok_or_else(|| failed("the new key has no private half"))?;
    Credential::new(certificate.certificates().to_vec(), private_key).map_err(failed)
}

fn ecdsa(algorithm: &'static rcgen::SignatureAlgorithm) -> Result<Vec<u8>, GenerateError> {
    /// Bytes of stack that making a key uses at most.
    const STACK: usize = 32 << 10;
    let der = generate(algorithm);
    zeroize_stack::<STACK>();
    der
}

/// In a frame of its own, which begins where the wiping begins.
#[inline(never)]
fn generate(algorithm: &'static rcgen::SignatureAlgorithm) -> Result<Vec<u8>, GenerateError> {
    // rcgen wipes its key when it is asked to, not on drop.
    let pair = Zeroizing::new(rcgen::KeyPair::generate_for(algorithm).map_err(failed)?);
    Ok(pair.serialize_der())
}

/// Version 1 of PKCS#8 (RFC 8410 section 10.3), which holds the seed alone. The second version, which ring writes, is refused by
/// OpenSSL up to 3.x.
fn ed25519() -> Result<Vec<u8>, GenerateError> {
    const BEFORE_SEED: [u8; 16] = [0x30, 46, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 34, 4, 32];
    let mut seed = Zeroizing::new([0; 32]);
    OsRandom.fill(&mut seed[..]).map_err(failed)?;
    Ok([&BEFORE_SEED[..], &seed[..]].concat())
}

fn failed(reason: impl Display) -> GenerateError {
    GenerateError::Failed(reason.to_string())
}

#[cfg(test)]
mod tests;
