//! Reads fields of a certificate that webpki does not give away. It never judges a signature, a path or a name.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::{X509Certificate, X509CertificateParser};
use x509_parser::der_parser::Oid;
use x509_parser::extensions::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_parser::nom::Parser;
use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_NAME_CONSTRAINTS, OID_X509_EXT_SUBJECT_ALT_NAME,
};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

use crate::error::{CertificateError, Usage, Which};

/// Characters of a name that are shown in messages.
const TEXT_LIMIT: usize = 256;

/// A certificate that could be read. Extensions are decoded only when asked for, so that an odd one that nobody
/// needs does no harm.
pub(crate) struct Reading<'a>(X509Certificate<'a>);

/// An extension that occurs twice or does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl<'a> Reading<'a> {
    /// `None` if `der` is not exactly one certificate.
    pub(crate) fn of(der: &'a [u8]) -> Option<Self> {
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let (rest, certificate) = parser.parse(der).ok()?;
        rest.is_empty().then_some(Self(certificate))
    }

    pub(crate) fn validity(&self) -> Validity {
        let validity = self.0.validity();
        Validity { not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp() }
    }

    /// The DER SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> &'a [u8] {
        self.0.tbs_certificate.subject_pki.raw
    }

    /// DER of the subject.
    pub(crate) fn subject(&self) -> &'a [u8] {
        self.0.tbs_certificate.subject.as_raw()
    }

    /// DER of the issuer.
    pub(crate) fn issuer(&self) -> &'a [u8] {
        self.0.tbs_certificate.issuer.as_raw()
    }

    /// `None` if it is empty, as it may be where there are alternative names.
    pub(crate) fn subject_text(&self) -> Option<String> {
        one_line(&self.0.subject().to_string())
    }

    pub(crate) fn issuer_text(&self) -> Option<String> {
        one_line(&self.0.issuer().to_string())
    }

    /// What the issuer signed, and the signature.
    pub(crate) fn signed(&self) -> (&[u8], &[u8]) {
        (self.0.tbs_certificate.as_ref(), self.0.signature_value.as_ref())
    }

    /// Content of the OBJECT IDENTIFIER of the signature's algorithm.
    pub(crate) fn signature_oid(&self) -> &[u8] {
        self.0.signature_algorithm.algorithm.as_bytes()
    }

    /// Version 1 or 2, which have no extensions (RFC 5280 section 4.1.2.9): none may be there.
    pub(crate) fn is_old(&self) -> Result<bool, Unreadable> {
        let old = self.0.version() != X509Version::V3;
        if old && !self.0.extensions().is_empty() { Err(Unreadable) } else { Ok(old) }
    }

    /// Whether the certificate may be used so, as far as its own usage extensions say: an absent one allows all.
    pub(crate) fn allows(&self, usage: Usage) -> Result<bool, Unreadable> {
        match usage {
            Usage::DigitalSignature => self.key_usage(KeyUsage::digital_signature),
            Usage::KeyCertSign => self.key_usage(KeyUsage::key_cert_sign),
            Usage::ServerAuth => self.extended_key_usage(|usages| usages.server_auth),
            Usage::ClientAuth => self.extended_key_usage(|usages| usages.client_auth),
        }
    }

    /// Refuses the certificate if it does not allow `usage`.
    pub(crate) fn check_usage(
        &self,
        usage: Usage,
        which: impl Fn() -> Which,
    ) -> Result<(), CertificateError> {
        match self.allows(usage) {
            Ok(true) => Ok(()),
            Ok(false) => Err(CertificateError::WrongUsage { which: which(), usage }),
            Err(Unreadable) => Err(CertificateError::Malformed { which: which() }),
        }
    }

    fn key_usage(&self, allows: impl Fn(&KeyUsage) -> bool) -> Result<bool, Unreadable> {
        let Some(value) = self.extension(&OID_X509_EXT_KEY_USAGE)? else {
            return Ok(true);
        };
        decode::<KeyUsage>(value).map(|usage| allows(&usage))
    }

    /// anyExtendedKeyUsage does not count, as in webpki (RFC 5280 section 4.2.1.12 leaves it to us).
    fn extended_key_usage(&self, allows: impl Fn(&ExtendedKeyUsage<'_>) -> bool) -> Result<bool, Unreadable> {
        let Some(value) = self.extension(&OID_X509_EXT_EXTENDED_KEY_USAGE)? else {
            return Ok(true);
        };
        decode::<ExtendedKeyUsage<'_>>(value).map(|usages| allows(&usages))
    }

    /// basicConstraints with the CA bit.
    pub(crate) fn is_authority(&self) -> Result<bool, Unreadable> {
        let Some(value) = self.extension(&OID_X509_EXT_BASIC_CONSTRAINTS)? else {
            return Ok(false);
        };
        decode::<BasicConstraints>(value).map(|constraints| constraints.ca)
    }

    /// DER of the subjectAltName.
    pub(crate) fn alternative_names(&self) -> Result<Option<&'a [u8]>, Unreadable> {
        self.extension(&OID_X509_EXT_SUBJECT_ALT_NAME)
    }

    /// DER of the nameConstraints.
    pub(crate) fn name_constraints(&self) -> Result<Option<&'a [u8]>, Unreadable> {
        self.extension(&OID_X509_EXT_NAME_CONSTRAINTS)
    }

    /// The common names of the subject that are text.
    pub(crate) fn common_names(&self) -> Vec<&str> {
        self.0.subject().iter_common_name().filter_map(|name| name.as_str().ok()).collect()
    }

    fn extension(&self, oid: &Oid<'_>) -> Result<Option<&'a [u8]>, Unreadable> {
        let extension = self.0.get_extension_unique(oid).map_err(|_| Unreadable)?;
        Ok(extension.map(|extension| extension.value))
    }
}

