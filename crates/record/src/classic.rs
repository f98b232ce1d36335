//! Opening and sealing under classic headers: nonces (RFC 5288 section 3, RFC 7905 section 2) and additional data
//! (RFC 5246 section 6.2.3.3, RFC 6347 section 4.1.2.1, RFC 9146 section 5.3). Knows no windows and no counters.

use crate::aead::{AeadFailure, AeadKey, NONCE_LENGTH};
use crate::content::end_inner_plaintext;
use crate::header::{epoch_and_sequence, write_classic};
use crate::protection::xor_nonce;
use crate::{ContentType, Discard, RecordNumber};
use alloc::boxed::Box;
use core::fmt;
use zeroize::ZeroizeOnDrop;

/// How the nonce of a classic record is made. Wiped when dropped.
#[derive(ZeroizeOnDrop)]
pub enum ClassicNonce {
    /// A salt of 4 bytes, and 8 bytes that stand in front of the ciphertext (AES-GCM, RFC 5288 section 3; AES-CCM,
    /// RFC 6655 section 3).
    ///
    /// We send epoch and sequence number there, never anything random: uniqueness then needs no luck. The peer may
    /// send what it likes.
    Explicit {
        /// The "write IV" of the key block.
        salt: [u8; 4],
    },
    /// An IV of 12 bytes, XORed with epoch and sequence number (ChaCha20-Poly1305, RFC 7905 section 2).
    Implicit {
        /// The "write IV" of the key block.
        iv: [u8; NONCE_LENGTH],
    },
}

impl ClassicNonce {
    /// The bytes of a nonce that stand in the record.
    pub(crate) fn explicit_length(&self) -> usize {
        match self {
            Self::Explicit { .. } => 8,
            Self::Implicit { .. } => 0,
        }
    }

    /// The nonce of a record whose explicit part, if it has one, is `number`: epoch and sequence when we seal.
    #[inline]
    fn nonce(&self, number: u64) -> [u8; NONCE_LENGTH] {
        match self {
            Self::Explicit { salt } => {
                let [s0, s1, s2, s3] = *salt;
                let [n0, n1, n2, n3, n4, n5, n6, n7] = number.to_be_bytes();
                [s0, s1, s2, s3, n0, n1, n2, n3, n4, n5, n6, n7]
            }
            Self::Implicit { iv } => xor_nonce(iv, number),
        }
    }
}

impl fmt::Debug for ClassicNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Explicit { .. } => "Explicit",
            Self::Implicit { .. } => "Implicit",
        })
    }
}

/// The header's fields that are authenticated.
pub(crate) struct ClassicFraming<'a> {
    /// The outer type; tls12_cid if there is a connection id.
    pub(crate) content_type: ContentType,
    pub(crate) version: u16,
    pub(crate) number: RecordNumber,
    pub(crate) connection_id: &'a [u8],
}

/// What opens and seals classic records.
pub(crate) struct ClassicKeys {
    pub(crate) aead: Box<dyn AeadKey>,
    pub(crate) tag_length: usize,
    pub(crate) nonce: ClassicNonce,
}

impl ClassicKeys {
    /// Opens a record's body in place and returns its plaintext: the payload, or the inner plaintext if there is
    /// a connection id.
    ///
    /// Fails with [`Discard::TooShort`] or [`Discard::AuthenticationFailed`].
    #[inline]
    pub(crate) fn open<'d>(
        &self,
        framing: &ClassicFraming<'_>,
        body: &'d mut [u8],
    ) -> Result<&'d mut [u8], Discard> {
        let (number, rest) = match self.nonce {
            ClassicNonce::Explicit { .. } => {
                let (explicit, rest) = body.split_first_chunk_mut().ok_or(Discard::TooShort)?;
                (u64::from_be_bytes(*explicit), rest)
            }
            ClassicNonce::Implicit { .. } => (epoch_and_sequence(framing.number), body),
        };
        let length = rest.len().checked_sub(self.tag_length).ok_or(Discard::TooShort)?;
        let (ciphertext, tag) = rest.split_at_mut_checked(length).ok_or(Discard::TooShort)?;
        let nonce = self.nonce.nonce(number);
        framing
            .with_additional_data(length, |data| self.aead.open(&nonce, data, ciphertext, tag))
            .map_err(|AeadFailure| Discard::AuthenticationFailed)?;
        Ok(ciphertext)
    }

    /// Seals a record in place: `record` has room for header, explicit nonce, payload, `trailer` and tag. With a
    /// connection id the trailer is the `inner_type` and zeros (RFC 9146 section 4), else it is empty.
    #[inline]
    pub(crate) fn seal(
        &self,
        framing: &ClassicFraming<'_>,
        inner_type: ContentType,
        record: &mut [u8],
        trailer: usize,
    ) -> Result<(), AeadFailure> {
        let ClassicFraming { content_type, version, number, connection_id } = *framing;
        let body = write_classic(record, content_type, version, number, connection_id).ok_or(AeadFailure)?;
        let number = epoch_and_sequence(number);
        let rest = match self.nonce {
            ClassicNonce::Explicit { .. } => {
                let (explicit, rest) = body.split_first_chunk_mut().ok_or(AeadFailure)?;
                *explicit = number.to_be_bytes();
                rest
            }
            ClassicNonce::Implicit { .. } => body,
        };
        let length = rest.len().checked_sub(self.tag_length).ok_or(AeadFailure)?;
        let (text, tag) = rest.split_at_mut_checked(length).ok_or(AeadFailure)?;
        if !connection_id.is_empty() {
            end_inner_plaintext(text, inner_type, trailer).ok_or(AeadFailure)?;
        }
        let nonce = self.nonce.nonce(number);
        framing.with_additional_data(length, |data| self.aead.seal(&nonce, data, text, tag))
    }
}

