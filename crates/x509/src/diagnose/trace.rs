//! Follows a refused chain from the leaf upwards to say where it breaks. The verdict is already made.

use alloc::string::String;
use alloc::vec::Vec;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::{EndEntityCert, RawPublicKeyEntity};

use super::Failure;
use crate::der::{OBJECT_IDENTIFIER, value};
use crate::dn;
use crate::error::{Algorithm, CertificateError, Which};
use crate::key::{self, KeySize, PublicKey};
use crate::oid;
use crate::read::Reading;

/// Signature checks that an error message may cost.
const SIGNATURE_CHECKS: usize = 16;

/// Where the way from the leaf upwards ends.
enum End {
    /// Nobody here has the name of the issuer of `which`.
    NoIssuer { which: Which, issuer: Option<String>, spelled_otherwise: bool },
    /// Somebody has the name, but nobody the key that signed `which`.
    WrongKey { which: Which },
    /// The signature is of an algorithm that is not accepted, with the key of any issuer.
    Algorithm { which: Which, algorithm: Algorithm },
    /// The issuer's key is refused for its size.
    KeySize { issuer: Which, size: KeySize },
}

/// Somebody with the name of the issuer.
struct Candidate {
    which: Which,
    spki: SubjectPublicKeyInfoDer<'static>,
    /// Its place among the presented ones. `None` for a configured authority, where the way ends.
    next: Option<usize>,
}

/// Whether a key made a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signed {
    Yes,
    No,
    /// No accepted algorithm is for this signature and this kind of key.
    Unsupported,
}

