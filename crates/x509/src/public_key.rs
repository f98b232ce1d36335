//! A public key from a file, PEM or DER: a SubjectPublicKeyInfo (RFC 7468 section 13). It must not use the key.

use alloc::vec::Vec;
use core::mem;

use rustls_pki_types::SubjectPublicKeyInfoDer;

use crate::key::PublicKey;
use crate::pem::{self, PemError};
use crate::section;

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
    let text = section::text(file);
    let section = pem::first(&text, &["PUBLIC KEY"])?;
    let section = section.ok_or_else(|| PemError::NoPublicKey { found: pem::labels(&text) })?;
    let der = mem::take(&mut *section.decode()?);
    PublicKey::from_spki(SubjectPublicKeyInfoDer::from(der)).map_err(|_| PemError::MalformedPublicKey)
}

/// The first public key of a PEM file, or the one of a DER file.
///
/// # Errors
///
/// As [`public_key_from_pem`].
pub fn public_key_from_pem_or_der(file: &[u8]) -> Result<PublicKey, PemError> {
    if section::is_pem(&section::text(file)) {
        return public_key_from_pem(file);
    }
    PublicKey::from_spki(SubjectPublicKeyInfoDer::from(file))
        .map_err(|_| PemError::NoPublicKey { found: Vec::new() })
}
