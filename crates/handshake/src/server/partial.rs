//! First hellos that come in pieces, held in memory that is made once. Knows no version and no cookie: it puts bytes
//! together for the gate, which decides when to ask it.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use drystone_record::Discard;

use crate::config::PartialHelloSettings;
use crate::crypto::Hash;
use crate::flight::Fragment;
use crate::time::Instant;

/// Who sent a datagram, as the gate is told it: bytes of the caller's choice.
///
/// ```
/// use drystone_handshake::Stranger;
///
/// let (address, port) = ([192, 0, 2, 1], 4433_u16);
/// let id = [&address[..], &port.to_be_bytes()].concat();
/// let stranger = Stranger { id: &id, network: &address[..3] };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger<'a> {
    /// What a cookie is bound to: for UDP address and port.
    pub id: &'a [u8],
    /// What many senders have in common if one attacker is behind them: for UDP the first 24 bits of an IPv4 address,
    /// the first 56 of an IPv6 address.
    pub network: &'a [u8],
}

/// The pool of first hellos that did not fit one datagram, as those with a post-quantum key share.
///
/// Made by [`Gate::partial_hellos`](crate::Gate::partial_hellos), one for each thread that asks the gate (or one behind
/// a lock), and lent to [`Gate::answer_or_hold`](crate::Gate::answer_or_hold). All its memory is made at once;
/// [`PartialHelloSettings`] says how much. A sender has one place at most, and a network few; the oldest makes room, so
/// that a flood of first fragments leaves nothing behind when it ends.
pub struct PartialHellos {
    places: Vec<Place>,
    /// Of long names.
    hash: Option<&'static dyn Hash>,
    per_network: usize,
    lifetime: Duration,
    /// How many places were given out: tells which is the oldest where the clock stands still.
    given: u64,
    /// How often all places were looked at.
    #[cfg(test)]
    scans: core::cell::Cell<usize>,
}

/// Memory for one hello.
struct Place {
    tenant: Option<Tenant>,
    bytes: Box<[u8]>,
    /// One bit for each of `bytes`: whether it has come.
    come: Box<[u64]>,
}

/// Whose hello is in a place.
struct Tenant {
    peer: Name,
    network: Name,
    message_seq: u16,
    /// Bytes of the whole, at most those of the place.
    length: usize,
    missing: usize,
    /// When its last fragment came.
    heard: Instant,
    number: u64,
}

/// A name of any length in fixed memory: itself and its length, or a hash and no length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Name([u8; 31], u8);

impl PartialHellos {
    /// No places at all for `None`. Long names are told apart by `hash`.
    pub(super) fn new(settings: Option<&PartialHelloSettings>, hash: Option<&'static dyn Hash>) -> Self {
        let settings = settings.copied().unwrap_or(PartialHelloSettings { places: 0, ..Default::default() });
        let capacity = Place::capacity(settings.place_bytes);
        Self {
            places: (0..settings.places).map(|_| Place::new(capacity)).collect(),
            hash,
            per_network: settings.places_per_network,
            lifetime: settings.lifetime,
            given: 0,
            #[cfg(test)]
            scans: core::cell::Cell::default(),
        }
    }

    /// Every place is looked at: tests count that.
    #[cfg_attr(not(test), allow(clippy::unused_self, reason = "counts in tests alone"))]
    fn count_scan(&self) {
        #[cfg(test)]
        self.scans.set(self.scans.get() + 1);
    }

    /// Looks a sender up: once for all that a datagram has, for this is the one thing here that the number of places makes
    /// slower.
    pub(super) fn sender(&self, now: Instant, stranger: Stranger<'_>) -> Sender {
        let (peer, network) = (self.name(stranger.id), self.name(stranger.network));
        let own = |place: &Place| place.tenant(now, self.lifetime).is_some_and(|tenant| tenant.peer == peer);
        self.count_scan();
        Sender { peer, network, place: self.places.iter().position(own) }
    }

    fn name(&self, bytes: &[u8]) -> Name {
        Name::of(bytes, self.hash)
    }

