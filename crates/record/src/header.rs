//! The two record headers: classic (RFC 6347 section 4.1, with connection id RFC 9146 section 4) and unified
//! (RFC 9147 section 4). Reads and writes them; knows no keys and no epochs.

use crate::{ContentType, Discard, RecordNumber};

/// The version on the wire of every classic record but the first ClientHello's: {254, 253}.
pub(crate) const CLASSIC_VERSION: u16 = 0xfefd;

/// The length of a classic header without connection id.
pub(crate) const CLASSIC_LENGTH: usize = 13;

/// Bits of a unified header's first byte, `001CSLEE`.
const UNIFIED_MASK: u8 = 0b1110_0000;
const UNIFIED: u8 = 0b0010_0000;
const CONNECTION_ID_BIT: u8 = 0x10;
const LONG_SEQUENCE_BIT: u8 = 0x08;
const LENGTH_BIT: u8 = 0x04;
const EPOCH_BITS: u8 = 0x03;

/// What a record's header says. None of it is authenticated before the record has been opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Header {
    /// The header of DTLS 1.2, and of plaintext in DTLS 1.3.
    #[non_exhaustive]
    Classic {
        /// The outer content type.
        content_type: ContentType,
        /// The version on the wire. RFC 9147 section 4: it must be ignored; it is additional data only.
        version: u16,
        /// The low 16 bits of the epoch.
        epoch: u16,
        /// The 48-bit sequence number.
        sequence: u64,
        /// The length of the connection id in bytes, 0 without.
        connection_id_length: u8,
    },
    /// The header of protected records in DTLS 1.3.
    #[non_exhaustive]
    Unified {
        /// The two low bits of the epoch.
        epoch_low_bits: u8,
        /// The length of the encrypted sequence number in bytes, 1 or 2.
        sequence_length: u8,
        /// Whether the header has a length; without one the record takes the rest of its datagram.
        length_present: bool,
        /// The length of the connection id in bytes, 0 without.
        connection_id_length: u8,
    },
}

impl Header {
    /// The length of the connection id in bytes, 0 without.
    #[inline]
    pub fn connection_id_length(&self) -> usize {
        match self {
            Self::Classic { connection_id_length, .. } | Self::Unified { connection_id_length, .. } => {
                usize::from(*connection_id_length)
            }
        }
    }

    /// The bytes before the connection id.
    #[inline]
    pub(crate) fn connection_id_offset(&self) -> usize {
        match self {
            Self::Classic { .. } => CLASSIC_LENGTH - 2,
            Self::Unified { .. } => 1,
        }
    }
}

/// Reads the header at the start of `bytes`. Returns it with its own length and its record's body length,
/// which lies within `bytes`.
///
/// Fails with the reason why no record can be cut here.
#[inline]
pub(crate) fn read(bytes: &[u8], own_connection_id_length: usize) -> Result<(Header, usize, usize), Discard> {
    let first = *bytes.first().ok_or(Discard::Truncated)?;
    match first {
        20..=27 => read_classic(bytes, own_connection_id_length),
        _ if first & UNIFIED_MASK == UNIFIED => read_unified(bytes, own_connection_id_length),
        _ => Err(Discard::UnknownRecordType),
    }
}

#[inline]
fn read_classic(bytes: &[u8], own_connection_id_length: usize) -> Result<(Header, usize, usize), Discard> {
    let (fixed, rest) = bytes.split_first_chunk::<11>().ok_or(Discard::Truncated)?;
    let &[content_type, v0, v1, e0, e1, s0, s1, s2, s3, s4, s5] = fixed;
    let content_type = ContentType(content_type);
    let connection_id_length = match content_type {
        ContentType::TLS12_CID => usable_length(own_connection_id_length)?,
        _ => 0,
    };
    let rest = skip(rest, usize::from(connection_id_length))?;
    let (_, body_length) = read_length(rest)?;
    let header = Header::Classic {
        content_type,
        version: u16::from_be_bytes([v0, v1]),
        epoch: u16::from_be_bytes([e0, e1]),
        sequence: u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]),
        connection_id_length,
    };
    Ok((header, CLASSIC_LENGTH.saturating_add(connection_id_length.into()), body_length))
}

fn read_unified(bytes: &[u8], own_connection_id_length: usize) -> Result<(Header, usize, usize), Discard> {
    let (&first, rest) = bytes.split_first().ok_or(Discard::Truncated)?;
    let connection_id_length = match first & CONNECTION_ID_BIT {
        0 => 0,
        _ => usable_length(own_connection_id_length)?,
    };
    let sequence_length = if first & LONG_SEQUENCE_BIT == 0 { 1 } else { 2 };
    let length_present = first & LENGTH_BIT != 0;
    let rest = skip(rest, usize::from(connection_id_length))?;
    let rest = skip(rest, usize::from(sequence_length))?;
    // "The record consumes the entire rest of the datagram" without a length.
    let (body, body_length) = if length_present { read_length(rest)? } else { (rest, rest.len()) };
    let header = Header::Unified {
        epoch_low_bits: first & EPOCH_BITS,
        sequence_length,
        length_present,
        connection_id_length,
    };
    Ok((header, bytes.len().saturating_sub(body.len()), body_length))
}

