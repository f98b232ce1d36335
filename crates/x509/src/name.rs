//! Whether a leaf is for the expected name. Alternative names are webpki's business, the common name is ours.

use alloc::string::String;
use alloc::vec::Vec;

use rustls_pki_types::{CertificateDer, IpAddr, ServerName};
use webpki::EndEntityCert;

use crate::diagnose;
use crate::error::{CertificateError, Which};
use crate::policy::{CommonName, Policy};
use crate::read::Reading;

/// Names kept in an error; a certificate can carry thousands.
const NAMES_KEPT: usize = 64;

/// Where the matching name stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameSource {
    AlternativeName,
    CommonName,
}

impl NameSource {
    pub(crate) fn is_common_name(self) -> bool {
        self != Self::AlternativeName
    }
}

/// Compares the alternative names, or the common name if there are none and the policy allows it.
pub(crate) fn check(
    policy: &Policy,
    parsed: &EndEntityCert<'_>,
    leaf: &CertificateDer<'_>,
    expected: &ServerName<'_>,
) -> Result<NameSource, CertificateError> {
    match parsed.verify_is_valid_for_subject_name(expected) {
        Ok(()) => Ok(NameSource::AlternativeName),
        Err(webpki::Error::CertNotValidForName(context)) => {
            fall_back(policy, leaf, expected, &context.presented)
        }
        Err(error) => Err(diagnose::unreadable(&error, 0, leaf)),
    }
}

fn fall_back(
    policy: &Policy,
    leaf: &CertificateDer<'_>,
    expected: &ServerName<'_>,
    names: &[String],
) -> Result<NameSource, CertificateError> {
    let malformed = || CertificateError::Malformed { which: Which::presented(0, leaf) };
    let reading = Reading::of(leaf).ok_or_else(malformed)?;
    if reading.alternative_names().map_err(|_| malformed())?.is_some() {
        return Err(mismatch(expected, names));
    }
    check_without_alternatives(policy, leaf, &reading, expected)
}

/// The common name, for a certificate known to have no alternative names.
///
/// With several common names none counts: implementations differ in which is the one (RFC 6125 section 6.4.4).
pub(crate) fn check_without_alternatives(
    policy: &Policy,
    leaf: &CertificateDer<'_>,
    reading: &Reading<'_>,
    expected: &ServerName<'_>,
) -> Result<NameSource, CertificateError> {
    let counts = match policy.common_name {
        CommonName::Never => false,
        CommonName::OfConfigured => policy.anchors.find(leaf).is_some(),
        CommonName::Always => true,
    };
    if !counts {
        return Err(mismatch(expected, &[]));
    }
    match reading.common_names().as_slice() {
        [Some(one)] if same_name(one, expected) => Ok(NameSource::CommonName),
        names => {
            let names: Vec<String> = names.iter().flatten().map(|name| name.clone().into_owned()).collect();
            Err(mismatch(expected, &names))
        }
    }
}

/// Equal but for letter case and a final dot.
fn same_name(common_name: &str, expected: &ServerName<'_>) -> bool {
    let without_dot = |name: &str| String::from(name.strip_suffix('.').unwrap_or(name));
    match expected {
        ServerName::DnsName(name) => {
            without_dot(common_name).eq_ignore_ascii_case(&without_dot(name.as_ref()))
        }
        ServerName::IpAddress(_) => {
            ServerName::try_from(common_name).is_ok_and(|presented| presented == *expected)
        }
        _ => false,
    }
}

fn mismatch(expected: &ServerName<'_>, presented: &[String]) -> CertificateError {
    let presented = presented.iter().take(NAMES_KEPT).map(|name| shown(name)).collect();
    CertificateError::NameMismatch { expected: expected.to_owned(), presented }
}

/// webpki wraps names in their kind, as `DnsName("a.example")`; and they are a stranger's text.
fn shown(name: &str) -> String {
    let unwrapped = |kind: &str, end: &str| name.strip_prefix(kind)?.strip_suffix(end);
    // An address written as a DNS name matches nothing: then the kind is what the reader needs.
    let dns = unwrapped("DnsName(\"", "\")").filter(|bare| IpAddr::try_from(*bare).is_err());
    let bare = dns.or_else(|| unwrapped("IpAddress(", ")")).unwrap_or(name);
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    bare.chars().take(256).map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_bare_unless_that_misleads() {
        assert_eq!(shown("DnsName(\"a.example\")"), "a.example");
        assert_eq!(shown("IpAddress(192.0.2.7)"), "192.0.2.7");
        assert_eq!(shown("DnsName(\"192.0.2.7\")"), "DnsName(\"192.0.2.7\")");
        assert_eq!(shown("DnsName(\"a\nb\")"), "a\u{fffd}b");
        assert_eq!(shown(&"x".repeat(1000)).len(), 256);
    }
}
