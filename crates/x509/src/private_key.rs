//! A private key from a file, PEM or DER. It must not use the key.
//!
//! Keys are PKCS#8 (RFC 5958), SEC1 (RFC 5915) or PKCS#1 (RFC 8017), not encrypted. What is decoded here and not
//! returned is wiped. [`PrivateKeyDer`] does not wipe itself: whoever takes it does, or turns it into a signing key at
//! once.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use zeroize::Zeroize;

use crate::pem::{self, PemError};
use crate::section;

/// The first private key of a PEM file.
///
/// Sections that are not private keys are passed over, as in files with a certificate and its key. Files are read as
/// [`certificates_from_pem`](crate::certificates_from_pem) says.
///
/// ```
/// use drystone_x509::{PemError, private_key_from_pem};
/// let file = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
/// assert_eq!(private_key_from_pem(file), Err(PemError::EncryptedKey));
/// ```
///
/// # Errors
///
/// [`PemError::NoPrivateKey`] says what the file holds instead; [`PemError::EncryptedKey`];
/// [`PemError::MalformedPem`]; [`PemError::MalformedKey`] if the label does not fit what is in the section.
pub fn private_key_from_pem(file: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    let text = section::text(file);
    let Some(section) = pem::first(&text, &[PKCS8, SEC1, PKCS1, ENCRYPTED_PKCS8])? else {
        return Err(PemError::NoPrivateKey { found: pem::labels(&text) });
    };
    if section.label == ENCRYPTED_PKCS8 || section.is_encrypted() {
        return Err(PemError::EncryptedKey);
    }
    let der = mem::take(&mut *section.decode()?);
    checked(match section.label {
        SEC1 => PrivateSec1KeyDer::from(der).into(),
        PKCS1 => PrivatePkcs1KeyDer::from(der).into(),
        _ => PrivatePkcs8KeyDer::from(der).into(),
    })
}

/// The first private key of a PEM file, or the one of a DER file.
///
/// # Errors
///
/// As [`private_key_from_pem`].
pub fn private_key_from_pem_or_der(file: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    if section::is_pem(&section::text(file)) {
        return private_key_from_pem(file);
    }
    match PrivateKeyDer::try_from(file) {
        Ok(key) => Ok(key.clone_key()),
        Err(_) if is_encrypted(file) => Err(PemError::EncryptedKey),
        Err(_) => Err(PemError::NoPrivateKey { found: in_der(file) }),
    }
}

/// Labels: RFC 7468 sections 10 and 11, RFC 5915 section 4, and OpenSSL's for PKCS#1.
const PKCS8: &str = "PRIVATE KEY";
const ENCRYPTED_PKCS8: &str = "ENCRYPTED PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
/// The OBJECT IDENTIFIERs of password-based encryption: PKCS#5 (RFC 8018) and PKCS#12 (RFC 7292).
const PASSWORD_BASED: [&[u8]; 2] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01],
];

/// Refuses a key whose label does not fit its content.
fn checked(mut key: PrivateKeyDer<'static>) -> Result<PrivateKeyDer<'static>, PemError> {
    let fits = PrivateKeyDer::try_from(key.secret_der())
        .is_ok_and(|content| mem::discriminant(&content) == mem::discriminant(&key));
    if fits {
        return Ok(key);
    }
    key.zeroize();
    Err(PemError::MalformedKey)
}

/// EncryptedPrivateKeyInfo (RFC 5958 section 3) starts with the algorithm, not with a version.
fn is_encrypted(der: &[u8]) -> bool {
    let start = der.get(..32).unwrap_or(der);
    PASSWORD_BASED.iter().any(|oid| start.windows(oid.len()).any(|window| window == *oid))
}

fn in_der(der: &[u8]) -> Vec<String> {
    let certificate = CertificateDer::from(der);
    if webpki::anchor_from_trusted_cert(&certificate).is_ok() {
        return alloc::vec![String::from("a certificate in DER")];
    }
    Vec::new()
}
