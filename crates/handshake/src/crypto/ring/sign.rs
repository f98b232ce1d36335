//! Signing keys that ring holds in memory.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::task::Poll;

use drystone_x509::{KeyKind, PublicKey};
use ring::error::KeyRejected;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair as RsaKeyPair;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding,
};
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, alg_id};
use zeroize::Zeroizing;

use super::key_file::{Curve, Parts, parts, subject_public_key_info};
use crate::crypto::{KeyError, SigningError, SigningKey, stack};
use crate::message::registry::SignatureScheme;

/// A signing key from PKCS#8, SEC1 or PKCS#1: RSA of 2048 to 4096 bits, P-256, P-384 or Ed25519.
///
/// The file of an EC key must have the public key, uncompressed; [`Credential::new`](crate::Credential::new) does
/// without it.
///
/// # Errors
///
/// [`KeyError`], which says what is wrong with the key.
///
/// ```
/// use drystone_handshake::crypto::{KeyError, ring::signing_key};
/// use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
///
/// let damaged = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(vec![0x30, 0x00]));
/// assert_eq!(signing_key(&damaged).err(), Some(KeyError::Malformed("PrivateKeyInfo")));
/// ```
pub fn signing_key(key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, KeyError> {
    load(key, None)
}

/// A signing key; where its public key is known from a certificate, the file of an EC key may leave it out, or have it
/// compressed (RFC 5915 section 3).
pub(super) fn load(
    key: &PrivateKeyDer<'_>,
    known: Option<&PublicKey>,
) -> Result<Arc<dyn SigningKey>, KeyError> {
    stack::wiping::<{ stack::PUBLIC_KEY }, _>(|| {
        let key = match parts(key)? {
            Parts::Rsa { der, bits } => rsa(der, bits)?,
            Parts::Ec { curve, private_key, public_key: Some(point @ [UNCOMPRESSED, ..]) } => {
                ecdsa(curve, private_key, point).map_err(rejected)?
            }
            Parts::Ec { curve, private_key, public_key } => {
                let known = known.ok_or(KeyError::PublicKeyMissing)?;
                let point = point_of(curve, known)
                    .filter(|point| fits(point, public_key))
                    .ok_or(KeyError::Mismatch)?;
                ecdsa(curve, private_key, point).map_err(|_| KeyError::Mismatch)?
            }
            Parts::Ed25519 { pkcs8 } => ed25519(pkcs8)?,
        };
        Ok(Arc::new(key) as Arc<dyn SigningKey>)
    })
}

/// Not `From`: ring's types stay out of the public interface.
fn rejected(reason: KeyRejected) -> KeyError {
    KeyError::Rejected(reason.to_string())
}

fn rsa(der: &[u8], bits: usize) -> Result<RingSigningKey, KeyError> {
    if !(2048..=4096).contains(&bits) {
        return Err(KeyError::RsaKeySize { bits });
    }
    let pair = RsaKeyPair::from_der(der).map_err(rejected)?;
    Ok(RingSigningKey {
        public_key: subject_public_key_info(alg_id::RSA_ENCRYPTION, pair.public_key().as_ref()),
        schemes: RSA_SCHEMES,
        pair: Pair::Rsa(pair),
    })
}

/// The first byte of a point of which both coordinates follow (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// The uncompressed point of a public key on this curve.
fn point_of(curve: Curve, key: &PublicKey) -> Option<&[u8]> {
    let same_curve = match curve {
        Curve::P256 => key.kind() == KeyKind::EcP256,
        Curve::P384 => key.kind() == KeyKind::EcP384,
    };
    let point = key.key_bits();
    (same_curve && point.first() == Some(&UNCOMPRESSED)).then_some(point)
}

/// Whether what a file has of the point is of this one: nothing, or the first coordinate and whether the second is odd.
fn fits(point: &[u8], in_file: Option<&[u8]>) -> bool {
    let Some(in_file) = in_file else { return true };
    let odd = point.last().is_some_and(|last| last & 1 == 1);
    let compressed = in_file.split_first().filter(|(form, _)| **form == if odd { 3 } else { 2 });
    let first_coordinate = point.get(1..point.len().div_ceil(2));
    compressed.is_some_and(|(_, coordinate)| Some(coordinate) == first_coordinate)
}

/// The scalar with its full length: some tools leave out zeros in front, or write one too many.
fn full_length(scalar: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let zeros = scalar.iter().take_while(|byte| **byte == 0).count();
    let significant = scalar.get(zeros..).unwrap_or_default();
    let mut full = Zeroizing::new(vec![0; length.max(significant.len())]);
    let padding = full.len().saturating_sub(significant.len());
    for (to, from) in full.iter_mut().skip(padding).zip(significant) {
        *to = *from;
    }
    full
}

fn ecdsa(curve: Curve, private_key: &[u8], public_key: &[u8]) -> Result<RingSigningKey, KeyRejected> {
    let (algorithm, schemes): (_, &[SignatureScheme]) = match curve {
        Curve::P256 => (&ECDSA_P256_SHA256_ASN1_SIGNING, &[SignatureScheme::ECDSA_SECP256R1_SHA256]),
        Curve::P384 => (&ECDSA_P384_SHA384_ASN1_SIGNING, &[SignatureScheme::ECDSA_SECP384R1_SHA384]),
    };
    let pair = EcdsaKeyPair::from_private_key_and_public_key(
        algorithm,
        &full_length(private_key, curve.scalar_length()),
        public_key,
        &SystemRandom::new(),
    )?;
    Ok(RingSigningKey {
        public_key: subject_public_key_info(curve.algorithm(), public_key),
        schemes,
        pair: Pair::Ecdsa(pair),
    })
}

fn ed25519(pkcs8: &[u8]) -> Result<RingSigningKey, KeyError> {
    // "Maybe unchecked": if the document has a public key it is checked, but it need not have one.
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(rejected)?;
    Ok(RingSigningKey {
        public_key: subject_public_key_info(alg_id::ED25519, pair.public_key().as_ref()),
        schemes: &[SignatureScheme::ED25519],
        pair: Pair::Ed25519(pair),
    })
}

/// PSS first: the only RSA padding of DTLS 1.3.
const RSA_SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_RSAE_SHA256,
    SignatureScheme::RSA_PSS_RSAE_SHA384,
    SignatureScheme::RSA_PSS_RSAE_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

struct RingSigningKey {
    pair: Pair,
    public_key: Vec<u8>,
    schemes: &'static [SignatureScheme],
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl RingSigningKey {
    fn sign_now(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        if !self.schemes.contains(&scheme) {
            return Err(SigningError::UnsupportedScheme(scheme));
        }
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| SigningError::Failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Rsa(pair) => {
                let encoding = rsa_encoding(scheme).ok_or(SigningError::UnsupportedScheme(scheme))?;
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).map_err(|_| SigningError::Failed)?;
                Ok(signature)
            }
        }
    }
}