    /// Takes in a fragment of a ClientHello; the whole body, once it is there, whose place is then free again.
    ///
    /// # Errors
    /// Why it was dropped. A fragment that contradicts what is there is, unless it is a first one: then the client
    /// has begun anew.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        sender: &mut Sender,
        fragment: &Fragment<'_>,
    ) -> Result<Option<&[u8]>, Discard> {
        let piece = Piece::of(fragment)?;
        if piece.length > self.places.first().map_or(0, |place| place.bytes.len()) {
            return Err(Discard::FragmentBeyondLimit);
        }
        let begins = piece.range.start == 0;
        let index = match sender.place {
            Some(index) if self.places.get(index).is_some_and(|place| place.agrees_with(&piece)) => index,
            // Fragments overtake each other, those of a second hello too, whose cookie may be in any of them.
            Some(index)
                if !begins && !self.places.get(index).is_some_and(|place| place.is_older_than(&piece)) =>
            {
                return Err(Discard::ContradictingFragment);
            }
            present => {
                let Sender { peer, network, .. } = *sender;
                let index = present.or_else(|| self.make_room(now, network)).ok_or(Discard::NoRoom)?;
                self.given = self.given.saturating_add(1);
                let (message_seq, length) = (piece.message_seq, piece.length);
                let number = self.given;
                let tenant =
                    Tenant { peer, network, message_seq, length, missing: length, heard: now, number };
                self.places.get_mut(index).ok_or(Discard::NoRoom)?.let_to(tenant);
                index
            }
        };
        let place = self.places.get_mut(index).ok_or(Discard::NoRoom)?;
        place.write(&piece);
        if let Some(tenant) = &mut place.tenant {
            tenant.heard = now;
        }
        let whole = place.take_whole();
        sender.place = Some(index).filter(|_| whole.is_none());
        Ok(whole)
    }

    /// The whole body, if this first fragment was all that was missing of a hello that is held. The sender has no place
    /// afterwards: what else comes is for its association.
    pub(super) fn complete(&mut self, sender: &mut Sender, fragment: &Fragment<'_>) -> Option<&[u8]> {
        let place = self.places.get_mut(sender.place.take()?)?;
        if let Some(piece) = Piece::of(fragment).ok().filter(|piece| place.agrees_with(piece)) {
            place.write(&piece);
        }
        place.vacate()
    }

    /// Gives up what is held of a sender's hello. What is left of an earlier attempt to connect must not become a part
    /// of the next one, which may have hellos of the same number and length.
    pub(super) fn forget(&mut self, sender: &mut Sender) {
        if let Some(place) = sender.place.take().and_then(|index| self.places.get_mut(index)) {
            place.tenant = None;
        }
    }

    /// The place for a newcomer: one of its own network if that has its share already, else a free one, else the
    /// oldest.
    fn make_room(&self, now: Instant, network: Name) -> Option<usize> {
        self.count_scan();
        let tenant = |place: &'_ Place| place.tenant(now, self.lifetime).map(|tenant| tenant.number);
        let is_neighbour =
            |place: &Place| place.tenant(now, self.lifetime).is_some_and(|tenant| tenant.network == network);
        let full = self.places.iter().filter(|place| is_neighbour(place)).count() >= self.per_network;
        let candidates = self.places.iter().enumerate().filter(|(_, place)| !full || is_neighbour(place));
        // None, a free place, is less than any number.
        candidates.min_by_key(|(_, place)| tenant(place)).map(|(index, _)| index)
    }
}

impl core::fmt::Debug for PartialHellos {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PartialHellos")
            .field("places", &self.places.len())
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}

/// Who sent a datagram, and the place that it has.
pub(super) struct Sender {
    peer: Name,
    network: Name,
    place: Option<usize>,
}

/// A fragment with its place in the message as sizes of memory.
struct Piece<'a> {
    message_seq: u16,
    length: usize,
    range: Range<usize>,
    payload: &'a [u8],
}

impl<'a> Piece<'a> {
    fn of(fragment: &Fragment<'a>) -> Result<Self, Discard> {
        let size = |field: u32| usize::try_from(field).map_err(|_| Discard::FragmentBeyondLimit);
        let (length, start) = (size(fragment.length)?, size(fragment.offset)?);
        let end = start.checked_add(fragment.payload.len()).filter(|end| *end <= length);
        let range = start..end.ok_or(Discard::MalformedFragment)?;
        if range.is_empty() {
            return Err(Discard::MalformedFragment);
        }
        Ok(Self { message_seq: fragment.message_seq, length, range, payload: fragment.payload })
    }
}

const WORD: usize = u64::BITS as usize;

