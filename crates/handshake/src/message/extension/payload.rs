//! What the extensions carry.

use crate::codec::structs::wire_struct;
use crate::codec::{DecodeError, DecodeFault, Element, List, Plain, Reader, Rest, Single, Vector, Writer};
use crate::message::registry::{CertificateStatusType, NamedGroup, SrtpProfile};

wire_struct! {
    /// The content of an extension that says all by being there.
    #[derive(Default)]
    pub struct Empty {}
}

wire_struct! {
    /// `ServerNameList` of a ClientHello (RFC 6066 section 3).
    pub struct ServerNameList<'a> {
        /// Names, at most one of each type if the client is honest.
        server_name_list: List<'a, ServerName<'a>> = Vector::u16(1, 0xffff),
    }
}

impl<'a> ServerNameList<'a> {
    /// The first host name, as bytes that nobody has checked.
    ///
    /// An empty one counts as absent: the RFC forbids it (`HostName<1..2^16-1>`), mbedTLS and so Godot send it.
    pub fn host_name(&self) -> Option<&'a [u8]> {
        let first = self.server_name_list.iter().find(|name| name.name_type == ServerName::HOST_NAME)?;
        Some(first.name).filter(|name| !name.is_empty())
    }
}

wire_struct! {
    /// A name by which the client knows the server (RFC 6066 section 3).
    pub struct ServerName<'a> {
        /// [`ServerName::HOST_NAME`] is the only type there is.
        name_type: u8 = Plain,
        /// "all future data structures associated with new NameTypes MUST begin with a 16-bit length field".
        name: &'a [u8] = Vector::u16(0, 0xffff),
    }
}

impl ServerName<'_> {
    /// The name type of a DNS name.
    pub const HOST_NAME: u8 = 0;
}

wire_struct! {
    /// A wish for a stapled status (RFC 6066 section 8).
    pub struct CertificateStatusRequest<'a> {
        /// The kind of status.
        status_type: CertificateStatusType = Plain,
        /// Depends on the kind; not looked at, since it may be ignored.
        request: &'a [u8] = Rest,
    }
}

wire_struct! {
    /// The name of an application protocol (RFC 7301 section 3.1).
    pub struct ProtocolName<'a> {
        /// 1 to 255 bytes.
        name: &'a [u8] = Vector::u8(1, 255),
    }
}

wire_struct! {
    /// `UseSRTPData` of a client (RFC 5764 section 4.1.1).
    pub struct UseSrtp<'a> {
        /// Protection profiles by the client's preference.
        profiles: List<'a, SrtpProfile> = Vector::u16(2, 0xffff),
        /// Master key identifier; mostly empty.
        srtp_mki: &'a [u8] = Vector::u8(0, 255),
    }
}

wire_struct! {
    /// `UseSRTPData` of a server, with the one profile that it chose (RFC 5764 section 4.1.1).
    pub struct UseSrtpAnswer<'a> {
        /// The chosen profile.
        profile: SrtpProfile = Single(Vector::u16(2, 0xffff)),
        /// The client's identifier or nothing.
        srtp_mki: &'a [u8] = Vector::u8(0, 255),
    }
}

/// The largest plaintext that the sender takes in one record, in bytes (RFC 8449 section 4); at least 64. In 1.3 the
/// inner content type and the padding count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordSizeLimit(u16);

impl RecordSizeLimit {
    /// The least value that the RFC admits.
    pub const MIN: u16 = 64;

    /// A limit, if it is not below [`RecordSizeLimit::MIN`].
    pub const fn new(bytes: u16) -> Option<Self> {
        if bytes < Self::MIN { None } else { Some(Self(bytes)) }
    }

    /// The limit in bytes.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Element<'_> for RecordSizeLimit {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // "An endpoint MUST treat receipt of a smaller value as a fatal error and generate an "illegal_parameter"
        // alert" (RFC 8449 section 4).
        Self::new(reader.u16()?).ok_or(reader.error(DecodeFault::IllegalValue))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.u16(self.0);
    }
}

wire_struct! {
    /// A key share (RFC 9846 section 4.3.8).
    pub struct KeyShareEntry<'a> {
        /// The group that it belongs to.
        group: NamedGroup = Plain,
        /// The public key, in the group's encoding.
        key_exchange: &'a [u8] = Vector::u16(1, 0xffff),
    }
}

/// Pre-shared keys that a client offers, with the proofs that it has them (RFC 9846 section 4.3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferedPsks<'a> {
    /// By the client's preference.
    pub identities: List<'a, PskIdentity<'a>>,
    /// One for each identity, in the same order.
    pub binders: List<'a, PskBinder<'a>>,
}

const IDENTITIES: Vector = Vector::u16(7, 0xffff);
const BINDERS: Vector = Vector::u16(33, 0xffff);

impl OfferedPsks<'_> {
    /// How many bytes the binders take on the wire, with the lengths of the list and of each of them.
    pub fn binders_len(&self) -> usize {
        self.binders
            .iter()
            .fold(2, |sum: usize, binder| sum.saturating_add(binder.binder.len()).saturating_add(1))
    }
}

impl<'a> Element<'a> for OfferedPsks<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let identities: List<'a, PskIdentity<'a>> =
            List::from_wire(reader.what(), reader.vector(IDENTITIES)?)?;
        let binders: List<'a, PskBinder<'a>> = List::from_wire(reader.what(), reader.vector(BINDERS)?)?;
        // "one for each value in the identities list and in the same order".
        if identities.len() != binders.len() {
            return Err(reader.error(DecodeFault::IllegalValue));
        }
        Ok(Self { identities, binders })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        if self.identities.len() != self.binders.len() {
            writer.fail("OfferedPsks");
        }
        writer.vector(IDENTITIES, |writer| {
            self.identities.iter().for_each(|identity| identity.write(writer));
        });
        writer.vector(BINDERS, |writer| {
            self.binders.iter().for_each(|binder| binder.write(writer));
        });
    }
}

wire_struct! {
    /// The name of a pre-shared key (RFC 9846 section 4.3.11).
    pub struct PskIdentity<'a> {
        /// A ticket, or a name agreed outside.
        identity: &'a [u8] = Vector::u16(1, 0xffff),
        /// Milliseconds since the ticket was received, plus `ticket_age_add`; 0 for a name agreed outside.
        obfuscated_ticket_age: u32 = Plain,
    }
}

wire_struct! {
    /// The proof that the client has a pre-shared key (RFC 9846 section 4.3.11.2).
    pub struct PskBinder<'a> {
        /// An HMAC of 32 to 255 bytes.
        binder: &'a [u8] = Vector::u8(32, 255),
    }
}
