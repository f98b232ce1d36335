//! What the unusual peer sends reliably: its flights, how they are cut and packed, what of them has arrived, when they are
//! sent again. Owns no order of messages; the keys are the rogue's.

use core::ops::Range;
use core::time::Duration;
use std::collections::BTreeMap;

use drystone_handshake::HandshakeType;
use drystone_record::{ContentType, RETENTION, RecordNumber, UnifiedForm};

use super::habits::{Habits, Packing};
use crate::random::SplitMix64;
use crate::rogue::{Message, Rogue};

/// The longest wait between two transmissions.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest record without its protection.
const MAX_RECORD: usize = 1100;

/// Something in a flight.
#[derive(Debug)]
pub(super) enum Item {
    /// A handshake message under the keys of an epoch.
    Message {
        /// The epoch.
        epoch: u64,
        /// The message.
        message: Message,
        /// Which bytes the peer has acknowledged; a single one stands for an empty message.
        acknowledged: Vec<bool>,
    },
    /// DTLS 1.2 alone.
    ChangeCipherSpec,
}

impl Item {
    /// A message of which nothing is acknowledged.
    pub(super) fn message(epoch: u64, message: Message) -> Self {
        let acknowledged = vec![false; message.body.len().max(1)];
        Self::Message { epoch, message, acknowledged }
    }

    fn is_acknowledged(&self) -> bool {
        match self {
            Self::Message { acknowledged, .. } => acknowledged.iter().all(|byte| *byte),
            Self::ChangeCipherSpec => true,
        }
    }
}

/// Messages that are sent together until something ends them.
#[derive(Debug)]
pub(super) struct Flight {
    /// The type of the last message.
    pub(super) last: HandshakeType,
    items: Vec<Item>,
    /// When it is sent again; `None` if only a repeat of the peer's brings it.
    next_at: Option<Duration>,
    timeout: Duration,
    began: Duration,
    sent_at: Duration,
}

impl Flight {
    /// Nobody can read it any more: it was sent under older keys of application data, which the receiver keeps for twice the
    /// maximum segment lifetime (RFC 9147 section 4.2.1). A ticket is not worth more.
    fn is_stale(&self, now: Duration, present_epoch: u64) -> bool {
        let is_old = |item: &Item| match item {
            Item::Message { epoch, .. } => (3..present_epoch).contains(epoch),
            Item::ChangeCipherSpec => false,
        };
        now >= self.began + RETENTION && self.items.iter().all(is_old)
    }
}

/// All flights under way.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    flights: Vec<Flight>,
    sent: BTreeMap<RecordNumber, Vec<(u16, Range<usize>)>>,
}

/// A fragment that is to be put into a record.
struct Piece {
    epoch: u64,
    content_type: ContentType,
    bytes: Vec<u8>,
    message_seq: u16,
    range: Range<usize>,
}

/// When and how something is sent.
pub(super) struct Sending<'a> {
    /// The time.
    pub(super) now: Duration,
    /// See [`Habits`].
    pub(super) habits: &'a Habits,
    /// Who has the keys.
    pub(super) rogue: &'a mut Rogue,
    /// Where the accidents come from.
    pub(super) random: &'a mut SplitMix64,
}

impl Outbox {
    /// Sends a flight, and sends it again by a timer if `repeats`.
    pub(super) fn begin(
        &mut self,
        items: Vec<Item>,
        repeats: bool,
        sending: &mut Sending<'_>,
    ) -> Vec<Vec<u8>> {
        let Sending { now, habits, .. } = *sending;
        let last = items.iter().rev().find_map(|item| match item {
            Item::Message { message, .. } => Some(message.msg_type),
            Item::ChangeCipherSpec => None,
        });
        let flight = Flight {
            last: last.expect("a flight has a message"),
            items,
            next_at: repeats.then(|| now + habits.timeout),
            timeout: habits.timeout,
            began: now,
            sent_at: now,
        };
        let datagrams = transmit(&flight, &mut self.sent, sending);
        self.flights.push(flight);
        datagrams
    }

