//! The extension blocks: which fields each message has. The order of the fields is the order on the wire.

use super::declare::{ExtensionBlock, extension_block, fill, write_field, write_others};
use super::others::RawExtension;
use super::table::Place;
use super::{
    CertificateStatusRequest, Empty, KeyShareEntry, OfferedPsks, Others, ProtocolName, RecordSizeLimit,
    ServerNameList, UseSrtp, UseSrtpAnswer,
};
use crate::codec::structs::message_methods;
use crate::codec::{DecodeError, Element, Format, List, Plain, Reader, Rest, Single, Vector, Writer};
use crate::message::registry::{
    CertificateType, EcPointFormat, ExtensionType, NamedGroup, ProtocolVersion, PskKeyExchangeMode,
    SignatureScheme,
};
use crate::message::{CertificateStatus, DistinguishedName};

/// `opaque cookie<1..2^16-1>` (RFC 9846 section 4.3.2).
pub(crate) const COOKIE: Vector = Vector::u16(1, 0xffff);

extension_block! {
    "ClientHello extensions", |_block| Place::ClientHello;
    /// The extensions of a ClientHello.
    ///
    /// The cookie is written first, so that a server can check it when only the first fragment of a large hello has
    /// arrived; the order is otherwise the same in every hello, as the second one must repeat it (RFC 9846 section
    /// 4.2.2).
    pub struct ClientExtensions<'a> {
        /// The cookie of a HelloRetryRequest (RFC 9846 section 4.3.2).
        cookie: &'a [u8] = COOKIE, COOKIE;
        /// The versions, by preference (RFC 9846 section 4.3.1).
        supported_versions: List<'a, ProtocolVersion> = SUPPORTED_VERSIONS, Vector::u8(2, 254);
        /// The name of the server (RFC 6066 section 3).
        server_name: ServerNameList<'a> = SERVER_NAME, Plain;
        /// Groups for the key exchange, by preference (RFC 9846 section 4.3.7).
        supported_groups: List<'a, NamedGroup> = SUPPORTED_GROUPS, Vector::u16(2, 0xffff);
        /// Key shares, by preference; maybe none (RFC 9846 section 4.3.8).
        key_share: List<'a, KeyShareEntry<'a>> = KEY_SHARE, Vector::u16(0, 0xffff);
        /// What the client can verify in handshakes, and in certificates if the next is absent (RFC 9846 section
        /// 4.3.3).
        signature_algorithms: List<'a, SignatureScheme> = SIGNATURE_ALGORITHMS, Vector::u16(2, 0xfffe);
        /// What the client can verify in certificates (RFC 9846 section 4.3.3).
        signature_algorithms_cert: List<'a, SignatureScheme> = SIGNATURE_ALGORITHMS_CERT, Vector::u16(2, 0xfffe);
        /// Encodings of curve points, 1.2 only (RFC 8422 section 5.1.2).
        ec_point_formats: List<'a, EcPointFormat> = EC_POINT_FORMATS, Vector::u8(1, 255);
        /// The wish to bind the master secret to the handshake, 1.2 only (RFC 7627 section 5.1).
        extended_master_secret: Empty = EXTENDED_MASTER_SECRET, Plain;
        /// `renegotiated_connection`: empty in every first handshake (RFC 5746 section 3.2).
        renegotiation_info: &'a [u8] = RENEGOTIATION_INFO, Vector::u8(0, 255);
        /// Application protocols, by preference (RFC 7301).
        alpn: List<'a, ProtocolName<'a>> = APPLICATION_LAYER_PROTOCOL_NEGOTIATION, Vector::u16(2, 0xffff);
        /// Profiles of SRTP (RFC 5764).
        use_srtp: UseSrtp<'a> = USE_SRTP, Plain;
        /// The connection id that the server shall put into its records (RFC 9146 section 3).
        connection_id: &'a [u8] = CONNECTION_ID, Vector::u8(0, 255);
        /// The wish to check paths (RFC 9853 section 3).
        rrc: Empty = RRC, Plain;
        /// The largest record that the client takes (RFC 8449).
        record_size_limit: RecordSizeLimit = RECORD_SIZE_LIMIT, Plain;
        /// A 1.2 ticket, or empty to ask for one (RFC 5077 section 3.2).
        session_ticket: &'a [u8] = SESSION_TICKET, Rest;
        /// The wish for a stapled status (RFC 6066 section 8).
        status_request: CertificateStatusRequest<'a> = STATUS_REQUEST, Plain;
        /// Authorities that the client trusts (RFC 9846 section 4.3.4).
        certificate_authorities: List<'a, DistinguishedName<'a>> = CERTIFICATE_AUTHORITIES, Vector::u16(3, 0xffff);
        /// What the client can present (RFC 7250 section 3).
        client_certificate_type: List<'a, CertificateType> = CLIENT_CERTIFICATE_TYPE, Vector::u8(1, 255);
        /// What the client can verify (RFC 7250 section 3).
        server_certificate_type: List<'a, CertificateType> = SERVER_CERTIFICATE_TYPE, Vector::u8(1, 255);
        /// Readiness for CertificateRequest after the handshake (RFC 9846 section 4.3.6).
        post_handshake_auth: Empty = POST_HANDSHAKE_AUTH, Plain;
        /// How pre-shared keys may be used (RFC 9846 section 4.3.9).
        psk_key_exchange_modes: List<'a, PskKeyExchangeMode> = PSK_KEY_EXCHANGE_MODES, Vector::u8(1, 255);
        /// Application data follows at once (RFC 9846 section 4.3.10).
        early_data: Empty = EARLY_DATA, Plain;
        ..others
        /// Pre-shared keys; "MUST be the last extension in the ClientHello" (RFC 9846 section 4.3.11).
        last pre_shared_key: OfferedPsks<'a> = PRE_SHARED_KEY, Plain;
    }
}

