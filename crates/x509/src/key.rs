//! The public key of a leaf: what kind it is, and whether a signature by it is good. It must not know about trust.

use alloc::string::String;
use core::fmt;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, alg_id};
use thiserror::Error;
use webpki::{EndEntityCert, RawPublicKeyEntity};

use crate::error::{CertificateError, Which};
use crate::oid;
use crate::spki;

/// Smallest RSA modulus that is ever used, in bits.
pub(crate) const MIN_RSA_BITS: usize = 2048;
/// Largest RSA modulus that is ever used, in bits: checking a signature costs the square of it (CVE-2023-29409).
pub(crate) const MAX_RSA_BITS: usize = 8192;
/// Longest signature of a key of another kind, in bytes. ML-DSA-87 has 4,627.
const MAX_OTHER_SIGNATURE: usize = 8192;

/// What a public key is, as far as signatures need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA (`rsaEncryption`).
    Rsa {
        /// Size of the modulus in bits.
        bits: usize,
    },
    /// ECDSA on P-256, the curve given by name.
    EcP256,
    /// ECDSA on P-384, the curve given by name.
    EcP384,
    /// Ed25519.
    Ed25519,
    /// Anything else, among it curves given by explicit parameters.
    Other,
}

/// A public key, checked to be well formed.
///
/// ```
/// use drystone_x509::{CertificateDer, CertificateError, KeyKind, PublicKey};
/// fn is_rsa(certificate: &CertificateDer<'_>) -> Result<bool, CertificateError> {
///     let key = PublicKey::of_certificate(certificate)?;
///     Ok(matches!(key.kind(), KeyKind::Rsa { .. }))
/// }
/// # assert!(is_rsa(&CertificateDer::from(&[0x30, 0][..])).is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    spki: SubjectPublicKeyInfoDer<'static>,
    kind: KeyKind,
}

impl PublicKey {
    /// The key of a certificate. Nothing else in the certificate is judged.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Malformed`] if the certificate or its key is not DER of the right shape.
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Result<Self, CertificateError> {
        match EndEntityCert::try_from(certificate) {
            Ok(leaf) => Self::of_leaf(&leaf, certificate),
            Err(_) => Self::of_unusual(certificate),
        }
    }

    /// A key by itself, as in RFC 7250: a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Malformed`] if it is not exactly that.
    pub fn from_spki(spki: SubjectPublicKeyInfoDer<'_>) -> Result<Self, CertificateError> {
        Self::parse(spki.into_owned()).ok_or(CertificateError::Malformed { which: Which::Undetermined })
    }

    pub(crate) fn of_leaf(
        leaf: &EndEntityCert<'_>,
        certificate: &CertificateDer<'_>,
    ) -> Result<Self, CertificateError> {
        Self::parse(leaf.subject_public_key_info())
            .ok_or_else(|| CertificateError::Malformed { which: Which::presented(0, certificate) })
    }

    /// Version 1, unknown critical extensions: webpki does not read them, but the key is there all the same.
    fn of_unusual(certificate: &CertificateDer<'_>) -> Result<Self, CertificateError> {
        crate::read::Reading::of(certificate)
            .and_then(|reading| Self::parse(reading.spki().to_vec().into()))
            .ok_or_else(|| CertificateError::Malformed { which: Which::presented(0, certificate) })
    }

    fn parse(spki: SubjectPublicKeyInfoDer<'static>) -> Option<Self> {
        let (algorithm, key) = spki::split(&spki)?;
        let kind = if algorithm == alg_id::RSA_ENCRYPTION.as_ref() {
            KeyKind::Rsa { bits: spki::rsa_modulus_bits(key)? }
        } else if algorithm == alg_id::ECDSA_P256.as_ref() {
            KeyKind::EcP256
        } else if algorithm == alg_id::ECDSA_P384.as_ref() {
            KeyKind::EcP384
        } else if algorithm == alg_id::ED25519.as_ref() {
            KeyKind::Ed25519
        } else {
            KeyKind::Other
        };
        Some(Self { spki, kind })
    }

