//! A path from the leaf to a configured authority: built by webpki, with the checks added that it leaves out.

use core::cell::RefCell;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use crate::anchor::Configured;
use crate::diagnose::{self, Failure};
use crate::error::{CertificateError, Usage, Which};
use crate::key::{self, PublicKey};
use crate::name;
use crate::policy::{Expected, How, Policy, Verified};
use crate::read::Reading;
use crate::work;

/// Checks everything about a chain whose leaf is not itself configured.
pub(crate) fn verify(
    policy: &Policy,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    expected: Expected<'_>,
    time: UnixTime,
) -> Result<Verified, CertificateError> {
    let parsed = EndEntityCert::try_from(leaf).map_err(|error| diagnose::unreadable(&error, 0, leaf))?;
    let public_key = PublicKey::of_leaf(&parsed, leaf)?;
    policy.check_leaf_key(&public_key, leaf)?;
    work::check_path_steps(&parsed, intermediates)?;
    work::check_comparisons(&policy.anchors, leaf, intermediates)?;
    let usage = match expected.usage() {
        Usage::ClientAuth => KeyUsage::client_auth(),
        _ => KeyUsage::server_auth(),
    };
    let refused = RefCell::new(None);
    let check = |path: &VerifiedPath<'_>| {
        check_candidate(policy, path, intermediates, expected.usage(), time).map_err(|error| {
            *refused.borrow_mut() = Some(error);
            // Any error does: ours is reported, and webpki tries the next path.
            webpki::Error::UnknownIssuer
        })
    };
    let path = parsed
        .verify_for_usage(
            policy.algorithms,
            policy.anchors.issuers(),
            intermediates,
            time,
            usage,
            None,
            Some(&check),
        )
        .map_err(|error| {
            refused.take().unwrap_or_else(|| {
                Failure { policy, leaf, intermediates, usage: expected.usage() }.explain(error)
            })
        })?;
    check_leaf(policy, &parsed, leaf, &path, expected)?;
    Ok(Verified {
        how: How::Path { intermediates: path.intermediate_certificates().count() },
        anchor_subject: policy
            .anchors
            .certificate_of(path.anchor())
            .and_then(|certificate| certificate.said.subject.clone()),
        public_key,
    })
}

/// What webpki leaves out, for each path whose signatures and dates it found good: key sizes, an authority's key
/// usage (RFC 5280 section 6.1.4 (n)), and what the configured authority says about itself.
fn check_candidate(
    policy: &Policy,
    path: &VerifiedPath<'_>,
    intermediates: &[CertificateDer<'_>],
    usage: Usage,
    time: UnixTime,
) -> Result<(), CertificateError> {
    let min = policy.min_rsa_bits;
    let anchor_key = webpki::spki_for_anchor(path.anchor());
    let configured = policy.anchors.certificate_of(path.anchor());
    let which_anchor = || configured.map_or(Which::Undetermined, Configured::which);
    if let Some(size) = key::odd_size(anchor_key, min) {
        return Err(size.error(which_anchor(), min));
    }
    // Self-issued ones do not count for path lengths (RFC 5280 section 6.1.4 (l)).
    let mut authorities = 0_usize;
    for issuer in path.intermediate_certificates() {
        let der = issuer.der();
        let which = || place(intermediates, &der);
        if let Some(size) = key::odd_size(issuer.subject_public_key_info(), min) {
            return Err(size.error(which(), min));
        }
        let malformed = || CertificateError::Malformed { which: which() };
        let reading = Reading::of(&der).ok_or_else(malformed)?;
        reading.check_usage(Usage::KeyCertSign, which)?;
        reading.name_constraints().map_err(|_| malformed())?;
        authorities = authorities.saturating_add(usize::from(issuer.subject() != issuer.issuer()));
    }
    configured.map_or(Ok(()), |own| own.check_issuer(usage, authorities, time))
}

/// The leaf's key usage and its name; the name last.
fn check_leaf(
    policy: &Policy,
    parsed: &EndEntityCert<'_>,
    leaf: &CertificateDer<'_>,
    path: &VerifiedPath<'_>,
    expected: Expected<'_>,
) -> Result<(), CertificateError> {
    let which = || Which::presented(0, leaf);
    let reading = Reading::of(leaf).ok_or_else(|| CertificateError::Malformed { which: which() })?;
    reading.check_usage(Usage::DigitalSignature, which)?;
    let Some(expected) = expected.name() else {
        return Ok(());
    };
    let source = name::check(policy, parsed, leaf, expected)?;
    // webpki holds alternative names against name constraints, but nobody does that for a common name.
    if source.is_common_name() && is_constrained(policy, path) {
        return Err(CertificateError::NameConstraintViolated { which: which() });
    }
    Ok(())
}

/// Whether some authority of the path has name constraints, or cannot be asked.
fn is_constrained(policy: &Policy, path: &VerifiedPath<'_>) -> bool {
    let anchor = policy.anchors.certificate_of(path.anchor());
    let constrains = |der: &[u8]| {
        let reading = Reading::of(der);
        reading.is_none_or(|reading| reading.name_constraints() != Ok(None))
    };
    anchor.is_none_or(|anchor| anchor.said.name_constraints.is_some())
        || path.intermediate_certificates().any(|issuer| constrains(&issuer.der()))
}

/// Where a certificate of the path stands in what the peer presented.
fn place(intermediates: &[CertificateDer<'_>], certificate: &CertificateDer<'_>) -> Which {
    let after_leaf = intermediates.iter().position(|each| each == certificate);
    after_leaf.map_or(Which::Undetermined, |at| Which::presented(at.saturating_add(1), certificate))
}
