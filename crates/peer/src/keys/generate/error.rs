//! What can go wrong when keys and certificates are made.

use thiserror::Error;

use super::super::error::CryptoError;

/// Why there is no new key or certificate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The key that shall sign has no private half.
    #[error("the key cannot sign: {0}")]
    Key(#[from] CryptoError),
    /// The name of subject and issuer cannot be read or written.
    #[error("the name \"{name}\" cannot be used: {reason}")]
    Name {
        /// The name, as it was given.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A subject alternative name is neither a DNS name nor an IP address.
    #[error("\"{0}\" is neither a DNS name nor an IP address")]
    AlternativeName(String),
    /// A date is not a time in UTC as `20260131235959`, of the years 1970 to 9999.
    #[error("\"{0}\" is not a time of the form 20260131235959, from 1970 to 9999")]
    Date(String),
    /// The certificate would end before it begins.
    #[error("the last valid second, {not_after}, is before the first, {not_before}")]
    NeverValid {
        /// The first, as `20260131235959`.
        not_before: String,
        /// The last.
        not_after: String,
    },
    /// The clock of the system stands before 1970, and a date that depends on it was wanted.
    #[error("the system's clock is not set: give the first and the last valid second")]
    ClockNotSet,
    /// The operating system gives no random numbers, or signing failed.
    #[error("failed: {0}")]
    Failed(String),
}

impl GenerateError {
    /// The number of Godot's `Error` for it: that of [`CryptoError`] for the key, 31 (`ERR_INVALID_PARAMETER`) for
    /// another part of the request, else 1 (`FAILED`).
    pub fn godot_code(&self) -> i32 {
        match self {
            Self::Key(error) => error.godot_code(),
            Self::Name { .. } | Self::AlternativeName(_) | Self::Date(_) | Self::NeverValid { .. } => 31,
            Self::ClockNotSet | Self::Failed(_) => 1,
        }
    }
}