    /// When something is sent next.
    pub(super) fn next_at(&self) -> Option<Duration> {
        self.flights.iter().filter_map(|flight| flight.next_at).min()
    }

    /// Whether nothing waits for its end.
    pub(super) fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// Whether a flight ends with this message.
    pub(super) fn has(&self, last: HandshakeType) -> bool {
        self.flights.iter().any(|flight| flight.last == last)
    }

    /// Whether something waits for its ACK that was sent under keys of application data before those of `epoch`.
    pub(super) fn has_data_epoch_before(&self, epoch: u64) -> bool {
        let items = self.flights.iter().flat_map(|flight| &flight.items);
        items.into_iter().any(|item| match item {
            Item::Message { epoch: sent_in, .. } => (3..epoch).contains(sent_in),
            Item::ChangeCipherSpec => false,
        })
    }

    /// Ends the flights that end with these messages: the peer has answered.
    pub(super) fn end(&mut self, last: &[HandshakeType]) {
        self.flights.retain(|flight| !last.contains(&flight.last));
    }

    /// What is due by its timer.
    pub(super) fn wake(&mut self, sending: &mut Sending<'_>) -> (Vec<Vec<u8>>, Vec<HandshakeType>) {
        let (now, present_epoch) = (sending.now, sending.rogue.present_epoch());
        self.flights.retain(|flight| !flight.is_stale(now, present_epoch));
        let (mut datagrams, mut which) = (Vec::new(), Vec::new());
        for flight in &mut self.flights {
            if flight.next_at.is_some_and(|at| at <= now) {
                flight.timeout = (flight.timeout * 2).min(LONGEST_TIMEOUT);
                flight.next_at = Some(now + flight.timeout);
                flight.sent_at = now;
                datagrams.extend(transmit(flight, &mut self.sent, sending));
                which.push(flight.last);
            }
        }
        (datagrams, which)
    }

    /// The peer has sent its own flight again. Ours goes out once more, but not sooner than half a timeout after the last
    /// time.
    pub(super) fn repeat(&mut self, last: HandshakeType, sending: &mut Sending<'_>) -> Vec<Vec<u8>> {
        let Sending { now, habits, .. } = *sending;
        let Some(flight) = self.flights.iter_mut().find(|flight| flight.last == last) else {
            return Vec::new();
        };
        if now < flight.sent_at + habits.timeout / 2 {
            return Vec::new();
        }
        flight.sent_at = now;
        transmit(flight, &mut self.sent, sending)
    }

    /// The peer has these records. Returns the last messages of the flights that it has completely now.
    pub(super) fn acknowledged(&mut self, numbers: &[RecordNumber]) -> Vec<HandshakeType> {
        for number in numbers {
            for (seq, range) in self.sent.remove(number).unwrap_or_default() {
                for item in self.flights.iter_mut().flat_map(|flight| &mut flight.items) {
                    if let Item::Message { message, acknowledged, .. } = item
                        && message.message_seq == seq
                    {
                        let range = if message.body.is_empty() { 0..1 } else { range.clone() };
                        acknowledged[range].fill(true);
                    }
                }
            }
        }
        let mut done = Vec::new();
        self.flights.retain(|flight| {
            let is_done = flight.items.iter().all(Item::is_acknowledged);
            if is_done {
                done.push(flight.last);
            }
            !is_done
        });
        done
    }
}

/// One transmission of a flight.
fn transmit(
    flight: &Flight,
    sent: &mut BTreeMap<RecordNumber, Vec<(u16, Range<usize>)>>,
    sending: &mut Sending<'_>,
) -> Vec<Vec<u8>> {
    let Sending { habits, rogue, random, .. } = sending;
    let pieces = flight.items.iter().flat_map(|item| pieces(item, habits, random)).collect();
    let records = records(pieces, sent, &habits.packing, rogue, random);
    let mut datagrams = datagrams(records, &habits.packing);
    if habits.packing.shuffles {
        for place in (1..datagrams.len()).rev() {
            datagrams.swap(place, random.below(place as u64 + 1) as usize);
        }
    }
    datagrams
}

