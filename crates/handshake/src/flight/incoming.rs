//! Reassembly: the peer's fragments become whole messages, in order, each exactly once.
//! Owns the partly received messages and every limit on them; knows neither what a message means nor its keys.
//!
//! Memory follows the bytes *received*, never the length *claimed*: of a message only the bytes that have arrived
//! are stored, next to each other, with the ranges that they fill. When the last gap closes, the store is the message.

use alloc::vec::Vec;

use super::fragment::{Fragment, FragmentFault};
use super::ranges::Ranges;
use crate::message::registry::HandshakeType;

/// How much of a peer's handshake is held at a time, and how far an association's numbers may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a Certificate message. Default 64 KiB.
    pub certificate: u32,
    /// Bytes of any other message. Default 16 KiB.
    pub other: u32,
    /// How many messages after the next expected one may be held. Default 7: with the expected one that is
    /// room for the longest flight that either version has.
    pub messages_ahead: u16,
    /// Separate pieces in which one message may be held. Default 32: more pieces than datagrams in flight.
    pub pieces: usize,
    /// The greatest message_seq of our own messages. Default 65,535, the greatest there is: an association that comes so
    /// far ends.
    pub last_message_seq: u16,
    /// The greatest epoch of our own records (RFC 9147 section 8). Default 2^48 - 1: its key serves until its own limit, and
    /// is not followed by another.
    pub last_epoch: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            certificate: 64 * 1024,
            other: 16 * 1024,
            messages_ahead: 7,
            pieces: 32,
            last_message_seq: u16::MAX,
            last_epoch: (1 << 48) - 1,
        }
    }
}

/// A whole handshake message inside the record that carried it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Message<'a> {
    /// The epoch of the record or records that carried it.
    pub(crate) epoch: u64,
    /// Its type.
    pub(crate) msg_type: HandshakeType,
    /// Its place in the peer's handshake.
    pub(crate) message_seq: u16,
    /// Its bytes, without header.
    pub(crate) body: &'a [u8],
}

/// A whole handshake message put together from fragments.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct OwnedMessage {
    epoch: u64,
    msg_type: HandshakeType,
    message_seq: u16,
    body: Vec<u8>,
}

impl OwnedMessage {
    /// The message, borrowed: the form in which the unfragmented ones come too.
    pub(crate) fn as_message(&self) -> Message<'_> {
        Message {
            epoch: self.epoch,
            msg_type: self.msg_type,
            message_seq: self.message_seq,
            body: &self.body,
        }
    }
}

/// What became of a fragment.
///
/// A record may be acknowledged if none of its fragments was `Dropped` (RFC 9147 section 7).
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Accepted<'a> {
    /// The next expected message, whole. Nothing is stored.
    Whole(Message<'a>),
    /// Stored. [`Incoming::take_ready`] may have a message now.
    Kept,
    /// A copy of a processed message, or of bytes that are held already.
    Duplicate,
    /// Refused; nothing changed.
    Dropped(FragmentFault),
}

/// The receiving side of a handshake: next_receive_seq of RFC 6347 section 4.2.2 and what arrived early.
///
/// After each [`accept`](Self::accept), call [`take_ready`](Self::take_ready) until it returns `None`.
#[derive(Debug)]
pub(crate) struct Incoming {
    limits: Limits,
    /// Wider than message_seq: one past the last possible message when all 65,536 are used, so that the
    /// sequence never wraps.
    next: u32,
    /// Fragments of unprocessed messages must come from this epoch or a later one.
    epoch: u64,
    /// At most one per message_seq, in no order.
    partials: Vec<Partial>,
}

impl Incoming {
    /// Expects `next_message_seq` first, in any epoch.
    pub(crate) const fn new(limits: Limits, next_message_seq: u16) -> Self {
        Self { limits, next: next_message_seq as u32, epoch: 0, partials: Vec::new() }
    }

