//! ServerHello of both versions, and HelloRetryRequest, which wears its clothes.

use super::client_hello::SESSION_ID;
use super::extension::{Block, TrailingBlock};
use super::registry::{CipherSuiteId, ProtocolVersion};
use super::{HelloRetryExtensions, ServerHelloExtensions};
use crate::codec::structs::{message, message_methods};
use crate::codec::{DecodeError, DecodeFault, Element, Format, Plain, Reader, Vector, Writer};

/// The random of a HelloRetryRequest: SHA-256 of "HelloRetryRequest" (RFC 9846 section 4.2.3).
pub const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The last 8 bytes of the random of a 1.3 server that negotiates 1.2 (RFC 9846 section 4.2.3).
pub const DOWNGRADE_TO_1_2: [u8; 8] = *b"DOWNGRD\x01";

/// The last 8 bytes of the random of a server that negotiates less than it could, below 1.2.
pub const DOWNGRADE_TO_1_1: [u8; 8] = *b"DOWNGRD\x00";

message! {
    "ServerHello";
    /// What the server has chosen (RFC 5246 section 7.4.1.3, RFC 9846 section 4.2.3).
    ///
    /// A `supported_versions` extension makes it a hello of 1.3: the other extensions are then checked against the
    /// ones that 1.3 admits here, otherwise against those of 1.2.
    pub struct ServerHello<'a> {
        /// The version in 1.2; in 1.3 the `supported_versions` extension has it, and this is 1.2.
        server_version: ProtocolVersion = Plain,
        /// 32 random bytes, of which the last 8 may be a [downgrade sentinel](Self::has_downgrade_sentinel).
        random: &'a [u8; 32] = Plain,
        /// The id of the session in 1.2; empty in DTLS 1.3 (RFC 9147 section 5).
        session_id: &'a [u8] = SESSION_ID,
        /// The chosen suite.
        cipher_suite: CipherSuiteId = Plain,
        /// Must be 0, no compression; checked where the hello is judged.
        compression_method: u8 = Plain,
        /// Answers to the client's extensions.
        extensions: ServerHelloExtensions<'a> = TrailingBlock(Vector::u16(0, 0xffff)),
    }
}

impl ServerHello<'_> {
    /// Whether the random ends with a downgrade sentinel: a client that offered 1.3 and is answered with less must
    /// then stop with "illegal_parameter" (RFC 9846 section 4.2.3).
    pub fn has_downgrade_sentinel(&self) -> bool {
        self.random.ends_with(&DOWNGRADE_TO_1_2) || self.random.ends_with(&DOWNGRADE_TO_1_1)
    }
}

/// The question for another ClientHello (RFC 9846 section 4.2.4): a ServerHello with [`RETRY_RANDOM`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloRetryRequest<'a> {
    /// Always 1.2 (`legacy_version`).
    pub server_version: ProtocolVersion,
    /// Empty in DTLS 1.3 (RFC 9147 section 5).
    pub session_id: &'a [u8],
    /// The suite that the ServerHello will repeat.
    pub cipher_suite: CipherSuiteId,
    /// What the second hello must change.
    pub extensions: HelloRetryExtensions<'a>,
}

/// `extensions<6..2^16-1>` (RFC 9846 section 4.2.3).
const RETRY_EXTENSIONS: Block = Block(Vector::u16(6, 0xffff));

impl<'a> Element<'a> for HelloRetryRequest<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let server_version = Plain.read(reader)?;
        if *reader.array()? != RETRY_RANDOM {
            return Err(reader.error(DecodeFault::IllegalValue));
        }
        let session_id = SESSION_ID.read(reader)?;
        let cipher_suite = Plain.read(reader)?;
        // A field of 1.3, where any other value is "illegal_parameter" (RFC 9846 section 4.2.3).
        if reader.u8()? != 0 {
            return Err(reader.error(DecodeFault::IllegalValue));
        }
        Ok(Self { server_version, session_id, cipher_suite, extensions: RETRY_EXTENSIONS.read(reader)? })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        self.server_version.write(writer);
        writer.bytes(&RETRY_RANDOM);
        SESSION_ID.write(&self.session_id, writer);
        self.cipher_suite.write(writer);
        writer.u8(0);
        RETRY_EXTENSIONS.write(&self.extensions, writer);
    }
}

message_methods!(HelloRetryRequest<'a>, "HelloRetryRequest");

/// A message of type `server_hello`, told apart by its random.
///
/// A client that has offered only 1.2 decodes [`ServerHello`] directly: to it the random has no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyServerHello<'a> {
    /// The choice.
    Hello(ServerHello<'a>),
    /// The question for another hello.
    Retry(HelloRetryRequest<'a>),
}

impl<'a> AnyServerHello<'a> {
    /// Looks at the random first (RFC 9846 section 4.2.3: "implementations MUST first examine the Random value"),
    /// then decodes.
    ///
    /// # Errors
    /// As the `decode` of the message that it turns out to be.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("ServerHello", body);
        reader.u16()?;
        if *reader.array()? == RETRY_RANDOM {
            HelloRetryRequest::decode(body).map(Self::Retry)
        } else {
            ServerHello::decode(body).map(Self::Hello)
        }
    }
}
