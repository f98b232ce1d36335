//! Our flight: plaintext messages that are cut into datagrams, and sent in the same fragments while these fit, until the
//! peer has them. Owns the messages, what is acknowledged of them and how far the present transmission is;
//! knows neither keys (the [`Sealer`] does) nor time.

use alloc::{vec, vec::Vec};
use core::ops::Range;
use core::time::Duration;

use thiserror::Error;

use super::cuts::Cuts;
use super::fragment::{self, HEADER_LEN, MAX_LENGTH};
use super::ranges::Ranges;
use super::sent::{RecordNumber, SentRecords};
use crate::message::registry::HandshakeType;

/// Content types of records (RFC 6347 section 4.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;

/// Records in one transmission of an acknowledged flight, at most (RFC 9147 section 5.8.3).
pub(crate) const RECORDS_PER_BURST: usize = 10;

/// Bytes of plaintext in a record, at most (RFC 6347 section 4.1, RFC 9147 section 4).
const MAX_PLAINTEXT: usize = 1 << 14;

/// How the peer tells us that it has our flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reliability {
    /// By sending its next flight (RFC 6347 section 4.2.4): a retransmission repeats the whole flight.
    Implicit,
    /// By ACK records as well (RFC 9147 section 7): a retransmission omits what they name.
    Acked,
}

/// Seals records; implemented by the connection over the write epochs.
pub(crate) trait Sealer {
    /// The most bytes that a record of `epoch` needs before and after its plaintext; `None` if there are no keys
    /// for it.
    fn overhead(&self, epoch: u64) -> Option<(usize, usize)>;

    /// The most bytes of plaintext in a record of `epoch`.
    fn max_plaintext(&self, epoch: u64) -> usize {
        let _ = epoch;
        MAX_PLAINTEXT
    }

    /// Seals `buffer[payload]`, which has the bytes of [`overhead`](Self::overhead) around it, in place.
    ///
    /// Returns where in `buffer` the record lies and its number. The record begins where the prefix does, and
    /// ends not later than the suffix.
    ///
    /// # Errors
    /// [`SealFailed`] if the epoch cannot protect another record.
    fn seal(
        &mut self,
        epoch: u64,
        content_type: u8,
        buffer: &mut [u8],
        payload: Range<usize>,
    ) -> Result<(Range<usize>, RecordNumber), SealFailed>;
}

/// No record can be sealed: no keys for its epoch, or their limit is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the record cannot be sealed")]
pub(crate) struct SealFailed;

/// Why no datagram was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum WriteError {
    /// The buffer or the MTU is too small for a record with a single byte of the next message.
    #[error("no room for a record in the datagram")]
    TooSmall,
    /// See [`SealFailed`].
    #[error(transparent)]
    Seal(#[from] SealFailed),
}

/// The message does not fit the 24-bit length of the handshake header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("handshake message longer than 2^24 - 1 bytes")]
pub(crate) struct MessageTooLong;

/// The messages that we send, from their first transmission until they are known to have arrived.
#[derive(Debug)]
pub(crate) struct Outgoing {
    reliability: Reliability,
    items: Vec<Item>,
    /// The first byte that the present transmission has not sent.
    cursor: Cursor,
    /// Records that the present burst has sent.
    burst: usize,
    sent: SentRecords,
}

#[derive(Debug)]
enum Item {
    Message(Message),
    /// Not a handshake message and not acknowledged, but repeated with the flight (RFC 6347 section 4.2.4).
    ChangeCipherSpec {
        epoch: u64,
    },
}

#[derive(Debug)]
struct Message {
    epoch: u64,
    msg_type: HandshakeType,
    message_seq: u16,
    body: Vec<u8>,
    /// `body.len()`.
    length: u32,
    /// Where its fragments ended when they were sent.
    cuts: Cuts,
    acked: Ranges,
    /// The whole message, which `acked` cannot say of an empty one.
    acked_whole: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Cursor {
    item: usize,
    offset: u32,
}

/// What comes next in a transmission.
enum Piece<'a> {
    /// An unacknowledged range of a message: empty only if the message is.
    Message(&'a Message, Range<u32>),
    ChangeCipherSpec {
        epoch: u64,
    },
}

impl Outgoing {
    /// A flight without messages.
    pub(crate) const fn new(reliability: Reliability) -> Self {
        Self {
            reliability,
            items: Vec::new(),
            cursor: Cursor { item: 0, offset: 0 },
            burst: 0,
            sent: SentRecords::new(),
        }
    }

