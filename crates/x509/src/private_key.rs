//! A private key from a file, PEM or DER. It must not use the key.
//!
//! Keys are PKCS#8 (RFC 5958), SEC1 (RFC 5915) or PKCS#1 (RFC 8017), not encrypted. What is decoded here and not
//! returned is wiped. [`PrivateKeyDer`] does not wipe itself: whoever takes it does, or turns it into a signing key at
//! once.

use alloc::string::String;
use alloc::vec::Vec;

use rustls_pki_types::pem::SectionKind;
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use zeroize::Zeroize;

use crate::pem::{self, PemError};

/// The first private key of a PEM file.
///
/// Sections that are not private keys are passed over, as in files with a certificate and its key.
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
    // Before any decoding: the headers of an encrypted PKCS#1 section are not base64.
    if file.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
        return Err(PemError::EncryptedKey);
    }
    let mut key = None;
    for section in pem::sections(file) {
        let (kind, der) = section?;
        match (&key, labelled(kind, der)) {
            (None, found) => key = found,
            (Some(_), Some(mut second)) => second.zeroize(),
            (Some(_), None) => {}
        }
    }
    if let Some(key) = key {
        return checked(key);
    }
    let found = pem::labels(file);
    if found.iter().any(|label| label == "ENCRYPTED PRIVATE KEY") {
        return Err(PemError::EncryptedKey);
    }
    Err(PemError::NoPrivateKey { found })
}

/// The first private key of a PEM file, or the one of a DER file.
///
/// # Errors
///
/// As [`private_key_from_pem`].
pub fn private_key_from_pem_or_der(file: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    if pem::is_pem(file) {
        return private_key_from_pem(file);
    }
    match PrivateKeyDer::try_from(file) {
        Ok(key) => Ok(key.clone_key()),
        Err(_) if is_encrypted(file) => Err(PemError::EncryptedKey),
        Err(_) => Err(PemError::NoPrivateKey { found: in_der(file) }),
    }
}

/// RFC 1421 section 4.6.1.1, as OpenSSL writes it into PKCS#1 and SEC1 sections.
const ENCRYPTED: &[u8] = b"Proc-Type: 4,ENCRYPTED";
/// The OBJECT IDENTIFIERs of password-based encryption: PKCS#5 (RFC 8018) and PKCS#12 (RFC 7292).
const PASSWORD_BASED: [&[u8]; 2] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01],
];

/// The key that a section's label says it is. Anything else is wiped.
fn labelled(kind: SectionKind, mut der: Vec<u8>) -> Option<PrivateKeyDer<'static>> {
    match kind {
        SectionKind::PrivateKey => Some(PrivatePkcs8KeyDer::from(der).into()),
        SectionKind::EcPrivateKey => Some(PrivateSec1KeyDer::from(der).into()),
        SectionKind::RsaPrivateKey => Some(PrivatePkcs1KeyDer::from(der).into()),
        _ => {
            der.zeroize();
            None
        }
    }
}

/// Refuses a key whose label does not fit its content.
fn checked(mut key: PrivateKeyDer<'static>) -> Result<PrivateKeyDer<'static>, PemError> {
    let fits = PrivateKeyDer::try_from(key.secret_der())
        .is_ok_and(|content| core::mem::discriminant(&content) == core::mem::discriminant(&key));
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