/// The longest additional data: that of RFC 9146 with an id of 255 bytes.
const LONGEST: usize = 8 + 1 + 1 + 1 + 2 + 8 + 255 + 2;

impl ClassicFraming<'_> {
    /// Calls `with` with the additional data of a record of `length` bytes of plaintext. A call and not a return,
    /// since only records with a connection id need the larger buffer.
    #[inline]
    fn with_additional_data<R>(&self, length: usize, with: impl FnOnce(&[u8]) -> R) -> R {
        // The caller's length was part of a 16-bit length, or is below the limit on payloads.
        let [.., l0, l1] = length.to_be_bytes();
        let [n0, n1, n2, n3, n4, n5, n6, n7] = epoch_and_sequence(self.number).to_be_bytes();
        let [v0, v1] = self.version.to_be_bytes();
        let content_type = self.content_type.0;
        if self.connection_id.is_empty() {
            // RFC 5246 section 6.2.3.3: seq_num, type, version, length; RFC 6347 puts the epoch into seq_num.
            return with(&[n0, n1, n2, n3, n4, n5, n6, n7, content_type, v0, v1, l0, l1]);
        }
        // RFC 9146 section 5.3.
        let [.., id_length] = self.connection_id.len().to_be_bytes();
        let cid = ContentType::TLS12_CID.0;
        let fixed = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, cid, id_length, cid, v0, v1, n0, n1, n2, n3, n4,
            n5, n6, n7,
        ];
        let mut data = [0; LONGEST];
        let length = [l0, l1];
        let parts = fixed.iter().chain(self.connection_id).chain(&length);
        let used = data.iter_mut().zip(parts).map(|(target, &byte)| *target = byte).count();
        with(data.get(..used).unwrap_or(&data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The explicit nonce and the XORed one are functions of epoch and sequence number, and no two records of an
        /// epoch share one.
        #[test]
        fn threat_21_nonces_are_functions_of_the_record_number(
            epoch in any::<u16>(), a in 0..=RecordNumber::MAX_SEQUENCE, b in 0..=RecordNumber::MAX_SEQUENCE,
            salt in any::<[u8; 4]>(), iv in any::<[u8; 12]>(),
        ) {
            let epoch = u64::from(epoch);
            for rule in [ClassicNonce::Explicit { salt }, ClassicNonce::Implicit { iv }] {
                let nonce = |sequence| rule.nonce(epoch_and_sequence(RecordNumber { epoch, sequence }));
                prop_assert_eq!(nonce(a), nonce(a));
                prop_assert_eq!(nonce(a) == nonce(b), a == b);
            }
        }
    }

    #[test]
    fn additional_data_with_and_without_a_connection_id() {
        let number = RecordNumber { epoch: 1, sequence: 0x0203_0405_0607 };
        let mut framing = ClassicFraming {
            content_type: ContentType::APPLICATION_DATA,
            version: 0xfefd,
            number,
            connection_id: &[],
        };
        framing.with_additional_data(0x1234, |data| {
            assert_eq!(data, [0, 1, 2, 3, 4, 5, 6, 7, 23, 0xfe, 0xfd, 0x12, 0x34]);
        });
        framing.content_type = ContentType::TLS12_CID;
        framing.connection_id = b"\xaa\xbb\xcc";
        framing.with_additional_data(0x1234, |data| {
            let expected = b"\xff\xff\xff\xff\xff\xff\xff\xff\x19\x03\x19\xfe\xfd\0\x01\x02\x03\x04\x05\x06\x07\xaa\xbb\xcc\x12\x34";
            assert_eq!(data, expected);
        });
        let longest = [9; 255];
        framing.connection_id = &longest;
        framing.with_additional_data(1, |data| assert_eq!(data.len(), LONGEST));
    }
}