/// A connection id ends where the receiver knows it to end (RFC 9146 section 4): without one given to the peer,
/// nothing behind it can be cut.
fn usable_length(own_connection_id_length: usize) -> Result<u8, Discard> {
    match u8::try_from(own_connection_id_length) {
        Ok(0) | Err(_) => Err(Discard::UnexpectedConnectionId),
        Ok(length) => Ok(length),
    }
}

#[inline]
fn skip(bytes: &[u8], length: usize) -> Result<&[u8], Discard> {
    bytes.get(length..).ok_or(Discard::Truncated)
}

/// Reads a length and checks that so many bytes follow.
#[inline]
fn read_length(bytes: &[u8]) -> Result<(&[u8], usize), Discard> {
    let (length, rest) = bytes.split_first_chunk::<2>().ok_or(Discard::Truncated)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length > rest.len() {
        return Err(Discard::Truncated);
    }
    Ok((rest, length))
}

/// Which of a unified header's optional parts are sent.
///
/// Every form is accepted from the peer at any time (RFC 9147 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnifiedForm {
    /// 16 bits of the sequence number instead of 8.
    pub long_sequence: bool,
    /// A length. Without it the record must be the last of its datagram.
    pub length: bool,
}

impl UnifiedForm {
    /// 16-bit sequence number and length: right in every place of a datagram.
    pub const FULL: Self = Self { long_sequence: true, length: true };
    /// 8-bit sequence number, no length: two bytes of header, three less than [`FULL`](Self::FULL). The record
    /// must be the last of its datagram, and the peer loses it if more than 127 numbers overtake it.
    pub const COMPACT: Self = Self { long_sequence: false, length: false };

    /// The length of the header without connection id, in bytes.
    pub(crate) const fn header_length(self) -> usize {
        let sequence = if self.long_sequence { 2 } else { 1 };
        let length = if self.length { 2 } else { 0 };
        1 + sequence + length
    }
}

impl Default for UnifiedForm {
    fn default() -> Self {
        Self::FULL
    }
}

/// Writes a classic header over the front of `record` and returns the body behind it. `None` if the header does not
/// fit, or its length field is too small for the body.
#[inline]
pub(crate) fn write_classic<'r>(
    record: &'r mut [u8],
    content_type: ContentType,
    version: u16,
    number: RecordNumber,
    connection_id: &[u8],
) -> Option<&'r mut [u8]> {
    let [v0, v1] = version.to_be_bytes();
    let [n0, n1, n2, n3, n4, n5, n6, n7] = epoch_and_sequence(number).to_be_bytes();
    let (fixed, mut rest) = record.split_first_chunk_mut()?;
    *fixed = [content_type.0, v0, v1, n0, n1, n2, n3, n4, n5, n6, n7];
    if !connection_id.is_empty() {
        let (target, behind) = rest.split_at_mut_checked(connection_id.len())?;
        target.copy_from_slice(connection_id);
        rest = behind;
    }
    let (length, body) = rest.split_first_chunk_mut()?;
    *length = u16::try_from(body.len()).ok()?.to_be_bytes();
    Some(body)
}

/// Writes a unified header, its number not yet masked, over `out`, which is exactly as long as the header.
pub(crate) fn write_unified(
    out: &mut [u8],
    form: UnifiedForm,
    number: RecordNumber,
    connection_id: &[u8],
    body_length: u16,
) {
    let [.., epoch] = number.epoch.to_be_bytes();
    let [.., high, low] = number.sequence.to_be_bytes();
    let mut first = UNIFIED | (epoch & EPOCH_BITS);
    if !connection_id.is_empty() {
        first |= CONNECTION_ID_BIT;
    }
    if form.long_sequence {
        first |= LONG_SEQUENCE_BIT;
    }
    if form.length {
        first |= LENGTH_BIT;
    }
    let mut out = Cursor(out);
    out.put(&[first]);
    out.put(connection_id);
    if form.long_sequence {
        out.put(&[high, low]);
    } else {
        out.put(&[low]);
    }
    if form.length {
        out.put(&body_length.to_be_bytes());
    }
}

/// The 16-bit epoch and the 48-bit sequence number of a classic record as one number, big-endian on the wire. It is also the sequence
/// number of the AEAD in DTLS 1.2 (RFC 6347 section 4.1.2.1).
#[inline]
pub(crate) fn epoch_and_sequence(number: RecordNumber) -> u64 {
    (number.epoch << 48) | (number.sequence & RecordNumber::MAX_SEQUENCE)
}

