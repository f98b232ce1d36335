//! What can be wrong with a private key. It must not know who reads it.

use alloc::string::String;

/// Why a private key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// This structure could not be read from the DER.
    #[error("damaged private key: {0}")]
    Malformed(&'static str),
    /// Neither PKCS#8 nor SEC1 nor PKCS#1.
    #[error("unknown private key format")]
    UnsupportedFormat,
    /// Neither RSA nor ECDSA nor Ed25519.
    #[error("private key of an unsupported algorithm")]
    UnsupportedAlgorithm,
    /// Neither P-256 nor P-384.
    #[error("private key on an unsupported elliptic curve")]
    UnsupportedCurve,
    /// An RSA key of less than 2048 or more than 4096 bits.
    #[error("RSA key of {bits} bits, where 2048 to 4096 are supported")]
    RsaKeySize {
        /// Bits of the modulus.
        bits: usize,
    },
    /// The file of an EC key leaves the public key out or has it compressed, as RFC 5915 section 3 lets it, and there is no
    /// certificate to take it from.
    #[error(
        "private key file without the (uncompressed) public key: use it together with its certificate, or have it \
         written anew: openssl ec -in FILE -conv_form uncompressed -out NEW"
    )]
    PublicKeyMissing,
    /// The file of an EC key leaves the public key out or has it compressed, and that of the certificate is another's.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
    /// The parts of the key do not fit each other, or one is out of range. The text is ring's name for the reason.
    #[error("private key rejected: {0}")]
    Rejected(String),
}
