//! KeyUpdate (RFC 9846 section 4.7.3, RFC 9147 section 8).

use crate::codec::structs::message;
use crate::codec::{DecodeError, DecodeFault, Element, Plain, Reader, Writer};

message! {
    "KeyUpdate";
    /// The sender changes its keys.
    pub struct KeyUpdate {
        /// Whether the receiver must change its own too.
        request_update: KeyUpdateRequest = Plain,
    }
}

/// Whether an update is asked for in return. Closed: any other value is illegal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUpdateRequest {
    /// `update_not_requested`
    NotRequested,
    /// `update_requested`
    Requested,
}

impl Element<'_> for KeyUpdateRequest {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            0 => Ok(Self::NotRequested),
            1 => Ok(Self::Requested),
            // "If an implementation receives any other value, it MUST terminate the connection with an
            // "illegal_parameter" alert" (RFC 9846 section 4.7.3).
            _ => Err(reader.error(DecodeFault::IllegalValue)),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.u8(match self {
            Self::NotRequested => 0,
            Self::Requested => 1,
        });
    }
}
