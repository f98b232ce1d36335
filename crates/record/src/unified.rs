//! Opening and sealing under unified headers (RFC 9147 section 4): record number encryption, nonces, and the header as
//! additional data. Knows no windows and no counters.

use crate::aead::{AeadFailure, AeadKey, NONCE_LENGTH};
use crate::content::end_inner_plaintext;
use crate::header::{UnifiedForm, write_unified};
use crate::mask::{MaskKey, SAMPLE_LENGTH};
use crate::number::reconstruct;
use crate::protection::xor_nonce;
use crate::{ContentType, Discard, RecordNumber};
use alloc::boxed::Box;
use zeroize::Zeroizing;

/// What opens and seals records with unified headers.
pub(crate) struct UnifiedKeys {
    pub(crate) aead: Box<dyn AeadKey>,
    pub(crate) tag_length: usize,
    pub(crate) iv: Zeroizing<[u8; NONCE_LENGTH]>,
    pub(crate) mask: Box<dyn MaskKey>,
}

/// A header as it arrived, its sequence number masked.
pub(crate) struct MaskedHeader<'a> {
    pub(crate) bytes: &'a [u8],
    /// Where the sequence number starts.
    pub(crate) sequence_at: usize,
    /// The length of the sequence number in bytes, 1 or 2.
    pub(crate) sequence_length: u8,
    /// One plus the largest number opened in the epoch.
    pub(crate) expected: u64,
}

/// What a header says when we write it, and the type that the record hides.
pub(crate) struct UnifiedFraming<'a> {
    pub(crate) form: UnifiedForm,
    pub(crate) number: RecordNumber,
    pub(crate) connection_id: &'a [u8],
    pub(crate) content_type: ContentType,
}

/// The longest unified header: with an id of 255 bytes.
const LONGEST_HEADER: usize = 1 + 255 + 2 + 2;
/// The longest unified header without connection id.
const LONGEST_PLAIN_HEADER: usize = 1 + 2 + 2;

impl UnifiedKeys {
    /// Opens a record's body in place. Returns its sequence number and its inner plaintext.
    ///
    /// Fails with [`Discard::TooShort`] or [`Discard::AuthenticationFailed`].
    pub(crate) fn open<'d>(
        &self,
        header: &MaskedHeader<'_>,
        body: &'d mut [u8],
    ) -> Result<(u64, &'d mut [u8]), Discard> {
        if header.bytes.len() <= LONGEST_PLAIN_HEADER {
            self.open_with(&mut [0; LONGEST_PLAIN_HEADER], header, body)
        } else {
            self.open_with(&mut [0; LONGEST_HEADER], header, body)
        }
    }

    /// `copy` becomes the header with its number in the clear: the additional data (RFC 9147 section 4: "prior to
    /// record number encryption").
    fn open_with<'d>(
        &self,
        copy: &mut [u8],
        header: &MaskedHeader<'_>,
        body: &'d mut [u8],
    ) -> Result<(u64, &'d mut [u8]), Discard> {
        // RFC 9147 section 4.2.3: a shorter record has no mask and is rejected.
        let sample = body.first_chunk::<SAMPLE_LENGTH>().ok_or(Discard::TooShort)?;
        let mask = self.mask.mask(sample);
        let length = body.len().checked_sub(self.tag_length).ok_or(Discard::TooShort)?;
        let (ciphertext, tag) = body.split_at_mut_checked(length).ok_or(Discard::TooShort)?;

        let additional_data = copy.get_mut(..header.bytes.len()).ok_or(Discard::Truncated)?;
        additional_data.copy_from_slice(header.bytes);
        let length = usize::from(header.sequence_length);
        let mut low = 0_u16;
        for (byte, mask) in additional_data.iter_mut().skip(header.sequence_at).take(length).zip(mask) {
            *byte ^= mask;
            low = (low << 8) | u16::from(*byte);
        }
        let bits = u32::from(header.sequence_length).saturating_mul(8);
        let sequence = reconstruct(low, bits, header.expected);

        let nonce = xor_nonce(&self.iv, sequence);
        self.aead
            .open(&nonce, additional_data, ciphertext, tag)
            .map_err(|AeadFailure| Discard::AuthenticationFailed)?;
        Ok((sequence, ciphertext))
    }

    /// Seals a record in place: `record` has room for header, payload, `trailer` and tag.
    pub(crate) fn seal(
        &self,
        framing: &UnifiedFraming<'_>,
        record: &mut [u8],
        trailer: usize,
    ) -> Result<(), AeadFailure> {
        let UnifiedFraming { form, number, connection_id, content_type } = *framing;
        let header_length = form.header_length().saturating_add(connection_id.len());
        let (header, body) = record.split_at_mut_checked(header_length).ok_or(AeadFailure)?;
        let body_length = u16::try_from(body.len()).map_err(|_| AeadFailure)?;
        write_unified(header, form, number, connection_id, body_length);

        let length = body.len().checked_sub(self.tag_length).ok_or(AeadFailure)?;
        let (text, tag) = body.split_at_mut_checked(length).ok_or(AeadFailure)?;
        end_inner_plaintext(text, content_type, trailer).ok_or(AeadFailure)?;
        let nonce = xor_nonce(&self.iv, number.sequence);
        self.aead.seal(&nonce, header, text, tag)?;

        let sample = body.first_chunk::<SAMPLE_LENGTH>().ok_or(AeadFailure)?;
        let mask = self.mask.mask(sample);
        let sequence_at = connection_id.len().saturating_add(1);
        let sequence_length = if form.long_sequence { 2 } else { 1 };
        for (byte, mask) in header.iter_mut().skip(sequence_at).take(sequence_length).zip(mask) {
            *byte ^= mask;
        }
        Ok(())
    }
}
