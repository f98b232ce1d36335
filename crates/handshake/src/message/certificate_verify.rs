//! CertificateVerify: the proof that the sender holds the key of its certificate.
//!
//! Owns the format, which both versions share; what is signed is the transcript's business.

use super::registry::SignatureScheme;
use crate::codec::structs::{message, wire_struct};
use crate::codec::{Plain, Vector};

message! {
    "CertificateVerify";
    /// CertificateVerify of both versions (RFC 5246 section 7.4.8, RFC 9846 section 4.5.2).
    pub struct CertificateVerify<'a> {
        /// The signature over the handshake so far.
        signed: DigitallySigned<'a> = Plain,
    }
}

wire_struct! {
    /// A signature and its scheme (RFC 5246 section 4.7).
    pub struct DigitallySigned<'a> {
        /// Which scheme made the signature.
        algorithm: SignatureScheme = Plain,
        /// The signature, in the scheme's own encoding.
        signature: &'a [u8] = Vector::u16(0, 0xffff),
    }
}
