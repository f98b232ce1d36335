//! Follows a refused chain from the leaf upwards to say where it breaks. The verdict is already made.

use alloc::string::String;
use alloc::vec::Vec;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::{EndEntityCert, RawPublicKeyEntity};

use super::Failure;
use crate::error::{CertificateError, Which};
use crate::key::{self, KeySize};
use crate::read::Reading;

/// Signature checks that an error message may cost.
const SIGNATURE_CHECKS: usize = 16;

/// Where the way from the leaf upwards ends.
enum End {
    /// Nobody here has the name of the issuer of `which`.
    NoIssuer { which: Which, issuer: Option<String> },
    /// Somebody has the name, but nobody the key that signed `which`.
    WrongKey { which: Which },
    /// The issuer's key is refused for its size.
    KeySize { issuer: Which, size: KeySize },
}

/// Somebody with the name of the issuer.
struct Candidate<'a> {
    which: Which,
    spki: SubjectPublicKeyInfoDer<'static>,
    /// `None` for a configured authority, where the way ends.
    next: Option<(usize, &'a CertificateDer<'a>)>,
}

impl Failure<'_> {
    /// ring refuses a key for its size as if the signature were bad; that is told apart here.
    pub(super) fn bad_signature(&self) -> CertificateError {
        match self.trace() {
            Some(End::KeySize { issuer, size }) => size.error(issuer, self.policy.min_rsa_bits),
            Some(End::WrongKey { which } | End::NoIssuer { which, .. }) => {
                CertificateError::BadSignature { which }
            }
            None => CertificateError::BadSignature { which: Which::Undetermined },
        }
    }

    pub(super) fn unknown_issuer(&self) -> CertificateError {
        match self.trace() {
            Some(End::NoIssuer { which, issuer }) => CertificateError::UnknownIssuer { which, issuer },
            Some(End::WrongKey { which }) => CertificateError::UnknownIssuer { which, issuer: None },
            Some(End::KeySize { .. }) | None => {
                CertificateError::UnknownIssuer { which: Which::Undetermined, issuer: None }
            }
        }
    }

    /// `None` if nothing broken was found within the limits.
    fn trace(&self) -> Option<End> {
        let mut checks = SIGNATURE_CHECKS;
        let (mut index, mut current) = (0, self.leaf);
        // A way without a loop has no more steps than there are certificates.
        for _ in 0..=self.intermediates.len() {
            let candidates = self.candidates(current)?;
            let which = Which::presented(index, current);
            if candidates.is_empty() {
                let issuer = Reading::of(current).and_then(|reading| reading.issuer_text());
                return Some(End::NoIssuer { which, issuer });
            }
            let min = self.policy.min_rsa_bits;
            let mut signer = None;
            for candidate in candidates {
                if let Some(size) = key::odd_size(candidate.spki.clone(), min) {
                    return Some(End::KeySize { issuer: candidate.which, size });
                }
                if self.has_signed(&candidate.spki, current, &mut checks)? {
                    signer = Some(candidate);
                    break;
                }
            }
            let Some(signer) = signer else {
                return Some(End::WrongKey { which });
            };
            (index, current) = signer.next?;
        }
        None
    }

    /// Everybody with the name of `certificate`'s issuer: configured authorities, then presented certificates.
    fn candidates(&self, certificate: &CertificateDer<'_>) -> Option<Vec<Candidate<'_>>> {
        let parsed = EndEntityCert::try_from(certificate).ok()?;
        let configured = self
            .policy
            .anchors
            .authorities()
            .filter(|(_, anchor)| anchor.subject.as_ref() == parsed.issuer())
            .map(|(own, anchor)| Candidate {
                which: Which::anchor(&own.der),
                spki: webpki::spki_for_anchor(anchor),
                next: None,
            });
        let presented = self.presented().skip(1).filter(|(_, each)| *each != certificate);
        let presented = presented.filter_map(|(index, each)| {
            let issuer = EndEntityCert::try_from(each).ok()?;
            (issuer.subject() == parsed.issuer()).then(|| Candidate {
                which: Which::presented(index, each),
                spki: issuer.subject_public_key_info(),
                next: Some((index, each)),
            })
        });
        Some(configured.chain(presented).collect())
    }

    /// Whether the key made the signature of `certificate`. `None` when there were enough checks.
    fn has_signed(
        &self,
        spki: &SubjectPublicKeyInfoDer<'_>,
        certificate: &CertificateDer<'_>,
        checks: &mut usize,
    ) -> Option<bool> {
        let reading = Reading::of(certificate)?;
        let key = RawPublicKeyEntity::try_from(spki).ok()?;
        let (message, signature) = reading.signed();
        for algorithm in self.policy.algorithms {
            if !signs_with(*algorithm, reading.signature_oid()) {
                continue;
            }
            *checks = checks.checked_sub(1)?;
            if key.verify_signature(*algorithm, message, signature).is_ok() {
                return Some(true);
            }
        }
        Some(false)
    }
}

/// Whether the algorithm's identifier starts with this OBJECT IDENTIFIER.
fn signs_with(algorithm: &dyn SignatureVerificationAlgorithm, oid: &[u8]) -> bool {
    let identifier = algorithm.signature_alg_id();
    let [0x06, length, rest @ ..] = identifier.as_ref() else {
        return false;
    };
    usize::from(*length) == oid.len() && rest.starts_with(oid)
}
