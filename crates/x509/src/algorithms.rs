//! The signature algorithms that certificates may be signed with by default. It must not know who signs what.

use rustls_pki_types::SignatureVerificationAlgorithm;
#[cfg(feature = "ring")]
use webpki::ring as algs;

/// The signature algorithms accepted in certificates unless [`Policy::signature_algorithms`] says otherwise.
///
/// ECDSA on P-256 and P-384, Ed25519, and RSA of 2048 to 8192 bits (PKCS #1 v1.5 and PSS); with SHA-256 or better.
/// SHA-1 and MD5 are absent, and so is P-521, which ring does not have.
///
/// [`Policy::signature_algorithms`]: crate::Policy::signature_algorithms
#[cfg(feature = "ring")]
pub static DEFAULT_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    algs::ECDSA_P256_SHA256,
    algs::ECDSA_P256_SHA384,
    algs::ECDSA_P384_SHA256,
    algs::ECDSA_P384_SHA384,
    algs::ED25519,
    algs::RSA_PKCS1_2048_8192_SHA256,
    algs::RSA_PKCS1_2048_8192_SHA384,
    algs::RSA_PKCS1_2048_8192_SHA512,
    // RFC 4055 section 5 wants the NULL parameter; certificates without it exist.
    algs::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    algs::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    algs::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    algs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algs::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// None: without the feature `ring` a policy has the signature algorithms that it is given, and trusts nobody without them.
///
/// [`Policy::signature_algorithms`]: crate::Policy::signature_algorithms
#[cfg(not(feature = "ring"))]
pub static DEFAULT_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[];
