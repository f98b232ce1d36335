//! A public key from a file, PEM or DER: a SubjectPublicKeyInfo (RFC 7468 section 13). It must not use the key.

use alloc::vec::Vec;

use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::SectionKind;
use zeroize::Zeroize;

use crate::key::PublicKey;
use crate::pem::{self, PemError};

/// The first public key of a PEM file, labelled `PUBLIC KEY`.
///
/// Other sections are passed over: the public half of a private key or of a certificate does not count.
///
/// ```
/// use drystone_x509::{KeyKind, public_key_from_pem};
/// let file = "-----BEGIN PUBLIC KEY-----
/// MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
/// -----END PUBLIC KEY-----
/// ";
/// assert_eq!(public_key_from_pem(file.as_bytes())?.kind(), KeyKind::Ed25519);
/// # Ok::<(), drystone_x509::PemError>(())
/// ```
///
/// # Errors
///
/// [`PemError::NoPublicKey`] says what the file holds instead; [`PemError::MalformedPem`];
/// [`PemError::MalformedPublicKey`] if the section is not exactly one SubjectPublicKeyInfo in DER.
pub fn public_key_from_pem(file: &[u8]) -> Result<PublicKey, PemError> {
    let mut key = None;
    for section in pem::sections(file) {
        let (kind, mut der) = section?;
        if kind == SectionKind::PublicKey {
            key.get_or_insert(der);
        } else {
            der.zeroize(); // may be a private key
        }
    }
    let der = key.ok_or_else(|| PemError::NoPublicKey { found: pem::labels(file) })?;
    PublicKey::from_spki(SubjectPublicKeyInfoDer::from(der)).map_err(|_| PemError::MalformedPublicKey)
}

/// The first public key of a PEM file, or the one of a DER file.
///
/// # Errors
///
/// As [`public_key_from_pem`].
pub fn public_key_from_pem_or_der(file: &[u8]) -> Result<PublicKey, PemError> {
    if pem::is_pem(file) {
        return public_key_from_pem(file);
    }
    PublicKey::from_spki(SubjectPublicKeyInfoDer::from(file))
        .map_err(|_| PemError::NoPublicKey { found: Vec::new() })
}