/// Writes from the front of a slice that was measured before.
struct Cursor<'a>(&'a mut [u8]);

impl Cursor<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let (target, rest) = core::mem::take(&mut self.0)
            .split_at_mut_checked(bytes.len())
            .expect("the header's length was computed from the same parts");
        target.copy_from_slice(bytes);
        self.0 = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn classic_header_survives_the_round_trip(
            content_type in 20_u8..=27, version in any::<u16>(), epoch in any::<u16>(),
            sequence in 0..=RecordNumber::MAX_SEQUENCE, body in 0_u16..300, extra in 0_usize..40,
            id in proptest::collection::vec(any::<u8>(), 1..=255),
        ) {
            let content_type = ContentType(content_type);
            let id: &[u8] = if content_type == ContentType::TLS12_CID { &id } else { &[] };
            let number = RecordNumber { epoch: u64::from(epoch), sequence };
            let length = CLASSIC_LENGTH + id.len();
            let mut bytes = vec![0; length + usize::from(body) + extra];
            let record = &mut bytes[..length + usize::from(body)];
            let written = write_classic(record, content_type, version, number, id).unwrap();
            prop_assert_eq!(written.len(), usize::from(body));
            let (header, header_length, body_length) = read(&bytes, id.len()).unwrap();
            prop_assert_eq!((header_length, body_length), (length, usize::from(body)));
            let offset = header.connection_id_offset();
            prop_assert_eq!(&bytes[offset..offset + header.connection_id_length()], id);
            let connection_id_length = u8::try_from(id.len()).unwrap();
            let expected = Header::Classic { content_type, version, epoch, sequence, connection_id_length };
            prop_assert_eq!(header, expected);
        }

        #[test]
        fn unified_header_survives_the_round_trip(
            epoch in any::<u64>(), sequence in any::<u64>(), long_sequence in any::<bool>(),
            length in any::<bool>(), body in 0_u16..300, extra in 0_usize..40,
            id in proptest::collection::vec(any::<u8>(), 0..=255),
        ) {
            let form = UnifiedForm { long_sequence, length };
            let extra = if length { extra } else { 0 };
            let header_end = form.header_length() + id.len();
            let mut bytes = vec![0; header_end + usize::from(body) + extra];
            let number = RecordNumber { epoch, sequence };
            write_unified(&mut bytes[..header_end], form, number, &id, body);
            let (header, header_length, body_length) = read(&bytes, id.len()).unwrap();
            prop_assert_eq!((header_length, body_length), (header_end, usize::from(body)));
            let offset = header.connection_id_offset();
            prop_assert_eq!(&bytes[offset..offset + id.len()], &id[..]);
            let expected = Header::Unified {
                epoch_low_bits: (epoch & 3) as u8,
                sequence_length: if long_sequence { 2 } else { 1 },
                length_present: length,
                connection_id_length: u8::try_from(id.len()).unwrap(),
            };
            prop_assert_eq!(header, expected);
        }

        #[test]
        fn any_bytes_are_cut_within_their_bounds(
            bytes in proptest::collection::vec(any::<u8>(), 0..64), own in 0_usize..300,
        ) {
            if let Ok((_, header, body)) = read(&bytes, own) {
                prop_assert!(header > 0);
                prop_assert!(header + body <= bytes.len());
            }
        }
    }

    #[test]
    fn every_shortened_header_is_truncated() {
        let number = RecordNumber { epoch: 1, sequence: 2 };
        let mut classic = [0; CLASSIC_LENGTH + 5];
        write_classic(&mut classic, ContentType::ALERT, CLASSIC_VERSION, number, &[]).unwrap();
        let mut unified = [0; 5 + 3 + 20];
        write_unified(&mut unified[..8], UnifiedForm::FULL, number, &[1, 2, 3], 20);
        for whole in [&classic[..], &unified[..]] {
            assert!(read(whole, 3).is_ok());
            for end in 0..whole.len() {
                assert_eq!(read(&whole[..end], 3), Err(Discard::Truncated), "{end}");
            }
        }
    }

    #[test]
    fn the_first_byte_decides() {
        let readable: Vec<u8> =
            (0..=255).filter(|&first| read(&[&[first][..], &[0; 40]].concat(), 1).is_ok()).collect();
        let expected: Vec<u8> = (20..=27).chain(32..64).collect();
        assert_eq!(readable, expected);
    }

    #[test]
    fn a_connection_id_that_was_never_given_cannot_be_cut() {
        for first in [25, 0b0011_0000, 0b0011_1100] {
            let bytes = [&[first][..], &[0; 40]].concat();
            assert_eq!(read(&bytes, 0), Err(Discard::UnexpectedConnectionId));
            assert_eq!(read(&bytes, 256), Err(Discard::UnexpectedConnectionId));
        }
    }
}
