//! Descriptions of alerts as they stand on the wire (RFC 9846 section 6): written down here, not taken from the registry
//! that is under test.
#![allow(missing_docs)]

pub const UNEXPECTED_MESSAGE: u8 = 10;
pub const BAD_RECORD_MAC: u8 = 20;
pub const HANDSHAKE_FAILURE: u8 = 40;
pub const ILLEGAL_PARAMETER: u8 = 47;
pub const DECODE_ERROR: u8 = 50;
pub const DECRYPT_ERROR: u8 = 51;
pub const PROTOCOL_VERSION: u8 = 70;
pub const INTERNAL_ERROR: u8 = 80;
pub const INAPPROPRIATE_FALLBACK: u8 = 86;
pub const MISSING_EXTENSION: u8 = 109;
pub const UNSUPPORTED_EXTENSION: u8 = 110;
pub const CERTIFICATE_REQUIRED: u8 = 116;