fn decode<'a, T: FromDer<'a, x509_parser::error::X509Error>>(value: &'a [u8]) -> Result<T, Unreadable> {
    match T::from_der(value) {
        Ok(([], decoded)) => Ok(decoded),
        _ => Err(Unreadable),
    }
}

/// The two dates of a certificate, in seconds from 1970; they may lie before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

/// On which side of its validity a time lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    NotYetValid { not_before: UnixTime },
    Expired { not_after: UnixTime },
}

impl Outside {
    pub(crate) fn error(self, which: Which, time: UnixTime) -> CertificateError {
        match self {
            Self::Expired { not_after } => CertificateError::Expired { which, not_after, time },
            Self::NotYetValid { not_before } => CertificateError::NotYetValid { which, not_before, time },
        }
    }
}

impl Validity {
    /// Both ends belong to it (RFC 5280 section 4.1.2.5).
    pub(crate) fn check(&self, time: UnixTime) -> Result<(), Outside> {
        let now = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        if now < self.not_before {
            return Err(Outside::NotYetValid { not_before: unix_time(self.not_before) });
        }
        if now > self.not_after {
            return Err(Outside::Expired { not_after: unix_time(self.not_after) });
        }
        Ok(())
    }
}

/// Dates before 1970 are shown as 1970: they only appear in messages.
fn unix_time(seconds: i64) -> UnixTime {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    UnixTime::since_unix_epoch(core::time::Duration::from_secs(seconds))
}

/// The subject of a certificate in one line of at most 256 characters, for messages; `None` if it is empty or cannot be read.
///
/// The text is the certificate's own claim, and proves nothing.
pub fn subject_text(certificate: &CertificateDer<'_>) -> Option<String> {
    Reading::of(certificate)?.subject_text()
}

/// A stranger's text made fit for a log: no control characters, not endless. `None` if it is empty.
fn one_line(text: &str) -> Option<String> {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut line: String = text.chars().take(TEXT_LIMIT).map(printable).collect();
    if text.chars().nth(TEXT_LIMIT).is_some() {
        line.pop();
        line.push('…');
    }
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_includes_both_ends() {
        let validity = Validity { not_before: 10, not_after: 20 };
        let check = |seconds| validity.check(unix_time(seconds));
        assert_eq!(check(9), Err(Outside::NotYetValid { not_before: unix_time(10) }));
        assert_eq!(check(10), Ok(()));
        assert_eq!(check(20), Ok(()));
        assert_eq!(check(21), Err(Outside::Expired { not_after: unix_time(20) }));
    }

    #[test]
    fn text_is_one_bounded_line() {
        let line = |text: &str| one_line(text).unwrap();
        assert_eq!(line("CN=a\nERROR b\u{1b}[0m"), "CN=a\u{fffd}ERROR b\u{fffd}[0m");
        assert_eq!(line(&"x".repeat(1000)).chars().count(), TEXT_LIMIT);
        assert!(line(&"x".repeat(1000)).ends_with('…'));
        assert_eq!(line(&"y".repeat(TEXT_LIMIT)), "y".repeat(TEXT_LIMIT));
        assert_eq!(one_line(""), None);
    }
}
