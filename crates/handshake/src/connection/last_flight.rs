//! The flight after which nothing comes, of which so little is kept as is needed to send it again: ChangeCipherSpec and
//! Finished. Owns when and for how long; must not know the handshake that led to it.

use core::ops::Range;
use core::time::Duration;

use drystone_record::{ContentType, Protection, WriteEpoch, WriteEpochs};

use super::flights::Flights;
use crate::flight::{self, AnswerLimit, Fragment, RepeatDetector};
use crate::message::registry::HandshakeType;
use crate::time::Instant;

/// How long the last flight is kept for a peer that has not seen it: twice the 2 minutes of RFC 6347 section 4.2.4
/// ("the 2MSL defined for TCP").
const LIFE: Duration = Duration::from_secs(240);

/// The bytes of verify_data in every suite of DTLS 1.2 (RFC 5246 section 7.4.9).
const VERIFY_DATA_LENGTH: usize = 12;
const MESSAGE_LENGTH: usize = flight::HEADER_LEN + VERIFY_DATA_LENGTH;

/// A Finished that ends the handshake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastFinished {
    pub(crate) message_seq: u16,
    pub(crate) verify_data: [u8; VERIFY_DATA_LENGTH],
}

/// The flight after which nothing comes: repeated whenever the peer shows by repeating its own that ours was lost.
///
/// It is part of an idle association for four minutes, so its size counts. It never needs more than one datagram: its
/// two records are shorter than the least MTU.
#[derive(Debug)]
pub(super) struct LastFlight {
    finished: LastFinished,
    is_unsent: bool,
    /// The next sequence number of epoch 0, of which nothing else is left.
    plaintext_sequence: u64,
    limit: AnswerLimit,
    repeats: RepeatDetector,
    until: Instant,
}

impl LastFlight {
    /// The flight that the handshake ends with. Takes over how repeats are noticed.
    pub(super) fn new(
        finished: LastFinished,
        flights: &mut Flights,
        writes: &WriteEpochs,
        now: Instant,
    ) -> Self {
        Self {
            finished,
            is_unsent: true,
            plaintext_sequence: writes.get(0).map_or(0, |epoch| epoch.next_number().sequence),
            limit: flights.timer.answer_limit(now.since_origin()),
            repeats: core::mem::take(&mut flights.repeats),
            until: now + LIFE,
        }
    }

    /// Whether it waits to be written, for the first time or again.
    pub(super) fn is_unsent(&self) -> bool {
        self.is_unsent
    }

    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Writes the flight to the start of `out` if it is unsent; the length of the datagram.
    pub(super) fn write(&mut self, writes: &mut WriteEpochs, out: &mut [u8]) -> Option<usize> {
        if !self.is_unsent {
            return None;
        }
        let mut plaintext = WriteEpoch::new(0, Protection::plaintext());
        plaintext.set_next_sequence(self.plaintext_sequence).ok()?;
        // RFC 5246 section 7.1: a single byte of value 1.
        let change = seal(&mut plaintext, ContentType::CHANGE_CIPHER_SPEC, &[1], out)?;
        let rest = out.get_mut(change.end..)?;
        let finished = seal(writes.current_mut(), ContentType::HANDSHAKE, &self.message(), rest)?;
        self.plaintext_sequence = plaintext.next_number().sequence;
        self.is_unsent = false;
        change.end.checked_add(finished.end)
    }

    /// Finished, whole and with its header.
    fn message(&self) -> [u8; MESSAGE_LENGTH] {
        const LENGTH: u32 = VERIFY_DATA_LENGTH as u32;
        let LastFinished { message_seq, verify_data } = self.finished;
        let header = flight::header(HandshakeType::FINISHED, LENGTH, message_seq, 0, LENGTH);
        let mut message = [0; MESSAGE_LENGTH];
        for (to, from) in message.iter_mut().zip(header.into_iter().chain(verify_data)) {
            *to = from;
        }
        message
    }

    /// Sends the flight again if this fragment, which is authenticated, ends a repeat of the peer's last flight.
    /// Returns whether the fragment is part of such a repeat at all.
    pub(super) fn answer_repeat(&mut self, now: Instant, epoch: u64, fragment: &Fragment<'_>) -> bool {
        let repeated = self.repeats.observe(epoch, fragment);
        if repeated && !self.is_unsent && self.limit.may_answer(now.since_origin()) {
            self.is_unsent = true;
        }
        repeated
    }
}

/// Seals a payload at the start of `out`; where the record lies.
fn seal(
    epoch: &mut WriteEpoch,
    content_type: ContentType,
    payload: &[u8],
    out: &mut [u8],
) -> Option<Range<usize>> {
    let start = epoch.overhead().prefix;
    let place = start..start.saturating_add(payload.len());
    out.get_mut(place.clone())?.copy_from_slice(payload);
    Some(epoch.seal(content_type, out, place).ok()?.range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MIN_MTU;

    #[test]
    fn it_is_small() {
        assert!(size_of::<LastFlight>() <= 88, "{}", size_of::<LastFlight>());
    }

    /// With the largest nonce and tag of any suite.
    #[test]
    fn its_records_fit_the_least_mtu() {
        const PLAINTEXT: usize = 13 + 1;
        const PROTECTED: usize = 13 + 8 + MESSAGE_LENGTH + 16;
        const { assert!(PLAINTEXT + PROTECTED <= MIN_MTU) };
    }
}
