//! Reassembly: the peer's fragments become whole messages, in order, each exactly once.
//! Owns the partly received messages and every limit on them; knows neither what a message means nor its keys.
//!
//! Memory follows the bytes *received*, never the length *claimed*: of a message only the bytes that have arrived
//! are stored, next to each other, with the ranges that they fill. When the last gap closes, the store is the message.

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::expectation::Expectation;
use super::fragment::{Fragment, FragmentFault};
use super::limits::{Bound, Limits, POST_HANDSHAKE_AHEAD, POST_HANDSHAKE_TOTAL, TooLong};
use super::ranges::Ranges;
use crate::message::registry::HandshakeType;

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

/// How long parts of a message are buffered after the handshake, from the newest on. In DTLS 1.3 they were acknowledged, so the
/// peer sends only the rest, at least once a minute (RFC 9147 section 5.8.2): dropped sooner, the message would never be
/// complete. As long as the keys of old epochs are kept.
const POST_HANDSHAKE_LIFETIME: Duration = Duration::from_secs(240);

/// Heap for the ranges of one message in as many pieces as there are by default.
const RANGES_ROOM: usize = 256;

/// Places for as many messages as a flight has are made at once; more come only where stateless answers came before.
const USUAL_FLIGHT: usize = 6;

/// When and where a fragment arrived, and what is accepted there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    /// The epoch of its record.
    pub(crate) epoch: u64,
    pub(crate) now: Duration,
    /// What the state expects.
    pub(crate) expectation: Expectation,
    pub(crate) limits: &'a Limits,
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
/// After each [`accept`](Self::accept), call [`take_ready`](Self::take_ready) until it returns `None`. Small, for in DTLS 1.3 it
/// stays with the association.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Wider than message_seq: one past the last possible message when all 65,536 are used, so that the
    /// sequence never wraps.
    next: u32,
    /// Fragments of unprocessed messages must come from this epoch or a later one.
    epoch: u64,
    /// At most one per message_seq, in no order.
    partials: Vec<Partial>,
    /// The most bytes of heap for `partials`, and the most that the owner of many associations grants this one.
    total: u32,
    granted: u32,
    /// Whether the handshake is done: until then its own deadline is that of the parts too.
    is_post_handshake: bool,
    /// Pieces that somebody else may have sent were given up for others, since the last question.
    displaced: bool,
    /// The last message that was refused for its length.
    refused: Option<Refused>,
}

impl Incoming {
    /// Expects `next_message_seq` first, in any epoch, and buffers at most `total` bytes.
    pub(crate) const fn new(next_message_seq: u16, total: u32) -> Self {
        Self {
            next: next_message_seq as u32,
            epoch: 0,
            partials: Vec::new(),
            total,
            granted: u32::MAX,
            is_post_handshake: false,
            displaced: false,
            refused: None,
        }
    }

    /// The handshake is done: from now on messages are few, short and in no hurry.
    pub(crate) fn limit_to_post_handshake(&mut self) {
        (self.total, self.granted) = (POST_HANDSHAKE_TOTAL, u32::MAX);
        self.is_post_handshake = true;
        self.refused = None;
    }

    /// At most so many bytes of heap are used from now on, if that is less than the association's own total. What is
    /// buffered already stays.
    pub(crate) fn grant(&mut self, bytes: usize) {
        self.granted = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// Takes in a fragment.
    pub(crate) fn accept<'f>(&mut self, arrival: Arrival<'_>, fragment: Fragment<'f>) -> Accepted<'f> {
        self.take_in(arrival, fragment, true)
    }

    /// Takes in a fragment for a state machine that waits for something else than messages: even the next expected
    /// message is stored.
    pub(crate) fn hold(&mut self, arrival: Arrival<'_>, fragment: Fragment<'_>) -> Accepted<'static> {
        match self.take_in(arrival, fragment, false) {
            Accepted::Duplicate => Accepted::Duplicate,
            Accepted::Dropped(fault) => Accepted::Dropped(fault),
            Accepted::Kept | Accepted::Whole(_) => Accepted::Kept,
        }
    }

