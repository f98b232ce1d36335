//! Certificate: the sender's chain, end entity first.
//!
//! The two versions differ, so there are two structs. What a certificate says is not looked at here.

use super::CertificateEntryExtensions;
use super::extension::Block;
use crate::codec::structs::{message, wire_struct};
use crate::codec::{List, Vector};

message! {
    "Certificate";
    /// Certificate of DTLS 1.2 (RFC 5246 section 7.4.2).
    pub struct Certificate12<'a> {
        /// The chain; empty from a client that has none.
        certificate_list: List<'a, Asn1Cert<'a>> = Vector::u24(0, 0xff_ffff),
    }
}

wire_struct! {
    /// One certificate in DER (`ASN.1Cert`, RFC 5246 section 7.4.2).
    pub struct Asn1Cert<'a> {
        /// The DER, not looked at.
        cert_data: &'a [u8] = Vector::u24(1, 0xff_ffff),
    }
}

message! {
    "Certificate";
    /// Certificate of DTLS 1.3 (RFC 9846 section 4.5.1).
    pub struct Certificate13<'a> {
        /// Repeats the request's context; empty in the main handshake.
        certificate_request_context: &'a [u8] = Vector::u8(0, 255),
        /// The chain; empty from a client that has none.
        certificate_list: List<'a, CertificateEntry<'a>> = Vector::u24(0, 0xff_ffff),
    }
}

wire_struct! {
    /// One certificate with its extensions (RFC 9846 section 4.5.1).
    pub struct CertificateEntry<'a> {
        /// A certificate in DER, or a SubjectPublicKeyInfo if raw public keys were negotiated; not looked at.
        cert_data: &'a [u8] = Vector::u24(1, 0xff_ffff),
        /// What the sender says about this certificate.
        extensions: CertificateEntryExtensions<'a> = Block(Vector::u16(0, 0xffff)),
    }
}
