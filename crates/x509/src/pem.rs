//! Certificates from files, PEM or DER. It must not know what they are for.

use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, mem};

use rustls_pki_types::CertificateDer;
use thiserror::Error;

use crate::section::{self, Section};

/// Labels named in an error.
const LABELS_SHOWN: usize = 4;

/// A file does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PemError {
    /// There is no certificate.
    #[error("no certificate found{}", Found(found))]
    NoCertificate {
        /// What there is instead.
        found: Vec<String>,
    },
    /// There is no private key.
    #[error("no private key found{}", Found(found))]
    NoPrivateKey {
        /// What there is instead.
        found: Vec<String>,
    },
    /// There is no public key.
    #[error("no public key found{}", Found(found))]
    NoPublicKey {
        /// What there is instead.
        found: Vec<String>,
    },
    /// The private key is encrypted; passwords are not supported.
    #[error("the private key is encrypted; decrypt it first")]
    EncryptedKey,
    /// A certificate in OpenSSL's own form, beside which stand the uses that it is trusted for: to pass over those would
    /// be to trust it for more.
    #[error(
        "a TRUSTED CERTIFICATE has trust settings that only OpenSSL knows; write it without them: openssl x509 -in FILE"
    )]
    TrustedCertificate,
    /// A certificate is not DER.
    #[error("certificate {index} is malformed")]
    MalformedCertificate {
        /// Its place among the certificates of the file, from 0.
        index: usize,
    },
    /// The private key is neither PKCS#8 nor SEC1 nor PKCS#1.
    #[error("the private key is malformed")]
    MalformedKey,
    /// The public key is not a SubjectPublicKeyInfo.
    #[error("the public key is malformed")]
    MalformedPublicKey,
    /// A section of the PEM does not end, does not start properly or is not base64.
    #[error("malformed PEM: {reason}")]
    MalformedPem {
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// All certificates of a PEM file, in its order. Other sections are passed over.
///
/// Files are read as they are found: with text around the sections or directly before and behind their markers, with any line
/// ends, marks of byte order and white space, in UTF-8 or UTF-16, labelled `CERTIFICATE`, `X509 CERTIFICATE` or
/// `X.509 CERTIFICATE` (RFC 7468 section 5.1).
///
/// ```
/// use drystone_x509::{PemError, certificates_from_pem};
/// let key = b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
/// let error = certificates_from_pem(key).unwrap_err();
/// assert_eq!(error.to_string(), "no certificate found; the file holds: PRIVATE KEY");
/// ```
///
/// # Errors
///
/// [`PemError::NoCertificate`] says what the file holds instead; [`PemError::MalformedPem`];
/// [`PemError::MalformedCertificate`] if one is not an X.509 certificate in DER; [`PemError::TrustedCertificate`].
pub fn certificates_from_pem(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let text = section::text(file);
    let mut certificates = Vec::new();
    for section in section::sections(&text) {
        let section = section?;
        match section.label {
            "CERTIFICATE" | "X509 CERTIFICATE" | "X.509 CERTIFICATE" => {
                let certificate = CertificateDer::from(mem::take(&mut *section.decode()?));
                check(&certificate, certificates.len())?;
                certificates.push(certificate);
            }
            "TRUSTED CERTIFICATE" => return Err(PemError::TrustedCertificate),
            _ => {}
        }
    }
    if certificates.is_empty() {
        return Err(PemError::NoCertificate { found: labels(&text) });
    }
    Ok(certificates)
}

/// All certificates of a PEM file, or the one of a DER file.
///
/// # Errors
///
/// As [`certificates_from_pem`].
pub fn certificates_from_pem_or_der(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    if section::is_pem(&section::text(file)) {
        return certificates_from_pem(file);
    }
    let certificate = CertificateDer::from(file.to_vec());
    if check(&certificate, 0).is_ok() {
        return Ok(alloc::vec![certificate]);
    }
    Err(PemError::NoCertificate { found: Vec::new() })
}

/// Whether it is an X.509 certificate of any version; nothing else is judged.
fn check(certificate: &CertificateDer<'_>, index: usize) -> Result<(), PemError> {
    webpki::anchor_from_trusted_cert(certificate)
        .map(drop)
        .map_err(|_| PemError::MalformedCertificate { index })
}

/// The first section with one of these labels. All others must be sections all the same.
pub(crate) fn first<'a>(text: &'a [u8], wanted: &[&str]) -> Result<Option<Section<'a>>, PemError> {
    let mut first = None;
    for section in section::sections(text) {
        let section = section?;
        if wanted.contains(&section.label) {
            first.get_or_insert(section);
        }
    }
    Ok(first)
}

/// The labels of the sections; at most a few.
pub(crate) fn labels(text: &[u8]) -> Vec<String> {
    let labels = section::sections(text).flatten().map(|section| String::from(section.label));
    labels.take(LABELS_SHOWN).collect()
}

/// `; the file holds: A, B`, or nothing.
struct Found<'a>(&'a [String]);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, label) in self.0.iter().enumerate() {
            f.write_str(if place == 0 { "; the file holds: " } else { ", " })?;
            f.write_str(label)?;
        }
        Ok(())
    }
}
