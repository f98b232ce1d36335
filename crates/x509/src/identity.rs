//! A leaf that is byte for byte a configured certificate. It must not build paths.
//!
//! Its signature, its CA bit, its version and its name constraints do not matter: the user vouches for the whole. An unknown
//! critical extension refuses it all the same: nobody here knows what it restricts (RFC 5280 section 4.2).

use rustls_pki_types::UnixTime;
use webpki::EndEntityCert;

use crate::anchor::Configured;
use crate::diagnose;
use crate::error::{CertificateError, Usage, Which};
use crate::key::PublicKey;
use crate::name;
use crate::policy::{Expected, How, Policy, Verified};
use crate::read::Reading;
use crate::view::Chain;

/// Checks what byte identity leaves open: key, dates, usage, name.
pub(crate) fn verify(
    policy: &Policy,
    configured: &Configured,
    expected: Expected<'_>,
    time: UnixTime,
) -> Result<Verified, CertificateError> {
    let leaf = &configured.der;
    let malformed = || CertificateError::Malformed { which: Which::presented(0, leaf) };
    let which = || Which::presented(0, leaf);
    let reading = Reading::of(leaf).ok_or_else(malformed)?;
    if let Some(extension) = reading.unknown_critical_extension() {
        return Err(CertificateError::UnsupportedCriticalExtension { which: which(), extension });
    }
    let public_key = PublicKey::of_certificate(leaf)?;
    policy.check_leaf_key(&public_key, leaf)?;
    reading.validity().check(time).map_err(|outside| outside.error(which(), time))?;
    for usage in [expected.usage(), Usage::DigitalSignature] {
        reading.check_usage(usage, which)?;
    }
    if let Some(expected) = expected.name() {
        if reading.is_old().map_err(|_| malformed())? {
            name::check_without_alternatives(policy, leaf, &reading, expected)?;
        } else {
            let shown = Chain::of_leaf(leaf);
            let shown = shown.shown().first().ok_or_else(malformed)?;
            let parsed =
                EndEntityCert::try_from(shown).map_err(|error| diagnose::unreadable(&error, 0, leaf))?;
            name::check(policy, &parsed, leaf, expected)?;
        }
    }
    Ok(Verified { how: How::ExactCertificate, anchor_subject: configured.said.subject.clone(), public_key })
}
