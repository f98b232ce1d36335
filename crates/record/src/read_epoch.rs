//! One epoch of the peer's records: its keys, its replay window, its limits. Owns the order of the checks; the shapes
//! of records are elsewhere, and so is the choice of the epoch.

use crate::admitted::AdmittedTypes;
use crate::classic::{ClassicFraming, ClassicKeys};
use crate::content::{MAX_PAYLOAD, split_inner_plaintext};
use crate::datagram::Protected;
use crate::header::Header;
use crate::protection::{Keys, Protection};
use crate::replay::ReplayWindow;
use crate::unified::{MaskedHeader, UnifiedKeys};
use crate::{ContentType, Discard, RecordNumber};
use core::fmt;

/// A record after opening. `payload` lies where it arrived, in the datagram.
#[derive(PartialEq, Eq)]
pub struct Opened<'d> {
    /// Its number.
    pub number: RecordNumber,
    /// The type of its content; where the record hides it, the inner type.
    pub content_type: ContentType,
    /// Its content, at most 2^14 bytes.
    pub payload: &'d mut [u8],
}

impl fmt::Debug for Opened<'_> {
    /// Prints the payload's length, never the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("number", &self.number)
            .field("content_type", &self.content_type)
            .field("payload_length", &self.payload.len())
            .finish()
    }
}

/// Why a record was not opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// Dropped in silence; to be counted, nothing else.
    #[error("discarded: {0}")]
    Discard(Discard),
    /// An authentic record holds more than 2^14 bytes: fatal, record_overflow.
    #[error("record_overflow: an authentic record holds more than 2^14 bytes")]
    RecordOverflow,
    /// An authentic record has no content type, only zeros: fatal, unexpected_message (RFC 9846 section 5.4).
    #[error("unexpected_message: an authentic record has no content type")]
    MissingContentType,
    /// As many records failed authentication as this key may bear: it opens nothing more (RFC 9147 section 4.5.3).
    /// The association closes, or goes on with newer keys alone.
    #[error("too many records failed authentication")]
    ForgeryLimit,
}

impl From<Discard> for OpenError {
    fn from(reason: Discard) -> Self {
        Self::Discard(reason)
    }
}

/// Everything that one epoch of the peer's records needs.
///
/// A record that is not authentic changes nothing here but the count of forgeries.
///
/// ```
/// use drystone_record::{AdmittedTypes, ContentType, Protection, ReadEpoch, Records};
///
/// let mut epoch = ReadEpoch::new(0, Protection::plaintext(), AdmittedTypes::CLASSIC_PLAINTEXT);
/// let mut datagram = *b"\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\x02\x01\0";
/// let record = Records::new(&mut datagram).next_record(0).unwrap().unwrap();
/// let opened = epoch.open(record)?;
/// assert_eq!((opened.content_type, &*opened.payload), (ContentType::ALERT, &[1, 0][..]));
/// # Ok::<(), drystone_record::OpenError>(())
/// ```
pub struct ReadEpoch {
    epoch: u64,
    keys: Keys,
    window: ReplayWindow,
    forgeries: u64,
    forgery_limit: u64,
    admitted: AdmittedTypes,
    /// Whether a newer epoch is in use, so that the end of this key is not the end of the association.
    is_dispensable: bool,
}

impl ReadEpoch {
    /// An epoch from which nothing has been opened yet.
    pub fn new(epoch: u64, protection: Protection, admitted: AdmittedTypes) -> Self {
        let Protection { keys, limits } = protection;
        Self {
            epoch,
            keys,
            window: ReplayWindow::default(),
            forgeries: 0,
            forgery_limit: limits.forgeries,
            admitted,
            is_dispensable: false,
        }
    }

    /// The epoch's number.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The largest sequence number opened so far. `None` before the first record, and in epoch 0, whose numbers
    /// nobody vouches for.
    pub fn largest_opened(&self) -> Option<u64> {
        self.window.next().checked_sub(1)
    }

