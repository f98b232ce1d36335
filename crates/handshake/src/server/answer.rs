//! The stateless answers to strangers, each one plaintext record in one datagram, written into the caller's buffer.
//! Allocates nothing; does not decide who gets which.

use drystone_record::ContentType;

use crate::flight::{self, HEADER_LEN};
use crate::message::registry::{
    AlertDescription, AlertLevel, CipherSuiteId, HandshakeType, NamedGroup, ProtocolVersion,
};
use crate::message::{Alert, HelloVerifyRequest};

use super::fragments::RECORD_HEADER;
use super::retry;

/// A HelloVerifyRequest. The version is DTLS 1.0 whatever is negotiated, the record number is the hello's and
/// message_seq is 0 (RFC 6347 sections 4.2.1 and 4.2.2). The length of the datagram, if `out` has room for it.
pub(super) fn hello_verify_request(sequence: u64, cookie: &[u8], out: &mut [u8]) -> Option<usize> {
    let request = HelloVerifyRequest { server_version: ProtocolVersion::DTLS_1_0, cookie };
    let write = |body: &mut [u8]| request.encode_to_slice(body).ok();
    handshake(ProtocolVersion::DTLS_1_0, sequence, HandshakeType::HELLO_VERIFY_REQUEST, out, write)
}

/// A HelloRetryRequest with a cookie. Record number and message_seq as in [`hello_verify_request`]: the server's next
/// message is its second, as if it had kept count.
pub(super) fn hello_retry_request(
    sequence: u64,
    suite: CipherSuiteId,
    group: Option<NamedGroup>,
    cookie: &[u8],
    out: &mut [u8],
) -> Option<usize> {
    let write = |body: &mut [u8]| retry::request(suite, group, Some(cookie)).encode_to_slice(body).ok();
    // A HelloRetryRequest is a ServerHello by its type (RFC 9846 section 4.2.4).
    handshake(ProtocolVersion::DTLS_1_2, sequence, HandshakeType::SERVER_HELLO, out, write)
}

/// A fatal alert.
pub(super) fn alert(sequence: u64, description: AlertDescription, out: &mut [u8]) -> Option<usize> {
    let alert = Alert { level: AlertLevel::FATAL, description };
    record(ContentType::ALERT, ProtocolVersion::DTLS_1_2, sequence, out, |body| {
        alert.encode_to_slice(body).ok()
    })
}

/// A record with one unfragmented message of message_seq 0.
fn handshake(
    version: ProtocolVersion,
    sequence: u64,
    msg_type: HandshakeType,
    out: &mut [u8],
    write: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> Option<usize> {
    record(ContentType::HANDSHAKE, version, sequence, out, |payload| {
        let (header, body) = payload.split_first_chunk_mut::<HEADER_LEN>()?;
        let length = write(body)?;
        let field = u32::try_from(length).ok()?;
        *header = flight::header(msg_type, field, 0, 0, field);
        length.checked_add(HEADER_LEN)
    })
}

/// A record of epoch 0.
fn record(
    content_type: ContentType,
    version: ProtocolVersion,
    sequence: u64,
    out: &mut [u8],
    write: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> Option<usize> {
    let (header, payload) = out.split_first_chunk_mut::<RECORD_HEADER>()?;
    let length = write(payload)?;
    let [v1, v0] = version.0.to_be_bytes();
    let [_, _, s5, s4, s3, s2, s1, s0] = sequence.to_be_bytes();
    let [l1, l0] = u16::try_from(length).ok()?.to_be_bytes();
    *header = [content_type.0, v1, v0, 0, 0, s5, s4, s3, s2, s1, s0, l1, l0];
    length.checked_add(RECORD_HEADER)
}
