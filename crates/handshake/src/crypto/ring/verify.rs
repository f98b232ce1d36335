//! The signature schemes that are accepted, with webpki's verifiers on ring. Never SHA-1, MD5, P-521 or Ed448.

use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::ring::{
    ECDSA_P256_SHA256, ECDSA_P256_SHA384, ECDSA_P384_SHA256, ECDSA_P384_SHA384, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256_LEGACY_KEY, RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
};

use crate::crypto::SignatureVerifier;
use crate::message::registry::SignatureScheme;

type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];

/// The accepted schemes in order of preference.
pub static SIGNATURE_VERIFIERS: &[SignatureVerifier] = &[
    verifier(SignatureScheme::ED25519, &[ED25519], &[ED25519]),
    verifier(
        SignatureScheme::ECDSA_SECP256R1_SHA256,
        &[ECDSA_P256_SHA256, ECDSA_P384_SHA256],
        &[ECDSA_P256_SHA256],
    ),
    verifier(
        SignatureScheme::ECDSA_SECP384R1_SHA384,
        &[ECDSA_P384_SHA384, ECDSA_P256_SHA384],
        &[ECDSA_P384_SHA384],
    ),
    pss(SignatureScheme::RSA_PSS_RSAE_SHA256, &[RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
    pss(SignatureScheme::RSA_PSS_RSAE_SHA384, &[RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
    pss(SignatureScheme::RSA_PSS_RSAE_SHA512, &[RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
    pkcs1(SignatureScheme::RSA_PKCS1_SHA256, &[RSA_PKCS1_2048_8192_SHA256]),
    pkcs1(SignatureScheme::RSA_PKCS1_SHA384, &[RSA_PKCS1_2048_8192_SHA384]),
    pkcs1(SignatureScheme::RSA_PKCS1_SHA512, &[RSA_PKCS1_2048_8192_SHA512]),
];

const fn verifier(
    scheme: SignatureScheme,
    algorithms: Algorithms,
    algorithms_fixed_curve: Algorithms,
) -> SignatureVerifier {
    SignatureVerifier { scheme, algorithms, algorithms_fixed_curve }
}

/// "rsae": the key is a plain rsaEncryption key, which webpki calls a legacy key.
const fn pss(scheme: SignatureScheme, algorithms: Algorithms) -> SignatureVerifier {
    verifier(scheme, algorithms, algorithms)
}

/// Not defined for handshake messages of DTLS 1.3 (RFC 9846 section 4.3.3).
const fn pkcs1(scheme: SignatureScheme, algorithms: Algorithms) -> SignatureVerifier {
    verifier(scheme, algorithms, &[])
}
