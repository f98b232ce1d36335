//! HelloVerifyRequest (RFC 6347 section 4.2.1): the 1.2 server's question whether the client's address is real.

use super::registry::ProtocolVersion;
use crate::codec::structs::message;
use crate::codec::{Plain, Vector};

message! {
    "HelloVerifyRequest";
    /// A cookie for the client to repeat.
    pub struct HelloVerifyRequest<'a> {
        /// Always DTLS 1.0, whatever is negotiated later; a client ignores it (RFC 6347 section 4.2.1).
        server_version: ProtocolVersion = Plain,
        /// At most 255 bytes, made and understood by the server alone.
        cookie: &'a [u8] = Vector::u8(0, 255),
    }
}
