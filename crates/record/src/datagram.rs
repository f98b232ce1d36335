//! Cuts a datagram into its records without copying. Owns the rules for where a record ends and when the rest of a
//! datagram is dropped; knows no keys.

use crate::header::{self, Header};
use crate::{ContentType, Discard, RecordNumber};
use core::fmt;

/// The records of one datagram, cut one by one.
///
/// Each record borrows its own part of the datagram for as long as the datagram lives, so that opened payloads
/// stay where they arrived.
///
/// ```
/// use drystone_record::Records;
///
/// let mut datagram = *b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x03abc\x15\xfe\xfd\0\0\0\0\0\0\0\x01\0\x02de";
/// let mut records = Records::new(&mut datagram);
/// let first = records.next_record(0).unwrap().unwrap();
/// let second = records.next_record(0).unwrap().unwrap();
/// assert_eq!((first.body_length(), second.body_length()), (3, 2));
/// assert!(records.next_record(0).is_none());
/// ```
pub struct Records<'d> {
    rest: &'d mut [u8],
    /// The connection id of the first record that has one.
    connection_id: &'d [u8],
}

impl<'d> Records<'d> {
    /// The records of this datagram.
    pub fn new(datagram: &'d mut [u8]) -> Self {
        Self { rest: datagram, connection_id: &[] }
    }

    /// Cuts the next record; `None` at the end of the datagram.
    ///
    /// `own_connection_id_length` is the length in bytes of the connection id that we gave to the peer, 0 if none.
    ///
    /// # Errors
    /// The reason why no record can be cut here. The rest of the datagram is dropped then: the following calls
    /// give `None`.
    #[inline]
    pub fn next_record(&mut self, own_connection_id_length: usize) -> Option<Result<Protected<'d>, Discard>> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = core::mem::take(&mut self.rest);
        Some(self.cut(rest, own_connection_id_length))
    }

    /// The bytes that are not cut yet.
    pub fn remaining(&self) -> &[u8] {
        self.rest
    }

    #[inline]
    fn cut(&mut self, rest: &'d mut [u8], own_connection_id_length: usize) -> Result<Protected<'d>, Discard> {
        let (header, header_length, body_length) = header::read(rest, own_connection_id_length)?;
        let (header_bytes, rest) = rest.split_at_mut_checked(header_length).ok_or(Discard::Truncated)?;
        let (body, rest) = rest.split_at_mut_checked(body_length).ok_or(Discard::Truncated)?;
        let record = Protected { header, header_bytes, body };
        self.check_connection_id(record.connection_id())?;
        self.rest = rest;
        Ok(record)
    }

    /// RFC 9147 section 4: a datagram belongs to one association. If a later record names another one, the rest
    /// of the datagram must be discarded.
    #[inline]
    fn check_connection_id(&mut self, connection_id: &'d [u8]) -> Result<(), Discard> {
        if connection_id.is_empty() || connection_id == self.connection_id {
            return Ok(());
        }
        if !self.connection_id.is_empty() {
            return Err(Discard::OtherConnectionId);
        }
        self.connection_id = connection_id;
        Ok(())
    }
}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("remaining", &self.rest.len()).finish_non_exhaustive()
    }
}

/// A record as it arrived, cut but not opened. In epoch 0 its body is plaintext.
pub struct Protected<'d> {
    pub(crate) header: Header,
    pub(crate) header_bytes: &'d [u8],
    pub(crate) body: &'d mut [u8],
}

impl<'d> Protected<'d> {
    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The connection id in the header, empty if there is none.
    #[inline]
    pub fn connection_id(&self) -> &'d [u8] {
        if self.header.connection_id_length() == 0 {
            return &[];
        }
        let rest = self.header_bytes.get(self.header.connection_id_offset()..).unwrap_or(&[]);
        rest.get(..self.header.connection_id_length()).unwrap_or(&[])
    }

    /// The header as it arrived.
    pub fn header_bytes(&self) -> &[u8] {
        self.header_bytes
    }

    /// What follows the header, as it arrived.
    pub fn body(&self) -> &[u8] {
        self.body
    }

    /// The length of what follows the header, in bytes.
    pub fn body_length(&self) -> usize {
        self.body.len()
    }
}

impl fmt::Debug for Protected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protected")
            .field("header", &self.header)
            .field("body_length", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The first record of a datagram, if it is plaintext.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlaintextRecord<'a> {
    /// The content type.
    pub content_type: ContentType,
    /// The version on the wire.
    pub version: u16,
    /// The record number; its epoch is 0.
    pub number: RecordNumber,
    /// The payload.
    pub payload: &'a [u8],
}

