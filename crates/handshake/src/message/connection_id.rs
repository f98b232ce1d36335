//! NewConnectionId and RequestConnectionId (RFC 9147 section 9): connection ids after the handshake.

use crate::codec::structs::{message, wire_struct};
use crate::codec::{DecodeError, DecodeFault, Element, List, Plain, Reader, Vector, Writer};

message! {
    "NewConnectionId";
    /// Connection ids for the receiver to put into the records that it sends.
    pub struct NewConnectionId<'a> {
        /// In the order in which they should be used.
        cids: List<'a, ConnectionId<'a>> = Vector::u16(0, 0xffff),
        /// Whether one of them must be used at once.
        usage: ConnectionIdUsage = Plain,
    }
}

wire_struct! {
    /// A connection id (RFC 9146 section 3).
    pub struct ConnectionId<'a> {
        /// At most 255 bytes.
        cid: &'a [u8] = Vector::u8(0, 255),
    }
}

/// When new connection ids are used. Closed: any other value is illegal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionIdUsage {
    /// One of them for every later record.
    Immediate,
    /// They may be kept for a change of path.
    Spare,
}

impl Element<'_> for ConnectionIdUsage {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            0 => Ok(Self::Immediate),
            1 => Ok(Self::Spare),
            _ => Err(reader.error(DecodeFault::IllegalValue)),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.u8(match self {
            Self::Immediate => 0,
            Self::Spare => 1,
        });
    }
}

message! {
    "RequestConnectionId";
    /// Asks for connection ids.
    pub struct RequestConnectionId {
        /// How many.
        num_cids: u8 = Plain,
    }
}
