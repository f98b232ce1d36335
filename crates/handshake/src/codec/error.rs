//! Why bytes are not a message, and why a message is not bytes.
//!
//! Owns the alert that answers each fault; does not decide whether an alert is sent.

use crate::message::registry::AlertDescription;

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {fault}")]
pub struct DecodeError {
    /// The structure that was being read, by its name in the RFC.
    pub what: &'static str,
    /// What is wrong with it.
    pub fault: DecodeFault,
}

/// What is wrong with the bytes. Closed: a new fault needs a decision about its alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeFault {
    /// The bytes end before the structure does.
    #[error("ends too early")]
    Truncated,
    /// Bytes are left over after the structure.
    #[error("has trailing bytes")]
    TrailingBytes,
    /// A vector is shorter or longer than its definition admits.
    #[error("has a length outside its bounds")]
    LengthOutOfBounds,
    /// An extension type occurs twice in one block.
    #[error("carries an extension twice")]
    DuplicateExtension,
    /// A known extension stands in a message that must not carry it.
    #[error("carries an extension that does not belong there")]
    ExtensionNotAllowed,
    /// A field has a value that its definition forbids.
    #[error("has a forbidden value")]
    IllegalValue,
}

impl DecodeError {
    /// The alert that tells the peer.
    ///
    /// Syntax is "decode_error" (RFC 9846 section 6.2: "the length of the message was incorrect"); a value that is
    /// well-formed but forbidden is "illegal_parameter".
    pub const fn alert(self) -> AlertDescription {
        match self.fault {
            DecodeFault::Truncated | DecodeFault::TrailingBytes | DecodeFault::LengthOutOfBounds => {
                AlertDescription::DECODE_ERROR
            }
            DecodeFault::DuplicateExtension
            | DecodeFault::ExtensionNotAllowed
            | DecodeFault::IllegalValue => AlertDescription::ILLEGAL_PARAMETER,
        }
    }
}

/// A value that its wire format cannot carry: a vector outside its bounds, or an extension block that says something
/// twice. The caller's mistake, never the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} does not fit its wire format")]
pub struct EncodeError {
    /// The structure that was being written, by its name in the RFC.
    pub what: &'static str,
}