    fn take_in<'f>(&mut self, arrival: Arrival<'_>, fragment: Fragment<'f>, deliver: bool) -> Accepted<'f> {
        if u32::from(fragment.message_seq) < self.next {
            return Accepted::Duplicate;
        }
        let deliver = deliver && u32::from(fragment.message_seq) == self.next && fragment.is_whole();
        let place =
            self.check(arrival, &fragment, deliver).and_then(|()| self.place_of(arrival.epoch, &fragment));
        let place = match place {
            Ok(place) => place,
            Err(fault) => return Accepted::Dropped(fault),
        };
        if deliver {
            self.displaced |= place.is_contradicted(arrival.epoch, &self.partials);
            self.advance(place.index());
            return Accepted::Whole(Message {
                epoch: arrival.epoch,
                msg_type: fragment.msg_type,
                message_seq: fragment.message_seq,
                body: fragment.payload,
            });
        }
        match place {
            Place::Agrees(index) => self.add(index, arrival, &fragment),
            Place::New | Place::Displaces(_) => self.store(place, arrival, &fragment),
        }
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

    /// Expects another message next, and forgets what is buffered of all others.
    pub(crate) fn restart_at(&mut self, next: u16) {
        self.next = next.into();
        self.keep(|_| false);
    }

    /// From now on messages that were not processed yet must arrive in `epoch` or later: their keys exist.
    ///
    /// Pieces held from earlier epochs are forgotten, so that no message is put together across a key change
    /// and nothing that was written without the keys is read as if it had been protected by them.
    pub(crate) fn require_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.keep(|partial| partial.epoch >= epoch);
    }

    /// Bytes of heap in use: at most 4 times the bytes received plus 512, and at most the total.
    pub(crate) fn held_bytes(&self) -> usize {
        let table = self.partials.capacity().saturating_mul(size_of::<Partial>());
        self.partials.iter().map(Partial::held_bytes).fold(table, usize::saturating_add)
    }

    /// Whether pieces were given up for others that contradict them, since the last call.
    pub(crate) fn take_displaced(&mut self) -> bool {
        mem::take(&mut self.displaced)
    }

    /// The message that the peer cannot get across because of its length, if there is one: it was refused, and has not come
    /// in another form since.
    pub(crate) fn refused(&self, limits: &Limits) -> Option<(HandshakeType, TooLong)> {
        let refused = self.refused.filter(|refused| u32::from(refused.message_seq) >= self.next)?;
        Some((refused.msg_type, limits.check(refused.bound, refused.length).err()?))
    }