/// The words that hold the bits of a range, each with a mask of those bits.
fn words(range: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
    let last = range.end.saturating_sub(1);
    (range.start / WORD..=last / WORD).map(move |word| {
        let base = word.saturating_mul(WORD);
        let from = range.start.saturating_sub(base).min(WORD);
        let to = range.end.saturating_sub(base).min(WORD);
        let below = |bit: usize| u32::try_from(bit).ok().and_then(|bit| 1_u64.checked_shl(bit));
        // The bits below `to` without those below `from`; a shift by 64 has all of them below.
        let mask = |bit| below(bit).map_or(u64::MAX, |power| power.wrapping_sub(1));
        (word, mask(to) & !mask(from))
    })
}

impl Place {
    /// How long a hello in a place of so many bytes can be: a bit of book-keeping goes with each byte of it.
    fn capacity(place_bytes: usize) -> usize {
        let room = place_bytes.saturating_sub(size_of::<Self>());
        // 64 bytes of message and their word.
        (room / (WORD.saturating_add(size_of::<u64>()))).saturating_mul(WORD)
    }

    fn new(capacity: usize) -> Self {
        Self {
            tenant: None,
            bytes: vec![0; capacity].into_boxed_slice(),
            come: vec![0; capacity.div_ceil(WORD)].into_boxed_slice(),
        }
    }

    /// Who is there, unless its time is over.
    fn tenant(&self, now: Instant, lifetime: Duration) -> Option<&Tenant> {
        self.tenant.as_ref().filter(|tenant| now - tenant.heard <= lifetime)
    }

    fn let_to(&mut self, tenant: Tenant) {
        self.come.fill(0);
        self.tenant = Some(tenant);
    }

    /// Whether a piece can be of the same message: what has come twice is the same.
    fn agrees_with(&self, piece: &Piece<'_>) -> bool {
        let fits = |tenant: &Tenant| tenant.message_seq == piece.message_seq && tenant.length == piece.length;
        self.tenant.as_ref().is_some_and(fits)
            && words(piece.range.clone()).all(|(word, mask)| {
                let common = self.come.get(word).copied().unwrap_or(0) & mask;
                common == 0 || self.has_same_bytes(piece, word, common)
            })
    }

    /// Whether a piece is of a later hello of the same client.
    fn is_older_than(&self, piece: &Piece<'_>) -> bool {
        self.tenant.as_ref().is_some_and(|tenant| tenant.message_seq < piece.message_seq)
    }

    fn has_same_bytes(&self, piece: &Piece<'_>, word: usize, bits: u64) -> bool {
        let base = word.saturating_mul(WORD);
        (0..WORD).filter(|bit| bits >> bit & 1 == 1).all(|bit| {
            let position = base.saturating_add(bit);
            let theirs = position.checked_sub(piece.range.start).and_then(|at| piece.payload.get(at));
            self.bytes.get(position) == theirs
        })
    }

    fn write(&mut self, piece: &Piece<'_>) {
        let (Some(tenant), Some(room)) = (&mut self.tenant, self.bytes.get_mut(piece.range.clone())) else {
            return;
        };
        room.copy_from_slice(piece.payload);
        for (word, mask) in words(piece.range.clone()) {
            let Some(come) = self.come.get_mut(word) else { return };
            let new = (mask & !*come).count_ones();
            *come |= mask;
            tenant.missing = tenant.missing.saturating_sub(usize::try_from(new).unwrap_or(0));
        }
    }

    /// The message, if all of it has come: then the place is free.
    fn take_whole(&mut self) -> Option<&[u8]> {
        let tenant = self.tenant.take_if(|tenant| tenant.missing == 0)?;
        self.bytes.get(..tenant.length)
    }

    /// Frees the place. The message, if all of it has come.
    fn vacate(&mut self) -> Option<&[u8]> {
        let tenant = self.tenant.take().filter(|tenant| tenant.missing == 0)?;
        self.bytes.get(..tenant.length)
    }
}

impl Name {
    /// Does not hash addresses of UDP: a flood of hellos has them looked up.
    fn of(bytes: &[u8], hash: Option<&dyn Hash>) -> Self {
        const HASHED: u8 = u8::MAX;
        let mut name = [0; 31];
        if let (Some(room), Ok(length)) = (name.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            room.copy_from_slice(bytes);
            return Self(name, length);
        }
        let digest = hash.map(|hash| hash.hash(&[bytes])).unwrap_or_default();
        Self(digest.as_ref().first_chunk().copied().unwrap_or_default(), HASHED)
    }
}

#[cfg(test)]
mod tests;