    /// Changes how the flight is acknowledged: known only when the version is.
    pub(crate) fn set_reliability(&mut self, reliability: Reliability) {
        self.reliability = reliability;
        self.sent.clear();
    }

    /// Appends a message, to be protected by the keys of `epoch` at each transmission.
    ///
    /// # Errors
    /// [`MessageTooLong`] if `body` has 2^24 bytes or more.
    pub(crate) fn push_message(
        &mut self,
        epoch: u64,
        msg_type: HandshakeType,
        message_seq: u16,
        body: Vec<u8>,
    ) -> Result<(), MessageTooLong> {
        let length =
            u32::try_from(body.len()).ok().filter(|length| *length <= MAX_LENGTH).ok_or(MessageTooLong)?;
        let acked = Ranges::new();
        self.items.push(Item::Message(Message {
            epoch,
            msg_type,
            message_seq,
            body,
            length,
            cuts: Cuts::new(),
            acked,
            acked_whole: false,
        }));
        Ok(())
    }

    /// Appends a ChangeCipherSpec.
    pub(crate) fn push_change_cipher_spec(&mut self, epoch: u64) {
        self.items.push(Item::ChangeCipherSpec { epoch });
    }

    /// Writes the next datagram of the present transmission to the front of `out`, not longer than `mtu`, and
    /// returns its length in bytes: 0 if there is nothing (more) to send now.
    ///
    /// Messages of one epoch that follow each other share a record as far as they fit (where ACKs are used: DTLS 1.3),
    /// records share the datagram, and a message that must be cut fills the datagram to the last byte. A fragment that was
    /// sent before keeps its bounds if a datagram has room for it.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was sent then, and the next call tries the same again.
    pub(crate) fn write_datagram(
        &mut self,
        sealer: &mut impl Sealer,
        out: &mut [u8],
        mtu: usize,
        now: Duration,
    ) -> Result<usize, WriteError> {
        let limit = out.len().min(mtu);
        let mut written = 0;
        while self.has_unsent() {
            let room = out.get_mut(written..limit).unwrap_or_default();
            let is_first = written == 0;
            match self.write_record(sealer, room, is_first, now) {
                Ok(length) => written = written.saturating_add(length),
                // What has been sealed goes out; the next call meets the same obstacle and reports it.
                Err(_) if !is_first => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Sends again what is not acknowledged, with new record numbers, and cut smaller if the MTU given then demands it.
    ///
    /// If a burst has ended inside the flight, the rest comes first: a peer that acknowledges nothing before it
    /// has all would otherwise never get it.
    pub(crate) fn rewind(&mut self) {
        if !self.burst_is_over() || self.piece(self.cursor).is_none() {
            self.cursor = Cursor::default();
        }
        self.burst = 0;
    }

    /// Sends the last message alone again, which is what tells the peer that a flight is repeated.
    pub(crate) fn rewind_to_last_message(&mut self) {
        let is_message = |item: &Item| matches!(item, Item::Message(_));
        self.cursor = Cursor { item: self.items.iter().rposition(is_message).unwrap_or(0), offset: 0 };
        self.burst = 0;
    }

    /// Sends what is not acknowledged again, from the beginning, and goes on from there: the peer has told what it has,
    /// so that nothing stands in the way of the rest.
    pub(crate) fn resume(&mut self) {
        self.cursor = Cursor::default();
        self.burst = 0;
    }

    /// Goes on with what had to wait for the peer to say something.
    pub(crate) fn go_on(&mut self) {
        self.burst = 0;
    }

    /// Takes in the record numbers of an ACK. If one of them acknowledged anything new: when the last such record was sent.
    ///
    /// Unknown and forgotten numbers are ignored, and with [`Reliability::Implicit`] all are.
    pub(crate) fn on_ack(&mut self, numbers: impl IntoIterator<Item = RecordNumber>) -> Option<Duration> {
        let mut news = None;
        let Self { sent, items, .. } = self;
        for number in numbers {
            sent.take(number, |message_seq, range, at| {
                let message = items.iter_mut().find_map(|item| match item {
                    Item::Message(message) if message.message_seq == message_seq => Some(message),
                    _ => None,
                });
                if message.is_some_and(|message| message.acknowledge(range)) {
                    news = news.max(Some(at));
                }
            });
        }
        if news.is_some() {
            self.remove_acked();
        }
        news
    }

    /// Whether every message has been acknowledged, or there are none.
    pub(crate) fn is_acked(&self) -> bool {
        !self.items.iter().any(|item| matches!(item, Item::Message(_)))
    }

    /// Whether [`write_datagram`](Self::write_datagram) has something to send now.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.burst_is_over() && self.piece(self.cursor).is_some()
    }

    /// Whether the present transmission has come to its end: everything was sent, or had arrived before.
    pub(crate) fn is_through(&self) -> bool {
        self.piece(self.cursor).is_none()
    }

    /// Whether the next datagram is the first of a transmission.
    pub(crate) fn is_at_start(&self) -> bool {
        self.cursor == Cursor::default()
    }

    /// Whether there is nothing to send, now or ever again.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether a message or ChangeCipherSpec still needs the keys of `epoch`.
    pub(crate) fn needs_epoch(&self, epoch: u64) -> bool {
        self.items.iter().any(|item| item.epoch() == epoch)
    }

    /// Forgets the flight: it has arrived, or is not worth sending any more. The next one may be pushed.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.reliability);
    }

    /// Bytes of heap in use.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        let table = self.items.capacity().saturating_mul(size_of::<Item>());
        let bodies = self.items.iter().map(|item| match item {
            Item::Message(message) => {
                let noted = message.acked.held_bytes().saturating_add(message.cuts.held_bytes());
                message.body.capacity().saturating_add(noted)
            }
            Item::ChangeCipherSpec { .. } => 0,
        });
        bodies.fold(table.saturating_add(self.sent.held_bytes()), usize::saturating_add)
    }

