//! ClientHello of both versions, and the part of it that a stateless server looks at.

use super::ClientExtensions;
use super::extension::{COOKIE as COOKIE_EXTENSION, RawExtension, TrailingBlock};
use super::registry::{CipherSuiteId, ExtensionType, ProtocolVersion};
use crate::codec::structs::{message, wire_struct};
use crate::codec::{DecodeError, Element, List, Plain, Reader, Vector};

/// `SessionID<0..32>` (RFC 5246 section 7.4.1.2).
pub(super) const SESSION_ID: Vector = Vector::u8(0, 32);

/// `cookie<0..2^8-1>` (RFC 6347 section 4.2.1).
const COOKIE: Vector = Vector::u8(0, 255);

const CIPHER_SUITES: Vector = Vector::u16(2, 0xfffe);

const COMPRESSION_METHODS: Vector = Vector::u8(1, 255);

message! {
    "ClientHello";
    /// What the client can do (RFC 6347 section 4.2.1, RFC 9147 section 5.3).
    ///
    /// An empty extension block and an absent one are the same value; the first is written as the second.
    pub struct ClientHello<'a> {
        /// The highest version up to 1.2; `supported_versions` says more.
        client_version: ProtocolVersion = Plain,
        /// 32 random bytes.
        random: &'a [u8; 32] = Plain,
        /// A 1.2 session to resume, else empty.
        session_id: &'a [u8] = SESSION_ID,
        /// The cookie of a HelloVerifyRequest; always empty in 1.3 (`legacy_cookie`).
        cookie: &'a [u8] = COOKIE,
        /// By the client's preference.
        cipher_suites: List<'a, CipherSuiteId> = CIPHER_SUITES,
        /// Only `[0]` is ever sent: no compression.
        compression_methods: &'a [u8] = COMPRESSION_METHODS,
        /// Everything else.
        extensions: ClientExtensions<'a> = TrailingBlock(Vector::u16(0, 0xffff)),
    }
}

impl<'a> ClientHello<'a> {
    /// The fields up to the cookie.
    pub fn prefix(&self) -> ClientHelloPrefix<'a> {
        let &Self { client_version, random, session_id, cookie, .. } = self;
        ClientHelloPrefix { client_version, random, session_id, cookie }
    }

    /// The content of the cookie extension, if it is whole in the front of a body, which may end anywhere behind it
    /// (a first fragment). `None` also if what stands before it cannot be read. Allocates nothing.
    pub fn cookie_extension_of(front: &'a [u8]) -> Option<&'a [u8]> {
        let mut reader = Reader::new("ClientHello", front);
        ClientHelloPrefix::read(&mut reader).ok()?;
        reader.vector(CIPHER_SUITES).ok()?;
        reader.vector(COMPRESSION_METHODS).ok()?;
        // The length of the block, of which only a part may be there.
        reader.u16().ok()?;
        loop {
            let RawExtension { extension_type, data } = RawExtension::read(&mut reader).ok()?;
            if extension_type == ExtensionType::COOKIE {
                return Reader::all("cookie", data, |reader| reader.vector(COOKIE_EXTENSION)).ok();
            }
        }
    }

    /// How many bytes the binders of the pre-shared keys take at the end of the body, with their length; 0 without.
    ///
    /// A binder is computed over the hello without these bytes (RFC 9846 section 4.3.11.2), so that a client writes
    /// the hello with binders of the right lengths and then overwrites the end.
    pub fn binders_len(&self) -> usize {
        self.extensions.pre_shared_key.map_or(0, |psks| psks.binders_len())
    }
}

wire_struct! {
    /// The fields of a ClientHello up to the cookie: what a cookie binds, read without looking further.
    ///
    /// ```
    /// use drystone_handshake::message::ClientHelloPrefix;
    ///
    /// let mut fragment = vec![0xfe, 0xfd];
    /// fragment.extend([7; 32]); // random
    /// fragment.extend([0, 2, 8, 9]); // no session id, a cookie of two bytes
    /// fragment.extend([0, 4, 0xc0]); // cut off in the cipher suites
    /// assert_eq!(ClientHelloPrefix::decode_prefix(&fragment)?.cookie, [8, 9]);
    /// # Ok::<(), drystone_handshake::codec::DecodeError>(())
    /// ```
    pub struct ClientHelloPrefix<'a> {
        /// As in [`ClientHello`].
        client_version: ProtocolVersion = Plain,
        /// As in [`ClientHello`].
        random: &'a [u8; 32] = Plain,
        /// As in [`ClientHello`].
        session_id: &'a [u8] = SESSION_ID,
        /// As in [`ClientHello`].
        cookie: &'a [u8] = COOKIE,
    }
}

impl<'a> ClientHelloPrefix<'a> {
    /// Reads the fields from the front of a body, or of its first fragment; the rest is not looked at. Allocates
    /// nothing.
    ///
    /// # Errors
    /// If the bytes end before the cookie does, or the session id is longer than 32 bytes.
    pub fn decode_prefix(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new("ClientHello", bytes))
    }
}
