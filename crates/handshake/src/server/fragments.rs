//! The fragments of ClientHellos in a stranger's datagram, read without taking anything. Decides nothing.

use drystone_record::{ContentType, Discard, peek_plaintext};

use crate::flight::Fragment;
use crate::message::registry::HandshakeType;

/// The fragments at the front of a datagram, each with the number of its record, and at their end why it goes no
/// further, unless the datagram is over.
pub(super) struct HelloFragments<'d> {
    datagram: &'d [u8],
    /// What is left of the present record.
    payload: &'d [u8],
    record_sequence: u64,
}

impl<'d> HelloFragments<'d> {
    pub(super) fn new(datagram: &'d [u8]) -> Self {
        Self { datagram, payload: &[], record_sequence: 0 }
    }

    fn read(&mut self) -> Result<(Fragment<'d>, u64), Discard> {
        if self.payload.is_empty() {
            let record = peek_plaintext(self.datagram).ok_or(Discard::NotBeforeCookie)?;
            if record.content_type != ContentType::HANDSHAKE {
                return Err(Discard::NotBeforeCookie);
            }
            self.payload = record.payload;
            self.record_sequence = record.number.sequence;
            let length = RECORD_HEADER.saturating_add(record.payload.len());
            self.datagram = self.datagram.get(length..).unwrap_or_default();
        }
        let (fragment, rest) = Fragment::split_first(self.payload).map_err(|_| Discard::MalformedHello)?;
        self.payload = rest;
        match fragment.msg_type {
            HandshakeType::CLIENT_HELLO => Ok((fragment, self.record_sequence)),
            _ => Err(Discard::NotBeforeCookie),
        }
    }
}

/// Bytes of a classic record header (RFC 6347 section 4.1).
pub(super) const RECORD_HEADER: usize = 13;

impl<'d> Iterator for HelloFragments<'d> {
    type Item = Result<(Fragment<'d>, u64), Discard>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.payload.is_empty() && self.datagram.is_empty() {
            return None;
        }
        let next = self.read();
        if next.is_err() {
            (self.payload, self.datagram) = (&[], &[]);
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::flight;

    fn record(sequence: u8, content_type: u8, payload: &[u8]) -> Vec<u8> {
        let header = [content_type, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, sequence, 0, payload.len() as u8];
        [&header, payload].concat()
    }

    fn fragment(msg_type: HandshakeType, offset: u32, bytes: &[u8]) -> Vec<u8> {
        [&flight::header(msg_type, 9, 1, offset, bytes.len() as u32)[..], bytes].concat()
    }

    fn read(datagram: &[u8]) -> Vec<Result<(u32, u64), Discard>> {
        HelloFragments::new(datagram).map(|item| item.map(|(piece, number)| (piece.offset, number))).collect()
    }

    #[test]
    fn records_and_fragments_one_after_the_other() {
        let hello = |offset| fragment(HandshakeType::CLIENT_HELLO, offset, &[7; 3]);
        let datagram = [record(4, 22, &[hello(0), hello(3)].concat()), record(5, 22, &hello(6))].concat();
        assert_eq!(read(&datagram), [Ok((0, 4)), Ok((3, 4)), Ok((6, 5))]);
        assert_eq!(read(&[]), []);
    }

    #[test]
    fn what_is_no_part_of_a_hello_is_the_end() {
        let hello = fragment(HandshakeType::CLIENT_HELLO, 0, &[7; 3]);
        let good = record(4, 22, &hello);
        let others = [
            (record(5, 23, &hello), Discard::NotBeforeCookie),
            (record(5, 22, &fragment(HandshakeType::FINISHED, 0, &[1])), Discard::NotBeforeCookie),
            (record(5, 22, &hello[..14]), Discard::MalformedHello),
            (record(5, 22, &[]), Discard::MalformedHello),
            (vec_of(&good[..20]), Discard::NotBeforeCookie),
        ];
        for (other, reason) in others {
            let datagram = [&good[..], &other, &good].concat();
            assert_eq!(read(&datagram), [Ok((0, 4)), Err(reason)]);
        }
    }

    /// Cut short, so that what follows is no record of it.
    fn vec_of(bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        // A length that reaches beyond everything.
        bytes[11] = 0xff;
        bytes
    }
}
