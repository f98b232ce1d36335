//! Questions about single certificates, by which the one that an error is about is found. Answers are hints only.

use rustls_pki_types::CertificateDer;

use crate::error::Usage;
use crate::read::Reading;

/// Whether notBefore is this second.
pub(super) fn begins(certificate: &CertificateDer<'_>, second: u64) -> bool {
    Reading::of(certificate).is_some_and(|reading| u64::try_from(reading.validity().not_before) == Ok(second))
}

/// Whether notAfter is this second.
pub(super) fn ends(certificate: &CertificateDer<'_>, second: u64) -> bool {
    Reading::of(certificate).is_some_and(|reading| u64::try_from(reading.validity().not_after) == Ok(second))
}

/// Whether the CA bit is set.
pub(super) fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    Reading::of(certificate).is_some_and(|reading| reading.is_authority() == Ok(true))
}

/// Whether it names itself as its issuer.
pub(super) fn is_self_issued(certificate: &CertificateDer<'_>) -> bool {
    Reading::of(certificate).is_some_and(|reading| reading.subject() == reading.issuer())
}

/// Whether the extended key usage allows `usage`.
pub(super) fn permits(certificate: &CertificateDer<'_>, usage: Usage) -> bool {
    Reading::of(certificate).is_some_and(|reading| reading.allows(usage) == Ok(true))
}