    fn burst_is_over(&self) -> bool {
        self.reliability == Reliability::Acked && self.burst >= RECORDS_PER_BURST
    }

    /// The first piece at or after `cursor`.
    fn piece(&self, cursor: Cursor) -> Option<(usize, Piece<'_>)> {
        let mut from = cursor.offset;
        for (index, item) in self.items.iter().enumerate().skip(cursor.item) {
            match item {
                Item::ChangeCipherSpec { epoch } => {
                    return Some((index, Piece::ChangeCipherSpec { epoch: *epoch }));
                }
                Item::Message(message) => {
                    if let Some(range) = message.unacked(from) {
                        return Some((index, Piece::Message(message, range)));
                    }
                }
            }
            from = 0;
        }
        None
    }

    /// Seals one record at the front of `room` and returns its length. `is_first` says that `room` is a whole datagram.
    fn write_record(
        &mut self,
        sealer: &mut impl Sealer,
        room: &mut [u8],
        is_first: bool,
        now: Duration,
    ) -> Result<usize, WriteError> {
        let Some((_, piece)) = self.piece(self.cursor) else {
            return Ok(0);
        };
        let (epoch, content_type) = match piece {
            Piece::Message(message, _) => (message.epoch, HANDSHAKE),
            Piece::ChangeCipherSpec { epoch } => (epoch, CHANGE_CIPHER_SPEC),
        };
        let (prefix, suffix) = sealer.overhead(epoch).ok_or(SealFailed)?;
        let end = room.len().saturating_sub(suffix).min(prefix.saturating_add(sealer.max_plaintext(epoch)));
        let plaintext = room.get_mut(prefix..end).ok_or(WriteError::TooSmall)?;
        let staged = match content_type {
            HANDSHAKE => self.stage_messages(epoch, plaintext, is_first),
            _ => self.stage_change_cipher_spec(plaintext),
        };
        if staged.length == 0 {
            return Err(WriteError::TooSmall);
        }
        let payload = prefix..prefix.saturating_add(staged.length);
        let (record, number) = sealer.seal(epoch, content_type, room, payload)?;
        if record.start != 0 || record.end > room.len() {
            return Err(SealFailed.into());
        }
        self.commit(staged, number, now);
        Ok(record.end)
    }

    /// Writes fragments of consecutive messages of `epoch` as far as they fit.
    fn stage_messages(&self, epoch: u64, plaintext: &mut [u8], is_first: bool) -> Staged {
        let mut staged = Staged { length: 0, cursor: self.cursor, fragments: vec![] };
        while let Some((index, Piece::Message(message, range))) = self.piece(staged.cursor) {
            let room = plaintext.get_mut(staged.length..).unwrap_or_default();
            if message.epoch != epoch {
                break;
            }
            let may_cut_anew = is_first && staged.length == 0;
            let Some((length, sent)) = message.write_fragment(range, room, may_cut_anew) else {
                break;
            };
            staged.length = staged.length.saturating_add(length);
            staged.cursor = if sent.end < message.length {
                Cursor { item: index, offset: sent.end }
            } else {
                Cursor { item: index.saturating_add(1), offset: 0 }
            };
            staged.fragments.push((index, message.message_seq, sent));
            // Legal as it is to put several into one record of DTLS 1.2 (RFC 6347 section 4.2.3), OpenSSL, GnuTLS and
            // Mbed TLS do not, and there are peers that look at the first one only. In DTLS 1.3 all are used to it.
            if self.reliability == Reliability::Implicit {
                break;
            }
        }
        staged
    }

