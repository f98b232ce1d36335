//! One epoch of our own records: its keys, the next number, how much its key has done. Owns the promise that no record
//! number is used twice; the shapes of records are elsewhere.

use crate::classic::ClassicFraming;
use crate::content::MAX_PAYLOAD;
use crate::header::{CLASSIC_VERSION, UnifiedForm, write_classic};
use crate::number::MAX_EPOCH;
use crate::protection::{ConfidentialityLimit, Keys, Layout, Overhead, Protection};
use crate::unified::UnifiedFraming;
use crate::{AeadFailure, ContentType, RecordNumber};
use alloc::boxed::Box;
use core::fmt;
use core::ops::Range;

/// Where a sealed record lies, and its number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// The record's bytes in the buffer.
    pub range: Range<usize>,
    /// Its number.
    pub number: RecordNumber,
}

/// Why nothing was sealed. The buffer is as it was, except after [`SealError::Aead`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// The payload's range does not lie in the buffer.
    #[error("the payload does not lie in the buffer")]
    PayloadOutsideBuffer,
    /// Fewer than [`Overhead::prefix`] bytes before the payload.
    #[error("too few bytes before the payload")]
    PrefixTooSmall,
    /// Fewer than [`Overhead::suffix`] bytes after the payload.
    #[error("too few bytes after the payload")]
    SuffixTooSmall,
    /// More than 2^14 bytes of payload; one less under classic headers with connection id (RFC 9146 section 5).
    #[error("the payload is longer than a record may be")]
    PayloadTooLarge,
    /// All sequence numbers of the epoch are used. They never wrap (RFC 9147 section 4.2.1).
    #[error("the sequence numbers of this epoch are used up")]
    SequenceExhausted,
    /// The epoch is above what its header carries, or above [`MAX_EPOCH`].
    #[error("the epochs are used up")]
    EpochExhausted,
    /// The key has sealed as much as it may.
    #[error("the key has sealed as much as it may")]
    KeyLimit,
    /// The AEAD refused. The number counts as used.
    #[error("authenticated encryption failed")]
    Aead,
}

impl From<AeadFailure> for SealError {
    fn from(AeadFailure: AeadFailure) -> Self {
        Self::Aead
    }
}

/// The sequence number has been passed already. Numbers only go forward, since a number used twice gives away what
/// it protects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the sequence number has been passed already")]
pub struct SequencePassed;

/// The connection id has more than the 255 bytes that RFC 9146 section 3 allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the connection id is longer than 255 bytes")]
pub struct ConnectionIdTooLong;

/// Everything that one epoch of our own records needs.
///
/// ```
/// use drystone_record::{ContentType, Protection, WriteEpoch};
///
/// let mut epoch = WriteEpoch::new(0, Protection::plaintext());
/// let start = epoch.overhead().prefix;
/// let mut buffer = [0; 32];
/// buffer[start..start + 2].copy_from_slice(&[1, 0]);
/// let sealed = epoch.seal(ContentType::ALERT, &mut buffer, start..start + 2)?;
/// assert_eq!(&buffer[sealed.range], b"\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\x02\x01\0");
/// # Ok::<(), drystone_record::SealError>(())
/// ```
pub struct WriteEpoch {
    epoch: u64,
    keys: Keys,
    next_sequence: u64,
    limit: ConfidentialityLimit,
    /// The sum of the costs of all records, in the unit of `limit`.
    used: u64,
    connection_id: Box<[u8]>,
    version: u16,
    form: UnifiedForm,
}

impl WriteEpoch {
    /// An epoch in which nothing has been sealed yet.
    pub fn new(epoch: u64, protection: Protection) -> Self {
        let Protection { keys, limits } = protection;
        Self {
            epoch,
            keys,
            next_sequence: 0,
            limit: limits.confidentiality,
            used: 0,
            connection_id: Box::default(),
            version: CLASSIC_VERSION,
            form: UnifiedForm::default(),
        }
    }

    /// The epoch's number.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The bytes that every payload needs around it, whatever its length.
    ///
    /// Sealing uses less after the payload only if the AEAD's tag is shorter than 16 bytes and the payload is not
    /// among the shortest: see [`overhead_of`](Self::overhead_of).
    pub fn overhead(&self) -> Overhead {
        self.overhead_of(0)
    }

    /// The bytes that a payload of so many bytes gets around it, exactly.
    pub fn overhead_of(&self, payload_length: usize) -> Overhead {
        self.layout(payload_length).overhead()
    }

    /// The number that the next record gets. Its sequence is above [`RecordNumber::MAX_SEQUENCE`] when there is none
    /// left.
    pub fn next_number(&self) -> RecordNumber {
        RecordNumber { epoch: self.epoch, sequence: self.next_sequence }
    }

    /// Goes on with a later number: a server's first record repeats the number of the hello that it answers (RFC 6347
    /// section 4.2.1), and an association that is restored leaves a gap.
    ///
    /// # Errors
    /// [`SequencePassed`] if the number lies before [`next_number`](Self::next_number); nothing changes then.
    pub fn set_next_sequence(&mut self, sequence: u64) -> Result<(), SequencePassed> {
        if sequence < self.next_sequence {
            return Err(SequencePassed);
        }
        self.next_sequence = sequence;
        Ok(())
    }

    /// Sets the version in the headers of plaintext records, 0xfefd at first. The first ClientHello's is 0xfeff
    /// (RFC 9147 section 4, RFC 6347 section 4.2.1). Protected records keep theirs.
    pub fn set_header_version(&mut self, version: u16) {
        if matches!(self.keys, Keys::Plaintext) {
            self.version = version;
        }
    }

