//! ACKs on their way in and out (RFC 9147 section 7).

use drystone_record::{ContentType, Discard, RecordNumber};

use super::{Connection, Phase};
use crate::Error;
use crate::message::Ack;
use crate::observe::{self, Direction, Observed};
use crate::time::Instant;
use crate::v13::{APPLICATION_EPOCH, HANDSHAKE_EPOCH};

impl Connection {
    /// An ACK came. In plaintext it only counts.
    pub(super) fn ack(&mut self, now: Instant, number: RecordNumber, body: &[u8]) {
        let epoch = number.epoch;
        if epoch < HANDSHAKE_EPOCH {
            return self.stats.count(Discard::UnexpectedAck);
        }
        let Ok(Ack { record_numbers }) = Ack::decode(body) else {
            return self.fail(now, Error::malformed("ACK"));
        };
        // During the handshake an ACK is not sent in a lower epoch than the records that it names (RFC 9147 section 7).
        // Afterwards it may be: the two sides change their keys independently of each other.
        if epoch < APPLICATION_EPOCH && record_numbers.iter().any(|acked| acked.epoch > epoch) {
            return self.fail(now, Error::malformed("ACK"));
        }
        self.observe(Direction::Received, Observed::Ack { epoch, body });
        let numbers = record_numbers.iter().map(|number| (number.epoch, number.sequence));
        match &mut self.phase {
            Phase::Handshaking(handshaking) => {
                let flights = &mut handshaking.io.flights;
                if flights.acknowledged(numbers, now) {
                    flights.wait_for_peer(now);
                }
            }
            Phase::Connected(established) => {
                let Some(post) = established.post_handshake() else { return };
                let acknowledged = post.flights.acknowledged(&numbers, now);
                self.learn_from_flights();
                self.flights_acknowledged(now, acknowledged);
            }
            Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(..) => {
                self.stats.count(Discard::UnexpectedAck);
            }
        }
    }

    /// Writes an ACK to the start of `out` if one is due.
    pub(super) fn write_ack(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        let Self { phase, writes, .. } = self;
        let (acks, max_plaintext, stays_listed) = match phase {
            Phase::Handshaking(handshaking) => {
                let flights = &mut handshaking.io.flights;
                let max_plaintext = flights.max_plaintext();
                (&mut flights.acks, max_plaintext, true)
            }
            Phase::Connected(established) => {
                let flights = &mut established.post_handshake()?.flights;
                if !flights.finished_is_out() {
                    // The peer has no keys for it yet.
                    return None;
                }
                let max_plaintext = flights.max_plaintext();
                (&mut flights.acks, max_plaintext, false)
            }
            Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(..) => return None,
        };
        let epoch = writes.current_mut();
        // Never in plaintext: there are no keys yet, and nobody would believe it.
        if epoch.epoch() < HANDSHAKE_EPOCH || !acks.is_due(now.since_origin()) {
            return None;
        }
        acks.sent();
        let overhead = epoch.overhead();
        let start = overhead.prefix;
        let end = out.len().checked_sub(overhead.suffix)?.min(start.saturating_add(max_plaintext));
        let length = acks.write(out.get_mut(start..end)?)?;
        if !stays_listed {
            acks.clear();
        }
        let payload = start..start.saturating_add(length);
        if let Some(body) = out.get(payload.clone()) {
            let observer = self.config.common().settings.observer.as_ref();
            observe::tell(observer, Direction::Sent, Observed::Ack { epoch: epoch.epoch(), body });
        }
        Some(epoch.seal(ContentType::ACK, out, payload).ok()?.range.end)
    }
}
