//! A path from the leaf to a configured authority: built by webpki, with the checks added that it leaves out.

use alloc::vec::Vec;
use core::cell::RefCell;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use crate::candidate::Candidate;
use crate::diagnose::{self, Failure};
use crate::error::{CertificateError, Usage, Which};
use crate::key::PublicKey;
use crate::name;
use crate::policy::{Expected, How, Policy, Verified};
use crate::view::Chain;
use crate::work;

/// Checks everything about a chain whose leaf is not itself configured: as it was presented, and rewritten where that is
/// refused and some certificate of it needs to be.
pub(crate) fn verify(
    policy: &Policy,
    presented: &[CertificateDer<'_>],
    expected: Expected<'_>,
    time: UnixTime,
) -> Result<Verified, CertificateError> {
    let plain = verify_shown(policy, &Chain::as_presented(presented), expected, time);
    let Err(refusal) = plain else { return plain };
    let chain = Chain::new(presented, &policy.anchors);
    if chain.is_as_presented() { Err(refusal) } else { verify_shown(policy, &chain, expected, time) }
}

fn verify_shown(
    policy: &Policy,
    chain: &Chain<'_>,
    expected: Expected<'_>,
    time: UnixTime,
) -> Result<Verified, CertificateError> {
    let presented = chain.originals();
    let (leaf, intermediates) = chain.shown().split_first().ok_or(CertificateError::EmptyChain)?;
    let original = presented.first().ok_or(CertificateError::EmptyChain)?;
    let parsed = EndEntityCert::try_from(leaf).map_err(|error| diagnose::unreadable(&error, 0, original))?;
    let public_key = PublicKey::of_leaf(&parsed, original)?;
    policy.check_leaf_key(&public_key, original)?;
    work::check_path_steps(&parsed, intermediates)?;
    work::check_comparisons(&policy.anchors, presented)?;
    let usage = expected.usage();
    let refused = RefCell::new(None);
    let check = |path: &VerifiedPath<'_>| {
        let candidate = Candidate::new(policy, path, chain);
        candidate.and_then(|candidate| candidate.check(usage, time)).map_err(|error| {
            *refused.borrow_mut() = Some(error);
            // Any error does: ours is reported, and webpki tries the next path.
            webpki::Error::UnknownIssuer
        })
    };
    let originals = chain.algorithms(&policy.algorithms);
    let over_originals: Vec<_> =
        originals.iter().map(|each| each as &dyn SignatureVerificationAlgorithm).collect();
    let algorithms = if chain.is_as_presented() { &policy.algorithms } else { over_originals.as_slice() };
    let eku = match usage {
        Usage::ClientAuth => KeyUsage::client_auth(),
        _ => KeyUsage::server_auth(),
    };
    let anchors = policy.anchors.issuers();
    let path = parsed
        .verify_for_usage(algorithms, anchors, intermediates, time, eku, None, Some(&check))
        .map_err(|error| refused.take().unwrap_or_else(|| Failure { policy, chain, usage }.explain(error)))?;
    let candidate = Candidate::new(policy, &path, chain)?;
    check_leaf(policy, &parsed, original, &candidate, expected)?;
    let configured = policy.anchors.certificate_of(path.anchor());
    Ok(Verified {
        how: How::Path { intermediates: path.intermediate_certificates().count() },
        anchor_subject: configured.and_then(|certificate| certificate.said.subject.clone()),
        public_key,
    })
}

/// The leaf's key usage and its name; the name last.
fn check_leaf(
    policy: &Policy,
    parsed: &EndEntityCert<'_>,
    leaf: &CertificateDer<'_>,
    candidate: &Candidate<'_>,
    expected: Expected<'_>,
) -> Result<(), CertificateError> {
    let which = || Which::presented(0, leaf);
    let reading = candidate.leaf().ok_or_else(|| CertificateError::Malformed { which: which() })?;
    reading.check_usage(Usage::DigitalSignature, which)?;
    let Some(expected) = expected.name() else {
        return Ok(());
    };
    let source = name::check(policy, parsed, leaf, expected)?;
    // webpki holds alternative names against name constraints, but nobody does that for a common name.
    if source.is_common_name() && candidate.is_constrained() {
        return Err(CertificateError::NameConstraintViolated { which: which() });
    }
    Ok(())
}