    /// When parts of a message have been buffered for too long.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let deadlines = self.partials.iter().map(Partial::deadline);
        deadlines.min().filter(|_| self.is_post_handshake)
    }

    /// Forgets what has been buffered for too long.
    pub(crate) fn expire(&mut self, now: Duration) {
        if self.is_post_handshake {
            self.keep(|partial| partial.deadline() > now);
        }
    }

    /// Holds a fragment against what may come and how long it may be. A whole message that is delivered at once costs
    /// nothing: whether its type and its fixed length fit is the state's own question.
    fn check(
        &mut self,
        arrival: Arrival<'_>,
        fragment: &Fragment<'_>,
        delivered: bool,
    ) -> Result<(), FragmentFault> {
        let Arrival { epoch, expectation, limits, .. } = arrival;
        let (msg_type, message_seq) = (fragment.msg_type, fragment.message_seq);
        let distance = u32::from(message_seq).saturating_sub(self.next);
        fragment.end()?;
        if distance > self.messages_ahead(limits).into() {
            return Err(FragmentFault::TooFarAhead);
        }
        if epoch < self.epoch {
            return Err(FragmentFault::StaleEpoch);
        }
        match expectation.bound_of(msg_type, distance) {
            None if delivered => return Ok(()),
            None => {
                let expected = expectation.name();
                return Err(FragmentFault::Unexpected { expected, received: msg_type });
            }
            Some(Bound::Fixed(_)) if delivered => {}
            Some(bound) => limits.check(bound, fragment.length).map_err(|fault| {
                self.refused = Some(Refused { message_seq, msg_type, length: fragment.length, bound });
                FragmentFault::TooLong(msg_type, fault)
            })?,
        }
        if fragment.payload.is_empty() && fragment.length != 0 {
            return Err(FragmentFault::Empty);
        }
        Ok(())
    }

    /// Where earlier fragments of the same message are, and whether they agree with this one.
    ///
    /// Without keys the newest fragment is as good as any, and fragments that contradict it give way: a planted one must not
    /// keep the genuine message out. Under keys a contradiction is the peer's own.
    fn place_of(&self, epoch: u64, fragment: &Fragment<'_>) -> Result<Place, FragmentFault> {
        let same = |partial: &Partial| partial.message_seq == fragment.message_seq;
        let Some((index, partial)) = self.partials.iter().enumerate().find(|(_, partial)| same(partial))
        else {
            return Ok(Place::New);
        };
        if epoch < partial.epoch {
            return Err(FragmentFault::StaleEpoch);
        }
        let agrees = (fragment.msg_type, fragment.length) == (partial.msg_type, partial.length);
        if agrees && epoch == partial.epoch {
            return Ok(Place::Agrees(index));
        }
        if epoch > 0 && epoch == partial.epoch {
            return Err(FragmentFault::Contradiction);
        }
        // Later keys are better proof: what came without them gives way too.
        Ok(Place::Displaces(index))
    }

    /// Adds a fragment to those of the same message.
    fn add(&mut self, index: usize, arrival: Arrival<'_>, fragment: &Fragment<'_>) -> Accepted<'static> {
        let room = self.room_for(arrival, fragment.message_seq, 0);
        let Some(partial) = self.partials.get_mut(index) else {
            return Accepted::Dropped(FragmentFault::NoRoom);
        };
        let accepted = partial.add(fragment, arrival.limits.pieces, room);
        if matches!(accepted, Accepted::Kept) {
            partial.newest = arrival.now;
        }
        accepted
    }

    /// Stores the first fragment of a message. What it displaces is given up only if there is room for it.
    fn store(&mut self, place: Place, arrival: Arrival<'_>, fragment: &Fragment<'_>) -> Accepted<'static> {
        let displaced = place.index().and_then(|index| self.partials.get(index));
        let freed = displaced.map_or(0, Partial::held_bytes);
        let table = if displaced.is_some() { 0 } else { self.table_growth() };
        let room = self.room_for(arrival, fragment.message_seq, freed);
        let Some(room) = room.checked_sub(table) else { return Accepted::Dropped(FragmentFault::NoRoom) };
        let mut partial = Partial::new(arrival, fragment);
        // A first piece is always one of the allowed ones, even if the setting says none is.
        let accepted = partial.add(fragment, arrival.limits.pieces.max(1), room);
        if matches!(accepted, Accepted::Dropped(_)) {
            return accepted;
        }
        self.displaced |= place.is_contradicted(arrival.epoch, &self.partials);
        if let Some(displaced) = place.index().and_then(|index| self.partials.get_mut(index)) {
            *displaced = partial;
        } else {
            // One allocation for a flight: growing holds two of them for a moment.
            let places = if self.partials.is_empty() { USUAL_FLIGHT } else { 1 };
            self.partials.reserve_exact(places);
            self.partials.push(partial);
        }
        match accepted {
            // The first fragment of an empty message adds no bytes, and yet it is news.
            Accepted::Duplicate => Accepted::Kept,
            accepted => accepted,
        }
    }

    fn messages_ahead(&self, limits: &Limits) -> u16 {
        if self.is_post_handshake {
            limits.messages_ahead.min(POST_HANDSHAKE_AHEAD)
        } else {
            limits.messages_ahead
        }
    }

    /// Bytes of heap that one more message needs in the table.
    fn table_growth(&self) -> usize {
        let capacity = self.partials.capacity();
        let places = match capacity {
            0 => USUAL_FLIGHT,
            _ => usize::from(self.partials.len() >= capacity),
        };
        places.saturating_mul(size_of::<Partial>())
    }

    /// Bytes of heap that a fragment of this message may take up, once `freed` bytes of the same message are given up. What
    /// comes after the next message leaves it room, so that it can always become whole.
    fn room_for(&self, arrival: Arrival<'_>, message_seq: u16, freed: usize) -> usize {
        let total = usize::try_from(self.total.min(self.granted)).unwrap_or(usize::MAX);
        let room = total.saturating_sub(self.held_bytes().saturating_sub(freed));
        if u32::from(message_seq) == self.next {
            return room;
        }
        let bounds = arrival.expectation.next_bounds();
        let most = bounds.map(|bound| arrival.limits.most(bound)).max().unwrap_or(0);
        let held = self.partials.iter().find(|partial| u32::from(partial.message_seq) == self.next);
        let missing = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .saturating_add(RANGES_ROOM)
            .saturating_sub(held.map_or(0, Partial::held_bytes));
        room.saturating_sub(missing)
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

/// Where a fragment belongs among the stored ones.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Nothing of its message is stored.
    New,
    /// With the fragments of the same message at this index.
    Agrees(usize),
    /// Instead of those at this index, which it contradicts.
    Displaces(usize),
}

