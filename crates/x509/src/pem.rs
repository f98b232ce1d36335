//! Certificates from files, PEM or DER. It must not know what they are for.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, SectionKind, SliceIter};
use thiserror::Error;
use zeroize::Zeroize;

/// Labels named in an error.
const LABELS_SHOWN: usize = 4;
const BEGIN: &[u8] = b"-----BEGIN ";

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
/// [`PemError::MalformedCertificate`] if one is not an X.509 certificate in DER.
pub fn certificates_from_pem(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let mut certificates = Vec::new();
    for section in sections(file) {
        let (kind, mut der) = section?;
        if kind == SectionKind::Certificate {
            let certificate = CertificateDer::from(der);
            check(&certificate, certificates.len())?;
            certificates.push(certificate);
        } else {
            der.zeroize(); // may be a private key
        }
    }
    if certificates.is_empty() {
        return Err(PemError::NoCertificate { found: labels(file) });
    }
    Ok(certificates)
}

/// All certificates of a PEM file, or the one of a DER file.
///
/// # Errors
///
/// As [`certificates_from_pem`].
pub fn certificates_from_pem_or_der(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    if is_pem(file) {
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

/// The sections with known labels.
pub(crate) fn sections(file: &[u8]) -> impl Iterator<Item = Result<(SectionKind, Vec<u8>), PemError>> {
    SliceIter::new(without_mark(file)).map(|section| section.map_err(|error| malformed(&error)))
}

/// Editors put a byte order mark in front, which would hide the first section.
fn without_mark(file: &[u8]) -> &[u8] {
    file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file)
}

pub(crate) fn is_pem(file: &[u8]) -> bool {
    file.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// The labels of all sections, known or not; at most a few, and fit for a message.
pub(crate) fn labels(file: &[u8]) -> Vec<String> {
    let lines = without_mark(file).split(|byte| matches!(byte, b'\n' | b'\r'));
    let labels = lines.filter_map(|line| {
        let label = line.strip_prefix(BEGIN)?.split(|byte| *byte == b'-').next()?;
        let label = core::str::from_utf8(label).ok()?;
        Some(label.chars().take(64).filter(|c| !c.is_control()).collect())
    });
    labels.take(LABELS_SHOWN).collect()
}

fn malformed(error: &pem::Error) -> PemError {
    PemError::MalformedPem {
        reason: match error {
            pem::Error::MissingSectionEnd { .. } => "a section does not end",
            pem::Error::IllegalSectionStart { .. } => "a section does not start properly",
            pem::Error::Base64Decode(_) => "a section is not base64",
            pem::Error::SectionTooLarge => "a section is too large",
            _ => "it cannot be read",
        },
    }
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