/// Looks at the first record of a datagram without taking anything: for answers that keep no state, such as
/// HelloVerifyRequest. `None` unless it is a whole classic record of epoch 0 with at most 2^14 bytes.
pub fn peek_plaintext(datagram: &[u8]) -> Option<PlaintextRecord<'_>> {
    let (header, header_length, body_length) = header::read(datagram, 0).ok()?;
    let Header::Classic { content_type, version, epoch: 0, sequence, .. } = header else {
        return None;
    };
    if body_length > crate::MAX_PAYLOAD {
        return None;
    }
    let payload = datagram.get(header_length..)?.get(..body_length)?;
    Some(PlaintextRecord { content_type, version, number: RecordNumber { epoch: 0, sequence }, payload })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn classic(content_type: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(body.len()).unwrap();
        [&[content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 7, 0, length][..], body].concat()
    }

    fn unified(id: &[u8], body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(body.len()).unwrap();
        [&[if id.is_empty() { 0x2e } else { 0x3e }][..], id, &[0, 1, 0, length], body].concat()
    }

    proptest! {
        /// Threat 8: every call makes progress, whatever the bytes.
        #[test]
        fn threat_08_cutting_ends_and_loses_no_byte(
            datagram in proptest::collection::vec(prop_oneof![any::<u8>(), 20_u8..28, 32_u8..64, 0_u8..3], 0..200),
            own in 0_usize..20,
        ) {
            let original = datagram.clone();
            let mut datagram = datagram;
            let mut records = Records::new(&mut datagram);
            let mut cut = Vec::new();
            loop {
                let before = records.remaining().len();
                match records.next_record(own) {
                    None => {
                        prop_assert_eq!(&cut, &original);
                        break;
                    }
                    Some(Ok(record)) => {
                        cut.extend_from_slice(record.header_bytes);
                        cut.extend_from_slice(record.body);
                        prop_assert!(records.remaining().len() < before);
                    }
                    Some(Err(_)) => {
                        prop_assert!(records.next_record(own).is_none());
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn records_of_both_shapes_share_a_datagram() {
        let mut datagram = [classic(22, 0, b"hello"), unified(b"id", b"more"), unified(b"id", b"")].concat();
        let mut records = Records::new(&mut datagram);
        let first = records.next_record(2).unwrap().unwrap();
        let second = records.next_record(2).unwrap().unwrap();
        let third = records.next_record(2).unwrap().unwrap();
        assert!(records.next_record(2).is_none());
        assert_eq!((&*first.body, first.connection_id()), (&b"hello"[..], &b""[..]));
        assert_eq!((&*second.body, second.connection_id()), (&b"more"[..], &b"id"[..]));
        assert_eq!((&*third.body, third.connection_id()), (&b""[..], &b"id"[..]));
    }

    #[test]
    fn another_connection_id_drops_the_rest_of_the_datagram() {
        let mut datagram = [unified(b"id", b"a"), unified(b"ID", b"b"), unified(b"id", b"c")].concat();
        let mut records = Records::new(&mut datagram);
        assert!(records.next_record(2).unwrap().is_ok());
        assert_eq!(records.next_record(2).unwrap().unwrap_err(), Discard::OtherConnectionId);
        assert!(records.next_record(2).is_none());
        assert!(records.remaining().is_empty());
    }

    #[test]
    fn without_a_connection_id_of_ours_the_rest_is_dropped() {
        let mut datagram = [classic(21, 0, b"x"), unified(b"id", b"a"), classic(21, 0, b"x")].concat();
        let mut records = Records::new(&mut datagram);
        assert!(records.next_record(0).unwrap().is_ok());
        assert_eq!(records.next_record(0).unwrap().unwrap_err(), Discard::UnexpectedConnectionId);
        assert!(records.next_record(0).is_none());
    }

    #[test]
    fn peeking_sees_only_plaintext() {
        let datagram = [classic(22, 0, b"hello"), classic(22, 0, b"again")].concat();
        let record = peek_plaintext(&datagram).unwrap();
        assert_eq!(record.payload, b"hello");
        assert_eq!(record.content_type, ContentType::HANDSHAKE);
        assert_eq!((record.version, record.number.sequence), (0xfefd, 7));
        assert!(peek_plaintext(&classic(22, 1, b"hello")).is_none());
        assert!(peek_plaintext(&unified(b"", b"hello")).is_none());
        assert!(peek_plaintext(&datagram[..15]).is_none());
        assert!(peek_plaintext(b"").is_none());
    }
}
