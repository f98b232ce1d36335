//! CertificateRequest: the server wants the client's certificate.

use super::CertificateRequestExtensions;
use super::extension::Block;
use super::registry::{ClientCertificateType, SignatureScheme};
use crate::codec::structs::{message, wire_struct};
use crate::codec::{List, Vector};

message! {
    "CertificateRequest";
    /// CertificateRequest of DTLS 1.2 (RFC 5246 section 7.4.4).
    pub struct CertificateRequest12<'a> {
        /// Kinds of keys, by the server's preference.
        certificate_types: List<'a, ClientCertificateType> = Vector::u8(1, 255),
        /// What the server can verify, by its preference.
        supported_signature_algorithms: List<'a, SignatureScheme> = Vector::u16(2, 0xfffe),
        /// Names of acceptable authorities; none means any.
        certificate_authorities: List<'a, DistinguishedName<'a>> = Vector::u16(0, 0xffff),
    }
}

message! {
    "CertificateRequest";
    /// CertificateRequest of DTLS 1.3 (RFC 9846 section 4.4.2).
    pub struct CertificateRequest13<'a> {
        /// Empty in the main handshake.
        certificate_request_context: &'a [u8] = Vector::u8(0, 255),
        /// What the server can verify and accept; `signature_algorithms` is mandatory, which is checked elsewhere
        /// because its alert is "missing_extension".
        extensions: CertificateRequestExtensions<'a> = Block(Vector::u16(0, 0xffff)),
    }
}

wire_struct! {
    /// The X.501 name of an authority, in DER (RFC 9846 section 4.3.4).
    pub struct DistinguishedName<'a> {
        /// The DER, not looked at.
        name: &'a [u8] = Vector::u16(1, 0xffff),
    }
}