    fn stage_change_cipher_spec(&self, plaintext: &mut [u8]) -> Staged {
        let mut staged = Staged { length: 0, cursor: self.cursor, fragments: vec![] };
        if let (Some(byte), Some((index, _))) = (plaintext.first_mut(), self.piece(self.cursor)) {
            // RFC 5246 section 7.1: a single byte of value 1.
            *byte = 1;
            staged.length = 1;
            staged.cursor = Cursor { item: index.saturating_add(1), offset: 0 };
        }
        staged
    }

    /// The record is sealed: what it carries counts as sent.
    fn commit(&mut self, staged: Staged, number: RecordNumber, now: Duration) {
        self.cursor = staged.cursor;
        self.burst = self.burst.saturating_add(1);
        for (index, message_seq, range) in staged.fragments {
            if let Some(Item::Message(message)) = self.items.get_mut(index) {
                message.cuts.note(range.end, message.length);
            }
            if self.reliability == Reliability::Acked {
                self.sent.push(number, message_seq, range, now);
            }
        }
    }

    /// Frees messages that have arrived, and everything once all have.
    fn remove_acked(&mut self) {
        let acked = |item: &Item| matches!(item, Item::Message(message) if message.acked_whole);
        let passed = self.items.iter().take(self.cursor.item).filter(|item| acked(item)).count();
        if self.items.get(self.cursor.item).is_some_and(acked) {
            self.cursor.offset = 0;
        }
        self.cursor.item = self.cursor.item.saturating_sub(passed);
        self.items.retain(|item| !acked(item));
        if self.is_acked() {
            self.clear();
        }
    }
}

/// A record's plaintext before it is sealed.
struct Staged {
    length: usize,
    /// Where the transmission goes on after it.
    cursor: Cursor,
    /// Index, message_seq and bytes of each message in it.
    fragments: Vec<(usize, u16, Range<u32>)>,
}

impl Item {
    fn epoch(&self) -> u64 {
        match self {
            Self::Message(message) => message.epoch,
            Self::ChangeCipherSpec { epoch } => *epoch,
        }
    }
}

impl Message {
    /// The first run of bytes from `from` on that must still be sent.
    fn unacked(&self, from: u32) -> Option<Range<u32>> {
        if self.length == 0 {
            return (!self.acked_whole).then_some(0..0);
        }
        self.acked.first_gap(from..self.length)
    }

    /// Returns whether that is new.
    fn acknowledge(&mut self, range: Range<u32>) -> bool {
        let news = !self.acked_whole && (self.length == 0 || !self.acked.covers(range.clone()));
        // There is no limit to exceed: the ranges are our own cuts.
        let _ = self.acked.insert(range, usize::MAX);
        self.acked_whole = self.acked.covers(0..self.length);
        news
    }

    /// Writes the first fragment of `range`: to where it ended when it was sent before, else as much as fits `room`. Returns
    /// its length with header and its range.
    ///
    /// `None` if not a byte fits, since an empty fragment would say nothing, or if a fragment that was sent before does not
    /// fit, unless it may be cut anew.
    fn write_fragment(
        &self,
        range: Range<u32>,
        room: &mut [u8],
        may_cut_anew: bool,
    ) -> Option<(usize, Range<u32>)> {
        let (header, room) = room.split_first_chunk_mut::<HEADER_LEN>()?;
        let start = usize::try_from(range.start).ok()?;
        let earlier_end = self.cuts.end_after(range.start, self.length);
        let end = usize::try_from(earlier_end.unwrap_or(range.end).min(range.end)).ok()?;
        let fitting = end.min(start.saturating_add(room.len()));
        if fitting < end && earlier_end.is_some() && !may_cut_anew {
            return None;
        }
        let bytes = self.body.get(start..fitting)?;
        if bytes.is_empty() && self.length != 0 {
            return None;
        }
        let fragment_length = u32::try_from(bytes.len()).ok()?;
        room.get_mut(..bytes.len())?.copy_from_slice(bytes);
        *header =
            fragment::header(self.msg_type, self.length, self.message_seq, range.start, fragment_length);
        let sent = range.start..range.start.saturating_add(fragment_length);
        Some((HEADER_LEN.saturating_add(bytes.len()), sent))
    }
}

#[cfg(test)]
mod tests;