extension_block! {
    "ServerHello extensions", |block| match block.supported_versions {
        // "A server which negotiates a version of TLS prior to TLS 1.3 [..] MUST NOT send the "supported_versions"
        // extension" (RFC 9846 section 4.3.1): its presence tells the versions apart.
        Some(_) => Place::ServerHello13,
        None => Place::ServerHello12,
    };
    /// The extensions of a ServerHello of either version.
    pub struct ServerHelloExtensions<'a> {
        /// The version, 1.3 only (RFC 9846 section 4.3.1).
        supported_versions: ProtocolVersion = SUPPORTED_VERSIONS, Plain;
        /// The server's key share, 1.3 only (RFC 9846 section 4.3.8).
        key_share: KeyShareEntry<'a> = KEY_SHARE, Plain;
        /// Which of the client's pre-shared keys is used, from 0, 1.3 only (RFC 9846 section 4.3.11).
        pre_shared_key: u16 = PRE_SHARED_KEY, Plain;
        /// The connection id that the client shall put into its records, both versions (RFC 9146 section 3).
        connection_id: &'a [u8] = CONNECTION_ID, Vector::u8(0, 255);
        /// Readiness to check paths, both versions (RFC 9853 section 3).
        rrc: Empty = RRC, Plain;
        /// The name was used (RFC 6066 section 3). From here on 1.2 only.
        server_name: Empty = SERVER_NAME, Plain;
        /// Encodings of curve points that the server takes (RFC 8422 section 5.2).
        ec_point_formats: List<'a, EcPointFormat> = EC_POINT_FORMATS, Vector::u8(1, 255);
        /// The master secret is bound to the handshake (RFC 7627 section 5.1).
        extended_master_secret: Empty = EXTENDED_MASTER_SECRET, Plain;
        /// `renegotiated_connection`: empty in every first handshake (RFC 5746 section 3.2).
        renegotiation_info: &'a [u8] = RENEGOTIATION_INFO, Vector::u8(0, 255);
        /// The chosen application protocol (RFC 7301 section 3.1).
        alpn: ProtocolName<'a> = APPLICATION_LAYER_PROTOCOL_NEGOTIATION, Single(Vector::u16(2, 0xffff));
        /// The chosen SRTP profile (RFC 5764 section 4.1.1).
        use_srtp: UseSrtpAnswer<'a> = USE_SRTP, Plain;
        /// The largest record that the server takes (RFC 8449).
        record_size_limit: RecordSizeLimit = RECORD_SIZE_LIMIT, Plain;
        /// A NewSessionTicket will follow (RFC 5077 section 3.2).
        session_ticket: Empty = SESSION_TICKET, Plain;
        /// A CertificateStatus may follow (RFC 6066 section 8).
        status_request: Empty = STATUS_REQUEST, Plain;
        /// What the client shall present (RFC 7250 section 3).
        client_certificate_type: CertificateType = CLIENT_CERTIFICATE_TYPE, Plain;
        /// What the server presents (RFC 7250 section 3).
        server_certificate_type: CertificateType = SERVER_CERTIFICATE_TYPE, Plain;
        ..others
    }
}

