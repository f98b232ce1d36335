//! Verifying handshake signatures: the scheme must be one that we offered, and fit the suite and the key.

use drystone_x509::{KeyKind, PublicKey};
use rustls_pki_types::SignatureVerificationAlgorithm;

use crate::Error;
use crate::config::Common;
use crate::crypto::{Authentication, SignatureVerifier, signs_certificate_verify13};
use crate::error::Misbehaviour;
use crate::message::DigitallySigned;
use crate::message::registry::SignatureScheme;

/// Proof that the peer holds the key of its certificate; needed to connect.
#[derive(Debug)]
pub(crate) struct SignatureVerified(());

impl SignatureVerified {
    /// The peer presented no certificate, which the configuration admits.
    pub(crate) const fn not_required() -> Self {
        Self(())
    }
}

/// Checks a DTLS 1.2 signature, where ECDSA schemes do not fix the curve (RFC 5246 section 7.4.1.4.1).
pub(crate) fn verify_12(
    common: &Common,
    public_key: &PublicKey,
    signed: &DigitallySigned<'_>,
    message: &[u8],
) -> Result<SignatureVerified, Error> {
    verify(common, public_key, signed, message, |verifier| verifier.algorithms)
}

/// Checks a DTLS 1.3 signature, where ECDSA schemes fix the curve and RSA-PKCS1 signs certificates only (RFC 9846
/// section 4.3.3): such schemes have no algorithms for it.
pub(crate) fn verify_13(
    common: &Common,
    public_key: &PublicKey,
    signed: &DigitallySigned<'_>,
    message: &[u8],
) -> Result<SignatureVerified, Error> {
    if !signs_certificate_verify13(signed.algorithm) {
        return Err(Misbehaviour::UnofferedSignatureScheme.into());
    }
    verify(common, public_key, signed, message, |verifier| verifier.algorithms_fixed_curve)
}

fn verify(
    common: &Common,
    public_key: &PublicKey,
    signed: &DigitallySigned<'_>,
    message: &[u8],
    algorithms: impl Fn(&SignatureVerifier) -> &'static [&'static dyn SignatureVerificationAlgorithm],
) -> Result<SignatureVerified, Error> {
    let verifier = common
        .settings
        .provider
        .signature_verifier(signed.algorithm)
        .filter(|verifier| scheme_fits_key(verifier.scheme, public_key.kind()))
        .ok_or(Misbehaviour::UnofferedSignatureScheme)?;
    public_key
        .verify_signature(algorithms(verifier), message, signed.signature)
        .map(|()| SignatureVerified(()))
        .map_err(|_| Error::BadSignature)
}

/// Whether a certificate's key can authenticate a suite (RFC 8422 section 5.3).
pub(crate) fn key_fits_suite(kind: KeyKind, authentication: Authentication) -> bool {
    match authentication {
        Authentication::Any => true,
        Authentication::Rsa => matches!(kind, KeyKind::Rsa { .. }),
        Authentication::Ecdsa => matches!(kind, KeyKind::EcP256 | KeyKind::EcP384 | KeyKind::Ed25519),
    }
}

fn scheme_fits_key(scheme: SignatureScheme, kind: KeyKind) -> bool {
    match kind {
        KeyKind::Rsa { .. } => Authentication::Rsa.admits(scheme),
        KeyKind::Ed25519 => scheme == SignatureScheme::ED25519,
        KeyKind::EcP256 | KeyKind::EcP384 => {
            Authentication::Ecdsa.admits(scheme) && scheme != SignatureScheme::ED25519
        }
        _ => false,
    }
}