    /// How many records failed authentication.
    pub fn forgeries(&self) -> u64 {
        self.forgeries
    }

    /// Whether half of the forgeries that this key may bear have happened: time to ask for new keys (RFC 9147
    /// section 4.5.3).
    pub fn nears_forgery_limit(&self) -> bool {
        self.forgeries >= self.forgery_limit.div_ceil(2)
    }

    /// Changes what is admitted: for epoch 0 when the protocol is decided.
    pub fn set_admitted_types(&mut self, admitted: AdmittedTypes) {
        self.admitted = admitted;
    }

    /// Opens a record in place.
    ///
    /// Classic records are checked against the replay window before they are opened, since that is cheap and their
    /// numbers are public (RFC 6347 section 4.1.2.6); unified ones after, since the check itself would otherwise
    /// tell the hidden number (RFC 9147 section 4.5.1). Epoch 0 has no window: nothing in it is authentic, and a
    /// forged number must not block a true one.
    ///
    /// # Errors
    /// [`OpenError::Discard`] for everything that anybody could have sent. The others need an authentic record, or
    /// very many forged ones.
    pub fn open<'d>(&mut self, record: Protected<'d>) -> Result<Opened<'d>, OpenError> {
        if !self.is_named_by(&record.header) {
            return Err(Discard::UnknownEpoch.into());
        }
        self.open_named(record)
    }

    /// Opens a record that [is named by](Self::is_named_by) this epoch.
    #[inline]
    pub(crate) fn open_named<'d>(&mut self, record: Protected<'d>) -> Result<Opened<'d>, OpenError> {
        self.admitted.check(&record.header)?;
        if self.forgeries >= self.forgery_limit {
            return Err(self.after_limit());
        }
        self.authenticate(record).map_err(|error| match error {
            OpenError::Discard(Discard::AuthenticationFailed) => self.count_forgery(),
            other => other,
        })
    }

    /// Whether a record with this header is one of this epoch, as far as the header tells.
    #[inline]
    pub(crate) fn is_named_by(&self, header: &Header) -> bool {
        match (header, &self.keys) {
            (Header::Classic { epoch, .. }, Keys::Plaintext | Keys::Classic(_)) => {
                u64::from(*epoch) == self.epoch
            }
            (Header::Unified { epoch_low_bits, .. }, Keys::Unified(_)) => {
                u64::from(*epoch_low_bits) == self.epoch & 3
            }
            _ => false,
        }
    }

    /// From now on a newer epoch is in use.
    pub(crate) fn set_dispensable(&mut self) {
        self.is_dispensable = true;
    }

    pub(crate) fn is_plaintext(&self) -> bool {
        matches!(self.keys, Keys::Plaintext)
    }

    #[inline]
    fn authenticate<'d>(&mut self, record: Protected<'d>) -> Result<Opened<'d>, OpenError> {
        let connection_id = record.connection_id();
        let Protected { header, header_bytes, body } = record;
        let epoch = self.epoch;
        match (&self.keys, header) {
            (Keys::Plaintext, Header::Classic { content_type, sequence, .. }) => {
                let number = RecordNumber { epoch, sequence };
                if body.len() > MAX_PAYLOAD {
                    return Err(Discard::TooLong.into());
                }
                Ok(Opened { number, content_type, payload: body })
            }
            (Keys::Classic(keys), Header::Classic { content_type, version, sequence, .. }) => {
                let number = RecordNumber { epoch, sequence };
                let framing = ClassicFraming { content_type, version, number, connection_id };
                open_classic(keys, &mut self.window, &framing, body)
            }
            (Keys::Unified(keys), Header::Unified { sequence_length, .. }) => {
                let framing = MaskedHeader {
                    bytes: header_bytes,
                    sequence_at: connection_id.len().saturating_add(1),
                    sequence_length,
                    expected: self.window.next(),
                };
                open_unified(keys, &mut self.window, epoch, &framing, body)
            }
            _ => Err(Discard::UnknownEpoch.into()),
        }
    }

    fn count_forgery(&mut self) -> OpenError {
        self.forgeries = self.forgeries.saturating_add(1);
        if self.forgeries >= self.forgery_limit && !self.is_dispensable {
            return OpenError::ForgeryLimit;
        }
        Discard::AuthenticationFailed.into()
    }

    /// What comes of records once the key bears no more forgeries.
    #[cold]
    fn after_limit(&self) -> OpenError {
        if self.is_dispensable { Discard::UnknownEpoch.into() } else { OpenError::ForgeryLimit }
    }
}