fn pieces(item: &Item, habits: &Habits, random: &mut SplitMix64) -> Vec<Piece> {
    let Item::Message { epoch, message, acknowledged } = item else {
        let content_type = ContentType::CHANGE_CIPHER_SPEC;
        return vec![Piece { epoch: 0, content_type, bytes: vec![1], message_seq: 0, range: 0..0 }];
    };
    let Packing { fragment, cuts_anew, backwards, .. } = habits.packing;
    let (epoch, message_seq) = (*epoch, message.message_seq);
    let content_type = ContentType::HANDSHAKE;
    let piece = |range: Range<usize>| {
        let bytes = message.fragment(range.start, range.len());
        Piece { epoch, content_type, bytes, message_seq, range }
    };
    let is_wanted = |byte: usize| !(habits.omits_acknowledged && acknowledged[byte]);
    if message.body.is_empty() {
        return if is_wanted(0) { vec![piece(0..0)] } else { Vec::new() };
    }
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < message.body.len() {
        if !is_wanted(start) {
            start += 1;
            continue;
        }
        // Not below half, so that a message never has more pieces than a receiver has to take.
        let size = if cuts_anew { fragment - random.below(fragment as u64 / 2) as usize } else { fragment };
        let end = (start..message.body.len().min(start + size)).take_while(|byte| is_wanted(*byte)).count();
        pieces.push(piece(start..start + end));
        start += end;
    }
    if backwards {
        pieces.reverse();
    }
    pieces
}

fn records(
    pieces: Vec<Piece>,
    sent: &mut BTreeMap<RecordNumber, Vec<(u16, Range<usize>)>>,
    packing: &Packing,
    rogue: &mut Rogue,
    random: &mut SplitMix64,
) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut pieces = pieces.into_iter().peekable();
    while let Some(Piece { epoch, content_type, mut bytes, message_seq, range }) = pieces.next() {
        let mut carried = vec![(message_seq, range)];
        while content_type == ContentType::HANDSHAKE
            && carried.len() < packing.fragments_per_record
            && let Some(next) = pieces.next_if(|next| {
                (next.epoch, next.content_type) == (epoch, content_type)
                    && bytes.len() + next.bytes.len() <= MAX_RECORD.min(packing.datagram - 60)
            })
        {
            bytes.extend(next.bytes);
            carried.push((next.message_seq, next.range));
        }
        let (number, record) = seal(epoch, content_type, &bytes, packing, rogue, random);
        if content_type == ContentType::HANDSHAKE {
            sent.insert(number, carried);
        }
        records.push(record);
    }
    records
}

/// A record of the peer's with the numbers and headers that it likes.
pub(super) fn seal(
    epoch: u64,
    content_type: ContentType,
    payload: &[u8],
    packing: &Packing,
    rogue: &mut Rogue,
    random: &mut SplitMix64,
) -> (RecordNumber, Vec<u8>) {
    let write = rogue.epoch(epoch);
    let next = write.next_number().sequence + random.below(packing.jump + 1);
    write.set_next_sequence(next).expect("numbers only rise");
    if packing.short_sequence && epoch >= 2 {
        write.set_unified_form(UnifiedForm { long_sequence: false, length: true });
    }
    let number = write.next_number();
    (number, rogue.record_in(epoch, content_type, payload))
}

fn datagrams(records: Vec<Vec<u8>>, packing: &Packing) -> Vec<Vec<u8>> {
    let mut datagrams: Vec<(usize, Vec<u8>)> = Vec::new();
    for record in records {
        match datagrams.last_mut() {
            Some((count, datagram))
                if *count < packing.records_per_datagram
                    && datagram.len() + record.len() <= packing.datagram =>
            {
                *count += 1;
                datagram.extend(record);
            }
            _ => datagrams.push((1, record)),
        }
    }
    datagrams.into_iter().map(|(_, datagram)| datagram).collect()
}