impl Place {
    const fn index(self) -> Option<usize> {
        match self {
            Self::New => None,
            Self::Agrees(index) | Self::Displaces(index) => Some(index),
        }
    }

    /// Whether what is stored there contradicts a fragment with the same proof of its origin.
    fn is_contradicted(self, epoch: u64, partials: &[Partial]) -> bool {
        let Self::Displaces(index) = self else { return false };
        partials.get(index).is_some_and(|partial| partial.epoch == epoch)
    }
}

/// A message that was longer than its limit.
#[derive(Clone, Copy, Debug)]
struct Refused {
    message_seq: u16,
    msg_type: HandshakeType,
    length: u32,
    bound: Bound,
}

/// A message of which something has arrived.
#[derive(Debug)]
struct Partial {
    epoch: u64,
    /// When its newest piece came.
    newest: Duration,
    length: u32,
    message_seq: u16,
    msg_type: HandshakeType,
    /// Which bytes of the message are held.
    ranges: Ranges,
    /// Those bytes, in order and without the gaps between them: as many as `ranges` has positions.
    bytes: Vec<u8>,
}

impl Partial {
    fn new(arrival: Arrival<'_>, fragment: &Fragment<'_>) -> Self {
        Self {
            epoch: arrival.epoch,
            newest: arrival.now,
            length: fragment.length,
            message_seq: fragment.message_seq,
            msg_type: fragment.msg_type,
            ranges: Ranges::new(),
            bytes: Vec::new(),
        }
    }

    /// Merges a fragment in, with at most `room` more bytes of heap. Fragments may overlap in any way (RFC 9147 section 5.5);
    /// where they do, the bytes that came last stand, so that a retransmission repairs what somebody else has written
    /// without keys.
    fn add(&mut self, fragment: &Fragment<'_>, max_pieces: usize, room: usize) -> Accepted<'static> {
        let range = match fragment.end() {
            Ok(end) => fragment.offset..end,
            Err(fault) => return Accepted::Dropped(fault),
        };
        let covered = self.ranges.rank(range.start)..self.ranges.rank(range.end);
        let known = self.ranges.covers(range.clone());
        let needed = self.bytes.len().saturating_add(fragment.payload.len()).saturating_sub(covered.len());
        let growth = needed.saturating_sub(self.bytes.capacity());
        let Some(spare) = room.checked_sub(growth.saturating_add(self.ranges.next_growth())) else {
            return Accepted::Dropped(FragmentFault::NoRoom);
        };
        if self.ranges.insert(range, max_pieces).is_err() {
            return Accepted::Dropped(FragmentFault::TooManyPieces);
        }
        self.make_room(needed, spare);
        self.bytes.splice(covered, fragment.payload.iter().copied());
        if known { Accepted::Duplicate } else { Accepted::Kept }
    }

    /// Doubles like a vector does, but never beyond the length of the message, nor by more than `spare` bytes beyond what is
    /// needed.
    fn make_room(&mut self, needed: usize, spare: usize) {
        if needed > self.bytes.capacity() {
            let whole = usize::try_from(self.length).unwrap_or(usize::MAX);
            let doubled =
                self.bytes.capacity().saturating_mul(2).min(whole).min(needed.saturating_add(spare));
            self.bytes.reserve_exact(needed.max(doubled).saturating_sub(self.bytes.len()));
        }
    }

    /// When it has been buffered for too long, after the handshake.
    fn deadline(&self) -> Duration {
        self.newest.saturating_add(POST_HANDSHAKE_LIFETIME)
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
