//! One epoch of our own records: its keys, the next number, how much its key has done. Owns the promise that no record
//! number is used twice; the shapes of records are elsewhere.

use crate::classic::ClassicFraming;
use crate::header::{CLASSIC_VERSION, UnifiedForm, write_classic};
use crate::mask::SAMPLE_LENGTH;
use crate::padding::Padding;
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
    /// The epoch is above what its header carries, or above [`MAX_EPOCH`](crate::MAX_EPOCH).
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
    padding: Padding,
    is_beyond_last_epoch: bool,
    keeps_room_for_alert: bool,
    /// What `keys`, `connection_id` and `form` ask for.
    layout: Layout,
}

/// The plaintext of an alert in bytes, at most: two bytes, the content type, and zeros up to the mask's sample.
const LONGEST_ALERT: usize = SAMPLE_LENGTH;

impl WriteEpoch {
    /// An epoch in which nothing has been sealed yet.
    pub fn new(epoch: u64, protection: Protection) -> Self {
        let Protection { keys, limits } = protection;
        let form = UnifiedForm::default();
        Self {
            epoch,
            next_sequence: 0,
            limit: limits.confidentiality,
            used: 0,
            connection_id: Box::default(),
            version: CLASSIC_VERSION,
            form,
            padding: Padding::NONE,
            is_beyond_last_epoch: epoch > keys.last_epoch(),
            keeps_room_for_alert: false,
            layout: keys.layout(0, form),
            keys,
        }
    }

    /// The epoch's number.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The bytes that every payload needs around it, whatever its length, as long as nothing is padded by
    /// [`set_padding`](Self::set_padding).
    ///
    /// Sealing uses less after the payload only if the AEAD's tag is shorter than 16 bytes and the payload is not
    /// among the shortest: see [`overhead_of`](Self::overhead_of).
    pub fn overhead(&self) -> Overhead {
        self.overhead_with(self.layout.trailer(0))
    }

    /// The bytes that application data of so many bytes gets around it, exactly, padding included.
    pub fn overhead_of(&self, payload_length: usize) -> Overhead {
        self.overhead_with(self.trailer(payload_length))
    }

    fn overhead_with(&self, trailer: usize) -> Overhead {
        Overhead { prefix: self.layout.prefix(), suffix: trailer.saturating_add(self.layout.tag()) }
    }