extension_block! {
    "HelloRetryRequest extensions", |_block| Place::HelloRetryRequest;
    /// The extensions of a HelloRetryRequest (RFC 9846 section 4.2.4).
    pub struct HelloRetryExtensions<'a> {
        /// The version (RFC 9846 section 4.3.1).
        supported_versions: ProtocolVersion = SUPPORTED_VERSIONS, Plain;
        /// The group that the server wants a share of (RFC 9846 section 4.3.8).
        key_share: NamedGroup = KEY_SHARE, Plain;
        /// For the client to repeat (RFC 9846 section 4.3.2).
        cookie: &'a [u8] = COOKIE, COOKIE;
        ..others
    }
}

extension_block! {
    "EncryptedExtensions", |_block| Place::EncryptedExtensions;
    /// EncryptedExtensions (RFC 9846 section 4.4.1): the 1.3 server's answers that need no keys to be understood.
    pub struct EncryptedExtensions<'a> {
        /// The name was used (RFC 6066 section 3).
        server_name: Empty = SERVER_NAME, Plain;
        /// The server's groups, for the client's next handshake (RFC 9846 section 4.3.7).
        supported_groups: List<'a, NamedGroup> = SUPPORTED_GROUPS, Vector::u16(2, 0xffff);
        /// The chosen application protocol (RFC 7301 section 3.1).
        alpn: ProtocolName<'a> = APPLICATION_LAYER_PROTOCOL_NEGOTIATION, Single(Vector::u16(2, 0xffff));
        /// The chosen SRTP profile (RFC 5764 section 4.1.1).
        use_srtp: UseSrtpAnswer<'a> = USE_SRTP, Plain;
        /// The largest record that the server takes (RFC 8449).
        record_size_limit: RecordSizeLimit = RECORD_SIZE_LIMIT, Plain;
        /// What the client shall present (RFC 7250 section 3).
        client_certificate_type: CertificateType = CLIENT_CERTIFICATE_TYPE, Plain;
        /// What the server presents (RFC 7250 section 3).
        server_certificate_type: CertificateType = SERVER_CERTIFICATE_TYPE, Plain;
        /// Early data was taken (RFC 9846 section 4.3.10).
        early_data: Empty = EARLY_DATA, Plain;
        ..others
    }
}

/// `extensions<0..2^16-1>` (RFC 9846 section 4.4.1).
const ENCRYPTED_EXTENSIONS: super::Block = super::Block(Vector::u16(0, 0xffff));

impl<'a> Element<'a> for EncryptedExtensions<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        ENCRYPTED_EXTENSIONS.read(reader)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        ENCRYPTED_EXTENSIONS.write(self, writer);
    }
}

message_methods!(EncryptedExtensions<'a>, "EncryptedExtensions");

extension_block! {
    "CertificateRequest extensions", |_block| Place::CertificateRequest;
    /// The extensions of a 1.3 CertificateRequest (RFC 9846 section 4.4.2).
    pub struct CertificateRequestExtensions<'a> {
        /// What the server can verify; mandatory (RFC 9846 section 4.3.3).
        signature_algorithms: List<'a, SignatureScheme> = SIGNATURE_ALGORITHMS, Vector::u16(2, 0xfffe);
        /// What the server can verify in certificates (RFC 9846 section 4.3.3).
        signature_algorithms_cert: List<'a, SignatureScheme> = SIGNATURE_ALGORITHMS_CERT, Vector::u16(2, 0xfffe);
        /// Authorities that the server trusts (RFC 9846 section 4.3.4).
        certificate_authorities: List<'a, DistinguishedName<'a>> = CERTIFICATE_AUTHORITIES, Vector::u16(3, 0xffff);
        /// The wish for a stapled status (RFC 9846 section 4.5.1.1).
        status_request: Empty = STATUS_REQUEST, Plain;
        ..others
    }
}

extension_block! {
    "CertificateEntry extensions", |_block| Place::CertificateEntry;
    /// The extensions of one certificate in a 1.3 Certificate (RFC 9846 section 4.5.1).
    pub struct CertificateEntryExtensions<'a> {
        /// The stapled status (RFC 9846 section 4.5.1.1).
        status_request: CertificateStatus<'a> = STATUS_REQUEST, Plain;
        ..others
    }
}

extension_block! {
    "NewSessionTicket extensions", |_block| Place::NewSessionTicket;
    /// The extensions of a 1.3 NewSessionTicket (RFC 9846 section 4.7.1).
    pub struct NewSessionTicketExtensions<'a> {
        /// `max_early_data_size`: how many bytes of early data the ticket is good for.
        early_data: u32 = EARLY_DATA, Plain;
        ..others
    }
}
