//! Certificates and keys as objects that load and save files, as Godot's `X509Certificate`, `CryptoKey` and `Crypto`
//! do. They know nothing of connections.
//!
//! Not named `crypto`: that is the protocol's cryptography, which the crate's root re-exports.

mod certificate;
mod error;
mod file;
#[cfg(feature = "generate")]
mod generate;
mod key;
mod pem;
#[cfg(test)]
mod test_support;

pub use certificate::X509Certificate;
pub use error::CryptoError;
#[cfg(feature = "generate")]
pub use generate::{Crypto, GenerateError, KeyAlgorithm, SelfSigned, self_signed};
pub use key::CryptoKey;