#[inline]
fn open_classic<'d>(
    keys: &ClassicKeys,
    window: &mut ReplayWindow,
    framing: &ClassicFraming<'_>,
    body: &'d mut [u8],
) -> Result<Opened<'d>, OpenError> {
    let number = framing.number;
    window.check(number.sequence)?;
    let plaintext = keys.open(framing, body)?;
    window.commit(number.sequence);
    match framing.content_type {
        // RFC 9146 section 5: the inner plaintext, not its content, is limited to 2^14 bytes.
        ContentType::TLS12_CID => opened_inner(number, plaintext, MAX_PAYLOAD),
        _ if plaintext.len() > MAX_PAYLOAD => Err(OpenError::RecordOverflow),
        content_type => Ok(Opened { number, content_type, payload: plaintext }),
    }
}

fn open_unified<'d>(
    keys: &UnifiedKeys,
    window: &mut ReplayWindow,
    epoch: u64,
    framing: &MaskedHeader<'_>,
    body: &'d mut [u8],
) -> Result<Opened<'d>, OpenError> {
    let (sequence, plaintext) = keys.open(framing, body)?;
    window.check(sequence)?;
    window.commit(sequence);
    // RFC 9846 section 5.4: the inner plaintext is limited to 2^14 + 1 bytes.
    opened_inner(RecordNumber { epoch, sequence }, plaintext, MAX_PAYLOAD + 1)
}

fn opened_inner(number: RecordNumber, inner: &mut [u8], longest: usize) -> Result<Opened<'_>, OpenError> {
    if inner.len() > longest {
        return Err(OpenError::RecordOverflow);
    }
    let (content_type, payload) = split_inner_plaintext(inner).ok_or(OpenError::MissingContentType)?;
    Ok(Opened { number, content_type, payload })
}

impl fmt::Debug for ReadEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadEpoch")
            .field("epoch", &self.epoch)
            .field("shape", &self.keys.shape())
            .field("largest_opened", &self.largest_opened())
            .field("forgeries", &self.forgeries)
            .field("admitted", &self.admitted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Records, WriteEpoch, ring};

    fn protection() -> Protection {
        let key = ring::AES_128_GCM.key(&[1; 16]).unwrap();
        let mask = ring::MASK_AES_128.key(&[2; 16]).unwrap();
        Protection::unified(key, 16, [3; 12], mask, Limits::NONE)
    }

    /// A unified header carries 16 bits of the number: the reader follows to the very end, and nothing wraps there.
    #[test]
    fn threat_20_the_last_sequence_numbers_are_opened() {
        let mut reader = ReadEpoch::new(3, protection(), AdmittedTypes::UNIFIED);
        let mut writer = WriteEpoch::new(3, protection());
        let last = RecordNumber::MAX_SEQUENCE;
        reader.window.commit(last - 4);
        writer.set_next_sequence(last - 3).unwrap();
        for sequence in last - 3..=last {
            let mut record = [0; 5 + 4 + 17];
            writer.seal(ContentType::APPLICATION_DATA, &mut record, 5..9).unwrap();
            for expected in [Ok(sequence), Err(Discard::Replayed.into())] {
                let mut datagram = record;
                let cut = Records::new(&mut datagram).next_record(0).unwrap().unwrap();
                assert_eq!(reader.open(cut).map(|opened| opened.number.sequence), expected);
                assert_eq!(reader.largest_opened(), Some(sequence));
            }
        }
    }
}