    /// What kind of key it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The bits of subjectPublicKey: what is left of the SubjectPublicKeyInfo without the algorithm.
    pub fn key_bits(&self) -> &[u8] {
        spki::split(&self.spki).map_or(&[], |(_, key)| key) // never the default: `parse` split it
    }

    /// Whether `signature` over `message` was made by this key with one of `algorithms`.
    ///
    /// Algorithms for other kinds of key are passed over: TLS 1.2 does not fix the curve of an ECDSA code point, so
    /// one code point stands for several algorithms. The sizes of key and signature are checked before any
    /// arithmetic: RSA below 2048 or above 8192 bits and signatures that this key cannot make are refused.
    ///
    /// # Errors
    ///
    /// [`BadSignature`], without saying why.
    pub fn verify_signature(
        &self,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        if !self.can_have_made(signature.len()) {
            return Err(BadSignature);
        }
        let entity = RawPublicKeyEntity::try_from(&self.spki).map_err(|_| BadSignature)?;
        for algorithm in algorithms {
            match entity.verify_signature(*algorithm, message, signature) {
                Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
                result => return result.map_err(|_| BadSignature),
            }
        }
        Err(BadSignature)
    }

    /// Whether some algorithm of the list is for this kind of key.
    pub(crate) fn is_supported_by(&self, algorithms: &[&dyn SignatureVerificationAlgorithm]) -> bool {
        spki::split(&self.spki).is_some_and(|(own, _)| {
            algorithms.iter().any(|algorithm| algorithm.public_key_alg_id().as_ref() == own)
        })
    }

    /// The kind of key in words, as precise as they are in use.
    pub(crate) fn name(&self) -> String {
        spki::split(&self.spki).map_or_else(String::new, |(algorithm, _)| oid::key_name(algorithm))
    }

    /// Refuses RSA keys outside `min_rsa_bits..=8192`.
    pub(crate) fn check_size(&self, min_rsa_bits: usize) -> Result<(), KeySize> {
        match self.kind {
            KeyKind::Rsa { bits } if bits < min_rsa_bits => Err(KeySize::TooSmall { bits }),
            KeyKind::Rsa { bits } if bits > MAX_RSA_BITS => Err(KeySize::TooLarge { bits }),
            _ => Ok(()),
        }
    }

    /// Whether a signature of `length` bytes can come from this key (CVE-2021-43527).
    fn can_have_made(&self, length: usize) -> bool {
        match self.kind {
            KeyKind::Rsa { bits } => {
                (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) && length == bits.div_ceil(8)
            }
            // SEQUENCE of two INTEGERs of at most 33 (49) bytes, at least one byte each.
            KeyKind::EcP256 => (8..=72).contains(&length),
            KeyKind::EcP384 => (8..=104).contains(&length),
            KeyKind::Ed25519 => length == 64,
            KeyKind::Other => length <= MAX_OTHER_SIGNATURE,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Why a key's size is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeySize {
    TooSmall { bits: usize },
    TooLarge { bits: usize },
}

impl KeySize {
    pub(crate) fn error(self, which: Which, min: usize) -> CertificateError {
        match self {
            Self::TooSmall { bits } => CertificateError::KeyTooSmall { which, bits, min },
            Self::TooLarge { bits } => CertificateError::KeyTooLarge { which, bits, max: MAX_RSA_BITS },
        }
    }
}

/// A signature was not made by the key, or by none of the allowed algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// What is wrong with the size of the key in `spki`, if it is RSA.
pub(crate) fn odd_size(spki: SubjectPublicKeyInfoDer<'static>, min_rsa_bits: usize) -> Option<KeySize> {
    PublicKey::parse(spki)?.check_size(min_rsa_bits).err()
}
