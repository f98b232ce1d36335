//! CertificateStatus (RFC 6066 section 8): a stapled OCSP response.
//!
//! A message of its own in 1.2, the content of a certificate's `status_request` extension in 1.3.

use super::registry::CertificateStatusType;
use crate::codec::structs::message_methods;
use crate::codec::{DecodeError, DecodeFault, Element, Reader, Vector, Writer};

/// A stapled OCSP response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateStatus<'a> {
    /// The OCSPResponse in DER, not looked at.
    pub ocsp_response: &'a [u8],
}

const OCSP_RESPONSE: Vector = Vector::u24(1, 0xff_ffff);

impl<'a> Element<'a> for CertificateStatus<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        // Nobody asks for another kind, so that another kind is an answer to no question.
        if CertificateStatusType::read(reader)? != CertificateStatusType::OCSP {
            return Err(reader.error(DecodeFault::IllegalValue));
        }
        Ok(Self { ocsp_response: reader.vector(OCSP_RESPONSE)? })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        CertificateStatusType::OCSP.write(writer);
        writer.vector(OCSP_RESPONSE, |writer| writer.bytes(self.ocsp_response));
    }
}

message_methods!(CertificateStatus<'a>, "CertificateStatus");
