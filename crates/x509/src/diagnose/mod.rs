//! Turns webpki's error into ours: what failed, and for which certificate. It must not change a verdict.

mod fields;
mod trace;

use rustls_pki_types::CertificateDer;
use webpki::{
    EndEntityCert, Error, UnsupportedSignatureAlgorithmContext,
    UnsupportedSignatureAlgorithmForPublicKeyContext,
};

use crate::error::{CertificateError, Usage, Which};
use crate::policy::Policy;
use crate::read::Reading;
use crate::view::Chain;
use fields::{begins, ends, is_authority, is_self_issued, permits};

/// A chain that webpki refused.
pub(crate) struct Failure<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) chain: &'a Chain<'a>,
    pub(crate) usage: Usage,
}

/// The error of a presented certificate that webpki cannot read or cannot use as a leaf.
pub(crate) fn unreadable(error: &Error, index: usize, certificate: &CertificateDer<'_>) -> CertificateError {
    let which = Which::presented(index, certificate);
    match error {
        Error::UnsupportedCertVersion => CertificateError::UnsupportedVersion { which },
        Error::UnsupportedCriticalExtension => {
            match Reading::of(certificate).and_then(|reading| reading.unknown_critical_extension()) {
                Some(extension) => CertificateError::UnsupportedCriticalExtension { which, extension },
                // One that is understood, but cannot be read.
                None => CertificateError::Malformed { which },
            }
        }
        _ => CertificateError::Malformed { which },
    }
}

impl Failure<'_> {
    pub(crate) fn explain(&self, error: Error) -> CertificateError {
        match error {
            Error::CertExpired { time, not_after } => CertificateError::Expired {
                which: self.first(|each| ends(each, not_after.as_secs())),
                not_after,
                time,
            },
            Error::CertNotValidYet { time, not_before } => CertificateError::NotYetValid {
                which: self.first(|each| begins(each, not_before.as_secs())),
                not_before,
                time,
            },
            Error::UnknownIssuer => self.unknown_issuer(),
            Error::InvalidSignatureForPublicKey => self.bad_signature(),
            Error::UnsupportedSignatureAlgorithmContext(UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id,
                ..
            })
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(
                UnsupportedSignatureAlgorithmForPublicKeyContext { signature_algorithm_id, .. },
            ) => self.unsupported_algorithm(&signature_algorithm_id),
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                let which = self.first(|each| !permits(each, self.usage));
                CertificateError::WrongUsage { which, usage: self.usage }
            }
            // A self-signed server that is not configured: nobody vouches for it, whatever it says of itself.
            Error::CaUsedAsEndEntity if self.leaf().is_some_and(is_self_issued) => self.unknown_issuer(),
            Error::CaUsedAsEndEntity => CertificateError::AuthorityAsLeaf { which: self.first(|_| true) },
            Error::EndEntityUsedAsCa => {
                CertificateError::NotAnAuthority { which: self.first_issuer(|each| !is_authority(each)) }
            }
            Error::PathLenConstraintViolated => {
                CertificateError::PathLengthExceeded { which: Which::Undetermined }
            }
            Error::NameConstraintViolation => {
                CertificateError::NameConstraintViolated { which: Which::Undetermined }
            }
            Error::MaximumSignatureChecksExceeded
            | Error::MaximumPathBuildCallsExceeded
            | Error::MaximumPathDepthExceeded
            | Error::MaximumNameConstraintComparisonsExceeded => CertificateError::TooComplex,
            other => {
                let same = |shown: &CertificateDer<'_>| {
                    EndEntityCert::try_from(shown).is_err_and(|own| own == other)
                };
                let mut places = self.chain.shown().iter().zip(self.presented());
                let found = places.find(|(shown, _)| same(shown));
                found.map_or(CertificateError::Malformed { which: Which::Undetermined }, |(_, (at, each))| {
                    unreadable(&other, at, each)
                })
            }
        }
    }

    /// The presented certificates, leaf first.
    fn presented(&self) -> impl Iterator<Item = (usize, &CertificateDer<'_>)> {
        self.chain.originals().iter().enumerate()
    }

    fn leaf(&self) -> Option<&CertificateDer<'_>> {
        self.chain.originals().first()
    }

    fn first(&self, matches: impl Fn(&CertificateDer<'_>) -> bool) -> Which {
        let found = self.presented().find(|(_, each)| matches(each));
        found.map_or(Which::Undetermined, |(at, each)| Which::presented(at, each))
    }

    fn first_issuer(&self, matches: impl Fn(&CertificateDer<'_>) -> bool) -> Which {
        let found = self.presented().skip(1).find(|(_, each)| matches(each));
        found.map_or(Which::Undetermined, |(at, each)| Which::presented(at, each))
    }
}