impl Failure<'_> {
    /// ring refuses a key for its size as if the signature were bad; that is told apart here.
    pub(super) fn bad_signature(&self) -> CertificateError {
        match self.trace() {
            Some(End::KeySize { issuer, size }) => size.error(issuer, self.policy.min_rsa_bits),
            Some(End::WrongKey { which } | End::NoIssuer { which, .. }) => {
                CertificateError::BadSignature { which }
            }
            Some(End::Algorithm { which, algorithm }) => {
                CertificateError::UnsupportedAlgorithm { which, algorithm }
            }
            // All signatures are good, so webpki tried another certificate of the same name, which ranks before what is wrong
            // with the right one: of the checks that it ranks lower it is a name constraint, if there are any.
            None if self.has_name_constraints() => {
                CertificateError::NameConstraintViolated { which: Which::Undetermined }
            }
            None => CertificateError::BadSignature { which: Which::Undetermined },
        }
    }

    fn has_name_constraints(&self) -> bool {
        self.policy.anchors.authorities().any(|(own, _)| own.said.name_constraints.is_some())
            || self.presented().any(|(_, each)| {
                Reading::of(each).is_some_and(|reading| reading.name_constraints() != Ok(None))
            })
    }

    pub(super) fn unknown_issuer(&self) -> CertificateError {
        let unknown =
            |which, issuer| CertificateError::UnknownIssuer { which, issuer, spelled_otherwise: false };
        match self.trace() {
            Some(End::NoIssuer { which, issuer, spelled_otherwise }) => {
                CertificateError::UnknownIssuer { which, issuer, spelled_otherwise }
            }
            Some(End::WrongKey { which } | End::Algorithm { which, .. }) => unknown(which, None),
            Some(End::KeySize { .. }) | None => unknown(Which::Undetermined, None),
        }
    }

    /// `identifier` is the content of the AlgorithmIdentifier that webpki stopped at.
    pub(super) fn unsupported_algorithm(&self, identifier: &[u8]) -> CertificateError {
        if let Some(End::Algorithm { which, algorithm }) = self.trace() {
            return CertificateError::UnsupportedAlgorithm { which, algorithm };
        }
        let name = value(identifier, OBJECT_IDENTIFIER).map_or(identifier, |(oid, _)| oid);
        let algorithm = Algorithm::Signature { name: oid::signature_name(name), key: None };
        CertificateError::UnsupportedAlgorithm { which: Which::Undetermined, algorithm }
    }

    /// `None` if nothing broken was found within the limits.
    fn trace(&self) -> Option<End> {
        let mut checks = SIGNATURE_CHECKS;
        let mut index = 0;
        // A way without a loop has no more steps than there are certificates.
        for _ in self.chain.shown() {
            let current = self.chain.originals().get(index)?;
            let which = Which::presented(index, current);
            let candidates = self.candidates(index)?;
            if candidates.is_empty() {
                let issuer = Reading::of(current).and_then(|reading| reading.issuer_text());
                let spelled_otherwise = self.reads_like_a_subject(issuer.as_deref());
                return Some(End::NoIssuer { which, issuer, spelled_otherwise });
            }
            let min = self.policy.min_rsa_bits;
            let (mut signer, mut unsupported) = (None, None);
            for candidate in &candidates {
                if let Some(size) = key::odd_size(candidate.spki.clone(), min) {
                    return Some(End::KeySize { issuer: candidate.which.clone(), size });
                }
                match self.has_signed(&candidate.spki, current, &mut checks)? {
                    Signed::Yes => {
                        signer = Some(candidate);
                        break;
                    }
                    Signed::No => {}
                    Signed::Unsupported => unsupported = Some(candidate),
                }
            }
            match (signer, unsupported) {
                (Some(signer), _) => index = signer.next?,
                (None, Some(issuer)) => {
                    let algorithm = self.algorithm(current, &issuer.spki)?;
                    return Some(End::Algorithm { which, algorithm });
                }
                (None, None) => return Some(End::WrongKey { which }),
            }
        }
        None
    }

    fn algorithm(
        &self,
        certificate: &CertificateDer<'_>,
        spki: &SubjectPublicKeyInfoDer<'_>,
    ) -> Option<Algorithm> {
        let oid = Reading::of(certificate)?.signature_oid();
        // The key matters only if the algorithm is accepted with another.
        let with_another = self.policy.algorithms.iter().any(|algorithm| signs_with(*algorithm, oid));
        let key =
            with_another.then(|| PublicKey::from_spki(spki.clone()).ok().map(|key| key.name())).flatten();
        Some(Algorithm::Signature { name: oid::signature_name(oid), key })
    }

    /// Everybody with the name of the issuer of the certificate at `index`: configured authorities, then presented
    /// certificates.
    fn candidates(&self, index: usize) -> Option<Vec<Candidate>> {
        let shown = self.chain.shown();
        let parsed = EndEntityCert::try_from(shown.get(index)?).ok()?;
        let configured = self
            .policy
            .anchors
            .authorities()
            .filter(|(_, anchor)| anchor.subject.as_ref() == parsed.issuer())
            .map(|(own, anchor)| Candidate {
                which: own.which(),
                spki: webpki::spki_for_anchor(anchor),
                next: None,
            });
        let presented = shown.iter().zip(self.presented()).skip(1).filter(|(_, (at, _))| *at != index);
        let presented = presented.filter_map(|(shown, (at, original))| {
            let issuer = EndEntityCert::try_from(shown).ok()?;
            (issuer.subject() == parsed.issuer()).then(|| Candidate {
                which: Which::presented(at, original),
                spki: issuer.subject_public_key_info(),
                next: Some(at),
            })
        });
        Some(configured.chain(presented).collect())
    }

    /// Whether somebody's subject reads like this name.
    fn reads_like_a_subject(&self, name: Option<&str>) -> bool {
        let Some(name) = name else { return false };
        let configured = self.policy.anchors.authorities().filter_map(|(own, _)| own.said.subject.as_deref());
        let reads_alike = |reading: Reading<'_>| dn::text(reading.subject()).as_deref() == Some(name);
        configured.into_iter().any(|subject| subject == name)
            || self.presented().skip(1).filter_map(|(_, each)| Reading::of(each)).any(reads_alike)
    }

    /// Whether the key made the signature of `certificate`. `None` when there were enough checks.
    fn has_signed(
        &self,
        spki: &SubjectPublicKeyInfoDer<'_>,
        certificate: &CertificateDer<'_>,
        checks: &mut usize,
    ) -> Option<Signed> {
        let reading = Reading::of(certificate)?;
        let key = RawPublicKeyEntity::try_from(spki).ok()?;
        let (message, signature) = reading.signed();
        let mut answer = Signed::Unsupported;
        for algorithm in self.policy.algorithms.iter() {
            if !signs_with(*algorithm, reading.signature_oid()) {
                continue;
            }
            *checks = checks.checked_sub(1)?;
            match key.verify_signature(*algorithm, message, signature) {
                Ok(()) => return Some(Signed::Yes),
                Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
                Err(_) => answer = Signed::No,
            }
        }
        Some(answer)
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
