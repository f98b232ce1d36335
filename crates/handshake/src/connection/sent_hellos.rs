//! When the copies of a client's hello were sent, by record number: a stateless answer repeats the number of the copy that it
//! answers (RFC 6347 section 4.2.1; in DTLS 1.3 by custom), so that its round trip is known however often the hello was sent.

use core::time::Duration;

use drystone_record::{RecordNumber, WriteEpoch};

use super::handshaking::Handshaking;
use super::{Connection, Phase};
use crate::time::Instant;

/// Copies remembered, the newest: with the timers of the RFCs more than go out before a handshake's deadline.
const MAX_COPIES: usize = 8;

/// The transmissions of the present hello.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SentHellos {
    /// The first record number of each, and when it was sent; the oldest first.
    copies: [(u64, Duration); MAX_COPIES],
    count: usize,
}

impl SentHellos {
    /// A copy of the hello is sent, beginning with this record.
    fn note(&mut self, sequence: u64, now: Duration) {
        if self.count == MAX_COPIES {
            self.copies.rotate_left(1);
            self.count -= 1;
        }
        if let Some(place) = self.copies.get_mut(self.count) {
            *place = (sequence, now);
            self.count += 1;
        }
    }

    /// When the copy was sent that this record, or the last one before it, was the first of.
    fn sent_at(&self, sequence: u64) -> Option<Duration> {
        let copies = self.copies.get(..self.count).unwrap_or_default();
        copies.iter().rev().find(|(first, _)| *first <= sequence).map(|(_, at)| *at)
    }
}

impl Connection {
    /// When the copy of our hello was sent that this stateless answer is for, as its number tells; `None` if it is none of
    /// ours.
    pub(super) fn hello_sent_at(&self, answer: RecordNumber) -> Option<Duration> {
        let Phase::Handshaking(handshaking) = &self.phase else { return None };
        let next = self.writes.get(0)?.next_number();
        (answer < next).then(|| handshaking.sent_hellos.sent_at(answer.sequence)).flatten()
    }
}

impl Handshaking {
    /// Takes note of the hello that is about to be written in this epoch, if one is.
    pub(super) fn note_hello(&mut self, now: Instant, plaintext: Option<&WriteEpoch>) {
        let Some(next) = plaintext.map(|epoch| epoch.next_number().sequence) else { return };
        let outgoing = &self.io.flights.outgoing;
        if self.expects_server_hello().is_some() && outgoing.is_at_start() && outgoing.has_unsent() {
            if self.io.flights.timer.is_unsent() {
                self.sent_hellos = SentHellos::default();
            }
            self.sent_hellos.note(next, now.since_origin());
        }
    }
}