    /// The number that the next record gets. Its sequence is above [`RecordNumber::MAX_SEQUENCE`] when there is none
    /// left.
    #[inline]
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
        self.update_layout();
    }

    /// Sets how far application data is padded, at first not at all. It can change from record to record.
    ///
    /// Data is padded as the rule says, or refused with [`SealError::SuffixTooSmall`] where the buffer ends too early:
    /// less padding than was asked for would give away what it should hide. Everything else is not padded: see
    /// [`Padding`].
    pub fn set_padding(&mut self, padding: Padding) {
        self.padding = padding;
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
        self.update_layout();
        Ok(())
    }

    /// Whether seven eighths of what this key may seal are used, or of the sequence numbers: time for new keys.
    #[inline]
    pub fn nears_limit(&self) -> bool {
        let seven_eighths = |whole: u64| whole.saturating_sub(whole / 8);
        self.used >= seven_eighths(self.limit.budget())
            || self.next_sequence >= seven_eighths(RecordNumber::MAX_SEQUENCE)
    }

    /// From now on keeps the last of what this key may seal for an alert: else the peer could not be told that the key
    /// is used up. Everything else is refused before that.
    pub fn keep_room_for_alert(&mut self) {
        self.keeps_room_for_alert = true;
    }

    /// Seals the payload at `payload` in `buffer`, in place: the header goes directly before it, the tag after.
    ///
    /// # Errors
    /// See [`SealError`]. No number is used up, except by [`SealError::Aead`].
    #[inline]
    pub fn seal(
        &mut self,
        content_type: ContentType,
        buffer: &mut [u8],
        payload: Range<usize>,
    ) -> Result<Sealed, SealError> {
        if !self.padding.is_none() {
            return self.seal_padded(content_type, buffer, payload);
        }
        self.seal_with(content_type, buffer, payload, None)
    }

    /// Apart from the rest, so that padding costs nothing where there is none.
    #[cold]
    fn seal_padded(
        &mut self,
        content_type: ContentType,
        buffer: &mut [u8],
        payload: Range<usize>,
    ) -> Result<Sealed, SealError> {
        let is_data = content_type == ContentType::APPLICATION_DATA;
        let trailer = is_data.then(|| self.trailer(payload.len()));
        self.seal_with(content_type, buffer, payload, trailer)
    }

    /// Seals with this trailer, or with the least.
    #[inline]
    fn seal_with(
        &mut self,
        content_type: ContentType,
        buffer: &mut [u8],
        payload: Range<usize>,
        trailer: Option<usize>,
    ) -> Result<Sealed, SealError> {
        let length = buffer.get(payload.clone()).ok_or(SealError::PayloadOutsideBuffer)?.len();
        if length > self.layout.longest_payload() {
            return Err(SealError::PayloadTooLarge);
        }
        let trailer = trailer.unwrap_or_else(|| self.layout.trailer(length));
        let used = self.admit(content_type, length.saturating_add(trailer))?;
        let start = payload.start.checked_sub(self.layout.prefix()).ok_or(SealError::PrefixTooSmall)?;
        let range = start..payload.end.saturating_add(trailer).saturating_add(self.layout.tag());
        let record = buffer.get_mut(range.clone()).ok_or(SealError::SuffixTooSmall)?;

        let number = self.next_number();
        // Before sealing: whatever happens, this number is never tried again.
        self.next_sequence = self.next_sequence.saturating_add(1);
        self.used = used;
        self.write(number, content_type, record, trailer)?;
        Ok(Sealed { range, number })
    }

    /// What the key will have done after one more record with so many bytes of plaintext.
    #[inline]
    fn admit(&self, content_type: ContentType, plaintext: usize) -> Result<u64, SealError> {
        if self.is_beyond_last_epoch {
            return Err(SealError::EpochExhausted);
        }
        let (last_sequence, kept) = if self.keeps_room_for_alert && content_type != ContentType::ALERT {
            (RecordNumber::MAX_SEQUENCE - 1, self.limit.cost(LONGEST_ALERT))
        } else {
            (RecordNumber::MAX_SEQUENCE, 0)
        };
        if self.next_sequence > last_sequence {
            return Err(SealError::SequenceExhausted);
        }
        let used = self.used.saturating_add(self.limit.cost(plaintext));
        if used.saturating_add(kept) > self.limit.budget() {
            return Err(SealError::KeyLimit);
        }
        Ok(used)
    }

    fn write(
        &self,
        number: RecordNumber,
        content_type: ContentType,
        record: &mut [u8],
        trailer: usize,
    ) -> Result<(), AeadFailure> {
        let Self { version, form, ref connection_id, .. } = *self;
        match &self.keys {
            Keys::Plaintext => {
                write_classic(record, content_type, version, number, &[]).map(|_| ()).ok_or(AeadFailure)
            }
            Keys::Classic(keys) => {
                let outer = if connection_id.is_empty() { content_type } else { ContentType::TLS12_CID };
                let framing = ClassicFraming { content_type: outer, version, number, connection_id };
                keys.seal(&framing, content_type, record, trailer)
            }
            Keys::Unified(keys) => {
                let framing = UnifiedFraming { form, number, connection_id, content_type };
                keys.seal(&framing, record, trailer)
            }
        }
    }

    /// Inner content type and padding of application data of so many bytes.
    fn trailer(&self, payload: usize) -> usize {
        let least = self.layout.trailer(payload);
        if self.padding.is_none() || !self.layout.hides_content_type() {
            return least;
        }
        let apparent = self.padding.apparent_length(payload).min(self.layout.longest_payload());
        least.max(apparent.saturating_sub(payload).saturating_add(1))
    }

    fn update_layout(&mut self) {
        self.layout = self.keys.layout(self.connection_id.len(), self.form);
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