    /// Takes in a fragment that arrived in a record of `epoch`.
    pub(crate) fn accept<'f>(&mut self, epoch: u64, fragment: Fragment<'f>) -> Accepted<'f> {
        self.take_in(epoch, fragment, true)
    }

    /// Takes in a fragment for a state machine that waits for something else than messages: even the next expected
    /// message is stored.
    pub(crate) fn hold(&mut self, epoch: u64, fragment: Fragment<'_>) -> Accepted<'static> {
        match self.take_in(epoch, fragment, false) {
            Accepted::Duplicate => Accepted::Duplicate,
            Accepted::Dropped(fault) => Accepted::Dropped(fault),
            Accepted::Kept | Accepted::Whole(_) => Accepted::Kept,
        }
    }

    fn take_in<'f>(&mut self, epoch: u64, fragment: Fragment<'f>, deliver: bool) -> Accepted<'f> {
        if u32::from(fragment.message_seq) < self.next {
            return Accepted::Duplicate;
        }
        let stored = match self.check(epoch, &fragment) {
            Ok(stored) => stored,
            Err(fault) => return Accepted::Dropped(fault),
        };
        if deliver && u32::from(fragment.message_seq) == self.next && fragment.is_whole() {
            self.advance(stored);
            return Accepted::Whole(Message {
                epoch,
                msg_type: fragment.msg_type,
                message_seq: fragment.message_seq,
                body: fragment.payload,
            });
        }
        self.store(stored, epoch, &fragment)
    }

    /// The next expected message, if its last gap was closed by a stored fragment.
    pub(crate) fn take_ready(&mut self) -> Option<OwnedMessage> {
        let next = self.next;
        let index = self
            .partials
            .iter()
            .position(|partial| u32::from(partial.message_seq) == next && partial.is_complete())?;
        self.advance(Some(index)).map(Partial::into_message)
    }

    /// The message_seq that is expected next; `None` once the peer has used up all of them.
    pub(crate) fn next_message_seq(&self) -> Option<u16> {
        u16::try_from(self.next).ok()
    }

    /// Expects another message next: a server that kept nothing of the first hello starts at the second one.
    /// What is held of earlier messages is forgotten.
    pub(crate) fn set_next_message_seq(&mut self, next: u16) {
        self.next = next.into();
        self.keep(|partial| partial.message_seq >= next);
    }

    /// From now on messages that were not processed yet must arrive in `epoch` or later: their keys exist.
    ///
    /// Pieces held from earlier epochs are forgotten, so that no message is put together across a key change
    /// and nothing that was written without the keys is read as if it had been protected by them.
    pub(crate) fn require_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.keep(|partial| partial.epoch >= epoch);
    }

    /// Bytes of heap in use: at most 4 times the bytes received plus 512, with the default limits.
    pub(crate) fn held_bytes(&self) -> usize {
        let table = self.partials.capacity().saturating_mul(size_of::<Partial>());
        self.partials.iter().map(Partial::held_bytes).fold(table, usize::saturating_add)
    }

    /// Holds a fragment against the limits and against earlier ones. Returns where the earlier ones are.
    fn check(&mut self, epoch: u64, fragment: &Fragment<'_>) -> Result<Option<usize>, FragmentFault> {
        let limit = match fragment.msg_type {
            HandshakeType::CERTIFICATE => self.limits.certificate,
            _ => self.limits.other,
        };
        let distance = u32::from(fragment.message_seq).saturating_sub(self.next);
        fragment.end()?;
        if distance > self.limits.messages_ahead.into() {
            return Err(FragmentFault::TooFarAhead);
        }
        if epoch < self.epoch {
            return Err(FragmentFault::StaleEpoch);
        }
        if fragment.length > limit {
            return Err(FragmentFault::TooLong);
        }
        if fragment.payload.is_empty() && fragment.length != 0 {
            return Err(FragmentFault::Empty);
        }
        let Some((index, partial)) = self.find(fragment.message_seq) else {
            return Ok(None);
        };
        if epoch > partial.epoch {
            // Later keys are better proof: what came without them gives way.
            self.partials.swap_remove(index);
            return Ok(None);
        }
        if epoch < partial.epoch {
            return Err(FragmentFault::StaleEpoch);
        }
        if (fragment.msg_type, fragment.length) != (partial.msg_type, partial.length) {
            return Err(FragmentFault::Contradiction);
        }
        Ok(Some(index))
    }

    fn store(&mut self, stored: Option<usize>, epoch: u64, fragment: &Fragment<'_>) -> Accepted<'static> {
        if let Some(partial) = stored.and_then(|index| self.partials.get_mut(index)) {
            return partial.add(fragment, self.limits.pieces);
        }
        if self.partials.is_empty() {
            // One allocation for as many as there can be: growing would for a moment hold two of them.
            self.partials.reserve_exact(usize::from(self.limits.messages_ahead).saturating_add(1));
        }
        let mut partial = Partial::new(epoch, fragment);
        // A first piece always fits, even if the setting says none does.
        let accepted = partial.add(fragment, self.limits.pieces.max(1));
        self.partials.push(partial);
        match accepted {
            // The first fragment of an empty message adds no bytes, and yet it is news.
            Accepted::Duplicate => Accepted::Kept,
            accepted => accepted,
        }
    }

    fn find(&self, message_seq: u16) -> Option<(usize, &Partial)> {
        self.partials.iter().enumerate().find(|(_, partial)| partial.message_seq == message_seq)
    }

    /// The expected message is whole: expects the one after it, and gives up what is stored of it.
    fn advance(&mut self, stored: Option<usize>) -> Option<Partial> {
        self.next = self.next.saturating_add(1);
        let partial = stored.map(|index| self.partials.swap_remove(index));
        self.release_if_empty();
        partial
    }

    fn keep(&mut self, wanted: impl Fn(&Partial) -> bool) {
        self.partials.retain(wanted);
        self.release_if_empty();
    }

    fn release_if_empty(&mut self) {
        if self.partials.is_empty() {
            self.partials = Vec::new();
        }
    }
}

