//! ServerKeyExchange, ServerHelloDone and ClientKeyExchange: the key exchange of DTLS 1.2, and HelloRequest.
//!
//! Only ephemeral elliptic curve Diffie-Hellman over a named curve (RFC 8422): explicit curve parameters are refused
//! before anything is computed from them.

use alloc::vec::Vec;

use super::DigitallySigned;
use super::registry::NamedGroup;
use crate::codec::structs::{message, message_methods};
use crate::codec::{DecodeError, DecodeFault, Element, EncodeError, Reader, Vector, Writer};

/// ECCurveType `named_curve` (RFC 8422 section 5.4).
const NAMED_CURVE: u8 = 3;

/// ECPoint (RFC 8422 section 5.4).
const EC_POINT: Vector = Vector::u8(1, 255);

/// The server's ephemeral key share, with its signature (RFC 8422 section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerKeyExchange<'a> {
    /// What is signed, after both randoms.
    pub params: ServerEcdhParams<'a>,
    /// The signature over client random, server random and `params.as_bytes()`.
    pub signed: DigitallySigned<'a>,
}

impl<'a> Element<'a> for ServerKeyExchange<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { params: ServerEcdhParams::read(reader)?, signed: DigitallySigned::read(reader)? })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(self.params.wire);
        self.signed.write(writer);
    }
}

message_methods!(ServerKeyExchange<'a>, "ServerKeyExchange");

/// ServerECDHParams (RFC 8422 section 5.4), together with the bytes that are signed.
///
/// ```
/// use drystone_handshake::message::{ServerEcdhParams, registry::NamedGroup};
///
/// let mut signed = Vec::new();
/// let params = ServerEcdhParams::write_to(&mut signed, NamedGroup::X25519, &[7; 32])?;
/// assert_eq!((params.named_group(), params.public()), (NamedGroup::X25519, &[7; 32][..]));
/// # Ok::<(), drystone_handshake::codec::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerEcdhParams<'a> {
    named_group: NamedGroup,
    public: &'a [u8],
    wire: &'a [u8],
}

impl<'a> ServerEcdhParams<'a> {
    /// Reads the parameters alone.
    ///
    /// # Errors
    /// If the bytes are no parameters of a named curve, or more than that.
    pub fn decode(wire: &'a [u8]) -> Result<Self, DecodeError> {
        Reader::all("ServerECDHParams", wire, Self::read)
    }

    /// Writes the parameters to `wire`, which is cleared before, and borrows them from there.
    ///
    /// # Errors
    /// If `public` is empty or longer than 255 bytes.
    pub fn write_to(
        wire: &'a mut Vec<u8>,
        named_group: NamedGroup,
        public: &[u8],
    ) -> Result<Self, EncodeError> {
        const WHAT: &str = "ServerECDHParams";
        wire.clear();
        Writer::encode(WHAT, wire, |writer| {
            writer.u8(NAMED_CURVE);
            named_group.write(writer);
            writer.vector(EC_POINT, |writer| writer.bytes(public));
        })?;
        Reader::all(WHAT, wire, Self::read).map_err(|_| EncodeError { what: WHAT })
    }

    /// The curve.
    pub const fn named_group(&self) -> NamedGroup {
        self.named_group
    }

    /// The server's public key, in the curve's encoding.
    pub const fn public(&self) -> &'a [u8] {
        self.public
    }

    /// The parameters as they lie on the wire: what is signed, after both randoms.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.wire
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut fields = reader.clone();
        if fields.u8()? != NAMED_CURVE {
            return Err(reader.error(DecodeFault::IllegalValue));
        }
        let named_group = NamedGroup::read(&mut fields)?;
        let public = fields.vector(EC_POINT)?;
        // The type, the group and the point's length stand before the point.
        let wire = reader.take(public.len().saturating_add(4))?;
        Ok(Self { named_group, public, wire })
    }
}

message! {
    "ServerHelloDone";
    /// The end of the server's flight in 1.2: nothing but a header.
    pub struct ServerHelloDone {}
}

message! {
    "ClientKeyExchange";
    /// The client's ephemeral public key (RFC 8422 section 5.7).
    pub struct ClientKeyExchange<'a> {
        /// In the encoding of the curve that ServerKeyExchange named.
        public: &'a [u8] = EC_POINT,
    }
}

message! {
    "HelloRequest";
    /// The wish of a 1.2 server to negotiate anew: nothing but a header, and never fulfilled.
    pub struct HelloRequest {}
}