    /// Sets which optional parts unified headers have. It can change from record to record.
    pub fn set_unified_form(&mut self, form: UnifiedForm) {
        self.form = form;
    }

    /// Sets the connection id that the peer asked for, empty for none. Plaintext records never carry it.
    ///
    /// # Errors
    /// [`ConnectionIdTooLong`] if it has more than 255 bytes; nothing changes then.
    pub fn set_connection_id(&mut self, connection_id: &[u8]) -> Result<(), ConnectionIdTooLong> {
        if connection_id.len() > usize::from(u8::MAX) {
            return Err(ConnectionIdTooLong);
        }
        self.connection_id = connection_id.into();
        Ok(())
    }

    /// Whether seven eighths of what this key may seal are used, or of the sequence numbers: time for new keys.
    pub fn nears_limit(&self) -> bool {
        let seven_eighths = |whole: u64| whole.saturating_sub(whole / 8);
        self.used >= seven_eighths(self.limit.budget())
            || self.next_sequence >= seven_eighths(RecordNumber::MAX_SEQUENCE)
    }

    /// Whether after a payload of so many bytes this key could still seal an alert: else the peer could not be told
    /// that the key is used up.
    pub fn leaves_room_for_alert(&self, payload_length: usize) -> bool {
        const ALERT_LENGTH: usize = 2;
        let cost = |length: usize| self.limit.cost(length.saturating_add(self.layout(length).trailer));
        let used = self.used.saturating_add(cost(payload_length)).saturating_add(cost(ALERT_LENGTH));
        used <= self.limit.budget() && self.next_sequence < RecordNumber::MAX_SEQUENCE
    }

    /// Seals the payload at `payload` in `buffer`, in place: the header goes directly before it, the tag after.
    ///
    /// # Errors
    /// See [`SealError`]. No number is used up, except by [`SealError::Aead`].
    pub fn seal(
        &mut self,
        content_type: ContentType,
        buffer: &mut [u8],
        payload: Range<usize>,
    ) -> Result<Sealed, SealError> {
        let length = buffer.get(payload.clone()).ok_or(SealError::PayloadOutsideBuffer)?.len();
        let layout = self.layout(length);
        if length > self.longest_payload() {
            return Err(SealError::PayloadTooLarge);
        }
        let used = self.admit(length.saturating_add(layout.trailer))?;
        let Overhead { prefix, suffix } = layout.overhead();
        let start = payload.start.checked_sub(prefix).ok_or(SealError::PrefixTooSmall)?;
        let range = start..payload.end.saturating_add(suffix);
        let record = buffer.get_mut(range.clone()).ok_or(SealError::SuffixTooSmall)?;

        let number = self.next_number();
        // Before sealing: whatever happens, this number is never tried again.
        self.next_sequence = self.next_sequence.saturating_add(1);
        self.used = used;
        self.write(number, content_type, record, layout)?;
        Ok(Sealed { range, number })
    }

    /// What the key will have done after one more record with so many bytes of plaintext.
    fn admit(&self, plaintext: usize) -> Result<u64, SealError> {
        let largest_epoch = match self.keys {
            Keys::Plaintext | Keys::Classic(_) => u64::from(u16::MAX),
            Keys::Unified(_) => MAX_EPOCH,
        };
        if self.epoch > largest_epoch {
            return Err(SealError::EpochExhausted);
        }
        if self.next_sequence > RecordNumber::MAX_SEQUENCE {
            return Err(SealError::SequenceExhausted);
        }
        let used = self.used.saturating_add(self.limit.cost(plaintext));
        if used > self.limit.budget() {
            return Err(SealError::KeyLimit);
        }
        Ok(used)
    }

    fn write(
        &self,
        number: RecordNumber,
        content_type: ContentType,
        record: &mut [u8],
        layout: Layout,
    ) -> Result<(), AeadFailure> {
        let connection_id = &*self.connection_id;
        match &self.keys {
            Keys::Plaintext => {
                let (header, body) = record.split_at_mut_checked(layout.header).ok_or(AeadFailure)?;
                let length = u16::try_from(body.len()).map_err(|_| AeadFailure)?;
                write_classic(header, content_type, self.version, number, &[], length);
                Ok(())
            }
            Keys::Classic(keys) => {
                let outer = if connection_id.is_empty() { content_type } else { ContentType::TLS12_CID };
                let framing =
                    ClassicFraming { content_type: outer, version: self.version, number, connection_id };
                keys.seal(&framing, content_type, record, layout)
            }
            Keys::Unified(keys) => {
                let form = self.form;
                let framing = UnifiedFraming { form, number, connection_id, content_type };
                keys.seal(&framing, record, layout)
            }
        }
    }

    fn layout(&self, payload_length: usize) -> Layout {
        self.keys.layout(payload_length, self.connection_id.len(), self.form)
    }

    fn longest_payload(&self) -> usize {
        match self.keys {
            // RFC 9146 section 5: here the limit includes the inner content type.
            Keys::Classic(_) if !self.connection_id.is_empty() => MAX_PAYLOAD - 1,
            _ => MAX_PAYLOAD,
        }
    }
}

impl fmt::Debug for WriteEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteEpoch")
            .field("epoch", &self.epoch)
            .field("shape", &self.keys.shape())
            .field("next_sequence", &self.next_sequence)
            .field("used", &self.used)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