/// A message of which something has arrived.
#[derive(Debug)]
struct Partial {
    epoch: u64,
    length: u32,
    message_seq: u16,
    msg_type: HandshakeType,
    /// Which bytes of the message are held.
    ranges: Ranges,
    /// Those bytes, in order and without the gaps between them: as many as `ranges` has positions.
    bytes: Vec<u8>,
}

impl Partial {
    fn new(epoch: u64, fragment: &Fragment<'_>) -> Self {
        Self {
            epoch,
            length: fragment.length,
            message_seq: fragment.message_seq,
            msg_type: fragment.msg_type,
            ranges: Ranges::new(),
            bytes: Vec::new(),
        }
    }

    /// Merges a fragment in. Fragments may overlap in any way (RFC 9147 section 5.5); where they do, the bytes
    /// that came last stand, so that a retransmission repairs what somebody else has written without keys.
    fn add(&mut self, fragment: &Fragment<'_>, max_pieces: usize) -> Accepted<'static> {
        let range = match fragment.end() {
            Ok(end) => fragment.offset..end,
            Err(fault) => return Accepted::Dropped(fault),
        };
        let covered = self.ranges.rank(range.start)..self.ranges.rank(range.end);
        let known = self.ranges.covers(range.clone());
        if self.ranges.insert(range, max_pieces).is_err() {
            return Accepted::Dropped(FragmentFault::TooManyPieces);
        }
        self.make_room(fragment.payload.len().saturating_sub(covered.len()));
        self.bytes.splice(covered, fragment.payload.iter().copied());
        if known { Accepted::Duplicate } else { Accepted::Kept }
    }

    /// Doubles like a vector does, but never beyond the length of the message.
    fn make_room(&mut self, additional: usize) {
        let needed = self.bytes.len().saturating_add(additional);
        if needed > self.bytes.capacity() {
            let whole = usize::try_from(self.length).unwrap_or(usize::MAX);
            let doubled = self.bytes.capacity().saturating_mul(2).min(whole);
            self.bytes.reserve_exact(needed.max(doubled).saturating_sub(self.bytes.len()));
        }
    }

    fn is_complete(&self) -> bool {
        self.ranges.covers(0..self.length)
    }

    fn held_bytes(&self) -> usize {
        self.bytes.capacity().saturating_add(self.ranges.held_bytes())
    }

    fn into_message(self) -> OwnedMessage {
        OwnedMessage {
            epoch: self.epoch,
            msg_type: self.msg_type,
            message_seq: self.message_seq,
            body: self.bytes,
        }
    }
}

#[cfg(test)]
mod tests;
