//! The 12-byte handshake header and the piece of a message behind it (RFC 6347 section 4.2.2, RFC 9147
//! section 5.2). Owns the byte layout and the arithmetic of one fragment; knows nothing of other fragments.

use thiserror::Error;

use super::limits::TooLong;
use crate::message::registry::HandshakeType;

/// Bytes of the handshake header before each fragment.
pub(crate) const HEADER_LEN: usize = 12;

/// The largest value of the header's 24-bit fields.
pub(crate) const MAX_LENGTH: u32 = 0x00ff_ffff;

/// A piece of a handshake message, borrowed from the record that carried it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fragment<'a> {
    /// What message this is a piece of.
    pub(crate) msg_type: HandshakeType,
    /// Bytes of the whole message, without header.
    pub(crate) length: u32,
    /// The message's place in its sender's handshake.
    pub(crate) message_seq: u16,
    /// Where in the message `payload` begins, in bytes.
    pub(crate) offset: u32,
    /// The bytes `offset..offset + payload.len()` of the message.
    pub(crate) payload: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Takes the first fragment off a record's payload and returns it with what follows.
    ///
    /// Each call consumes at least 12 bytes, so a loop over a record ends.
    ///
    /// # Errors
    /// [`FragmentFault::Truncated`] if the record ends inside the header or the fragment, and
    /// [`FragmentFault::BeyondMessage`] if the fragment would reach past the end of its message.
    pub(crate) fn split_first(record: &'a [u8]) -> Result<(Self, &'a [u8]), FragmentFault> {
        let (header, rest) = record.split_first_chunk::<HEADER_LEN>().ok_or(FragmentFault::Truncated)?;
        let [msg_type, l2, l1, l0, s1, s0, o2, o1, o0, f2, f1, f0] = *header;
        let fragment_length = u32::from_be_bytes([0, f2, f1, f0]);
        let (payload, rest) = usize::try_from(fragment_length)
            .ok()
            .and_then(|length| rest.split_at_checked(length))
            .ok_or(FragmentFault::Truncated)?;
        let fragment = Self {
            msg_type: HandshakeType(msg_type),
            length: u32::from_be_bytes([0, l2, l1, l0]),
            message_seq: u16::from_be_bytes([s1, s0]),
            offset: u32::from_be_bytes([0, o2, o1, o0]),
            payload,
        };
        fragment.end()?;
        Ok((fragment, rest))
    }

    /// The offset just past the last byte of this fragment.
    ///
    /// # Errors
    /// [`FragmentFault::BeyondMessage`] if that lies past the end of the message.
    pub(crate) fn end(&self) -> Result<u32, FragmentFault> {
        u32::try_from(self.payload.len())
            .ok()
            .and_then(|length| self.offset.checked_add(length))
            .filter(|end| *end <= self.length)
            .ok_or(FragmentFault::BeyondMessage)
    }

    /// Whether this is an unfragmented message.
    pub(crate) fn is_whole(&self) -> bool {
        self.offset == 0 && self.end() == Ok(self.length)
    }
}

/// The header of the fragment `offset..offset + fragment_length` of a message of `length` bytes. All three are
/// at most [`MAX_LENGTH`].
pub(crate) fn header(
    msg_type: HandshakeType,
    length: u32,
    message_seq: u16,
    offset: u32,
    fragment_length: u32,
) -> [u8; HEADER_LEN] {
    let [_, l2, l1, l0] = length.to_be_bytes();
    let [s1, s0] = message_seq.to_be_bytes();
    let [_, o2, o1, o0] = offset.to_be_bytes();
    let [_, f2, f1, f0] = fragment_length.to_be_bytes();
    [msg_type.0, l2, l1, l0, s1, s0, o2, o1, o0, f2, f1, f0]
}

/// Why a fragment was refused. None of these ends an association by itself: an attacker can write such
/// fragments before there are keys. In an authenticated record the caller may judge otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum FragmentFault {
    /// The record ends inside a handshake header or fragment.
    #[error("handshake fragment cut short")]
    Truncated,
    /// fragment_offset plus fragment_length exceeds length.
    #[error("handshake fragment reaches past the end of its message")]
    BeyondMessage,
    /// No bytes, of a message that has some: it says nothing, but would cost a place.
    #[error("empty fragment of a message that is not empty")]
    Empty,
    /// Another type or length than an earlier fragment of the same message.
    #[error("handshake fragment contradicts an earlier one")]
    Contradiction,
    /// The message is longer than the limit for its type.
    #[error("handshake message too long")]
    TooLong(HandshakeType, TooLong),
    /// The state does not expect a message of this type in this place.
    #[error("unexpected handshake message")]
    Unexpected {
        /// What may come.
        expected: &'static str,
        /// What came.
        received: HandshakeType,
    },
    /// There is no room for more parts of messages.
    #[error("too much of the handshake is buffered")]
    NoRoom,
    /// The message lies further ahead of the next expected one than the limit.
    #[error("handshake message too far ahead")]
    TooFarAhead,
    /// The message is held in too many separate pieces already.
    #[error("handshake message in too many pieces")]
    TooManyPieces,
    /// The message is not processed yet, and belongs to newer keys than those that carried the fragment.
    #[error("handshake fragment from an old epoch")]
    StaleEpoch,
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn encode(length: u32, offset: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = header(HandshakeType::CERTIFICATE, length, 7, offset, payload.len() as u32).to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn several_messages_in_one_record() {
        let mut record = encode(3, 0, b"abc");
        record.extend(encode(0, 0, b""));
        record.extend(encode(9, 4, b"de"));
        let (first, rest) = Fragment::split_first(&record).unwrap();
        assert_eq!((first.payload, first.is_whole(), first.message_seq), (&b"abc"[..], true, 7));
        let (second, rest) = Fragment::split_first(rest).unwrap();
        assert!(second.is_whole() && second.payload.is_empty());
        let (third, rest) = Fragment::split_first(rest).unwrap();
        assert_eq!((third.length, third.offset, third.payload), (9, 4, &b"de"[..]));
        assert!(!third.is_whole() && rest.is_empty());
    }

    #[test]
    fn the_header_is_laid_out_as_in_rfc_6347_4_2_2() {
        let bytes = header(HandshakeType::SERVER_HELLO, 0x01_0203, 0x0405, 0x06_0708, 0x09_0a0b);
        assert_eq!(bytes, [2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn threat_03_every_truncation_is_an_error() {
        let bytes = encode(20, 0, b"abcdef");
        for length in 0..bytes.len() {
            assert_eq!(Fragment::split_first(&bytes[..length]), Err(FragmentFault::Truncated), "{length}");
        }
    }

    proptest! {
        #[test]
        fn threat_02_no_fragment_reaches_past_its_message(
            length in 0..=MAX_LENGTH, offset in 0..=MAX_LENGTH, payload in 0usize..600,
        ) {
            let bytes = encode(length, offset, &[0; 600][..payload]);
            let fits = offset as usize + payload <= length as usize;
            match Fragment::split_first(&bytes) {
                Ok((fragment, rest)) => {
                    prop_assert!(fits && rest.is_empty());
                    prop_assert_eq!((fragment.length, fragment.offset), (length, offset));
                }
                Err(fault) => {
                    prop_assert!(!fits);
                    prop_assert_eq!(fault, FragmentFault::BeyondMessage);
                }
            }
        }

        #[test]
        fn threat_08_arbitrary_bytes_make_progress(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = &bytes[..];
            while let Ok((_, after)) = Fragment::split_first(rest) {
                prop_assert!(after.len() + HEADER_LEN <= rest.len());
                rest = after;
            }
        }
    }
}
