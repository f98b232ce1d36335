//! Finished: the proof that both ends saw the same handshake with the same keys.

use crate::codec::structs::message_methods;
use crate::codec::{DecodeError, DecodeFault, Element, Reader, Writer};

/// Finished of both versions (RFC 5246 section 7.4.9, RFC 9846 section 4.5.3).
///
/// The length of `verify_data` follows from the version and the cipher suite; comparing it with the expected value,
/// in constant time, compares the length too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished<'a> {
    /// 12 bytes in 1.2, the length of the hash in 1.3.
    pub verify_data: &'a [u8],
}

impl<'a> Element<'a> for Finished<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match reader.rest() {
            [] => Err(reader.error(DecodeFault::Truncated)),
            verify_data => Ok(Self { verify_data }),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        if self.verify_data.is_empty() {
            writer.fail("Finished");
        }
        writer.bytes(self.verify_data);
    }
}

message_methods!(Finished<'a>, "Finished");