fn rsa_encoding(scheme: SignatureScheme) -> Option<&'static dyn RsaEncoding> {
    match scheme {
        SignatureScheme::RSA_PSS_RSAE_SHA256 => Some(&RSA_PSS_SHA256),
        SignatureScheme::RSA_PSS_RSAE_SHA384 => Some(&RSA_PSS_SHA384),
        SignatureScheme::RSA_PSS_RSAE_SHA512 => Some(&RSA_PSS_SHA512),
        SignatureScheme::RSA_PKCS1_SHA256 => Some(&RSA_PKCS1_SHA256),
        SignatureScheme::RSA_PKCS1_SHA384 => Some(&RSA_PKCS1_SHA384),
        SignatureScheme::RSA_PKCS1_SHA512 => Some(&RSA_PKCS1_SHA512),
        _ => None,
    }
}

impl SigningKey for RingSigningKey {
    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.public_key.as_slice()))
    }

    fn schemes(&self) -> &[SignatureScheme] {
        self.schemes
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Poll<Result<Vec<u8>, SigningError>> {
        // The nonce of a signature is as secret as the key.
        Poll::Ready(stack::wiping::<{ stack::PUBLIC_KEY }, _>(|| self.sign_now(scheme, message)))
    }
}

impl fmt::Debug for RingSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingSigningKey").field("schemes", &self.schemes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
