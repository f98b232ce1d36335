//! The way out: flights and alerts are sealed into the caller's buffer, one datagram at a time.

use core::ops::Range;

use drystone_record::{ContentType, WriteEpochs};

use super::alert::PendingAlert;
use super::established::Unsent;
use super::flights::Flights;
use super::post_flights::PostFlights;
use super::{Connection, Phase, Transmit};
use crate::config::{MAX_PLAINTEXT, MIN_MTU};
use crate::flight::{SealFailed, Sealer};
use crate::observe::{Direction, Observed};
use crate::time::Instant;
use crate::v13::HANDSHAKE_EPOCH;

impl Connection {
    /// Writes the next datagram of the handshake, or an alert, to the start of `out`. Call until it returns `None`.
    ///
    /// `out` should have room for the [MTU](Self::mtu); with less, datagrams are cut to what there is, and nothing
    /// is sent into a buffer of less than 228 bytes.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<Transmit> {
        self.start_key_update(now);
        let room = self.mtu.min(out.len());
        let allowance = self.phase.amplification().map_or(usize::MAX, |limit| limit.allowance());
        let room = room.min(allowance);
        if room < MIN_MTU {
            return None;
        }
        let out = out.get_mut(..room)?;
        let len = self
            .write_ack(now, out)
            .or_else(|| self.write_flight(now, out))
            .or_else(|| self.write_alert(out))?;
        if let Some(amplification) = self.phase.amplification() {
            amplification.sent(len);
        }
        Some(Transmit { len, path: self.path })
    }

    fn write_flight(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        let Self { phase, writes, .. } = self;
        match phase {
            Phase::Handshaking(handshaking) => {
                handshaking.note_hello(now, writes.get(0));
                write_flights(now, &mut handshaking.io.flights, writes, out)
            }
            Phase::Connected(established) => match established.post_handshake() {
                Some(post) => write_post_flights(now, &mut post.flights, writes, out),
                None => established.last_flight()?.write(writes, out),
            },
            Phase::Closed(unsent) => match unsent.as_mut()? {
                Unsent::Implicit(flight) => flight.write(writes, out),
                Unsent::Acked(flights) => write_post_flights(now, flights, writes, out),
            },
            Phase::Draining { .. } | Phase::Failed(..) => None,
        }
    }

    fn write_alert(&mut self, out: &mut [u8]) -> Option<usize> {
        let alert = self.alert.take()?;
        let newest = self.writes.current().epoch();
        let epoch = if alert.precedes_finished { HANDSHAKE_EPOCH } else { newest };
        let epoch = self.writes.get_mut(epoch)?;
        let start = epoch.overhead().prefix;
        let payload = start..start.saturating_add(2);
        out.get_mut(payload.clone())?.copy_from_slice(&alert.to_bytes());
        let sealed = epoch.seal(ContentType::ALERT, out, payload).ok()?;
        self.observe_alert(alert, sealed.number.epoch);
        Some(sealed.range.len())
    }

    fn observe_alert(&self, alert: PendingAlert, epoch: u64) {
        let PendingAlert { level, description, .. } = alert;
        self.observe(Direction::Sent, Observed::Alert { level, description, epoch });
    }
}

fn write_flights(
    now: Instant,
    flights: &mut Flights,
    writes: &mut WriteEpochs,
    out: &mut [u8],
) -> Option<usize> {
    let mtu = flights.timer.effective_mtu(out.len());
    // A key that is used up in the middle of a handshake cannot be: what is left unsent then times out.
    let mut sealer = WriteSealer { writes, max_plaintext: flights.max_plaintext() };
    let written = flights.outgoing.write_datagram(&mut sealer, out, mtu, now.since_origin());
    let length = written.ok().filter(|len| *len > 0)?;
    flights.sent(now, length);
    Some(length)
}

fn write_post_flights(
    now: Instant,
    flights: &mut PostFlights,
    writes: &mut WriteEpochs,
    out: &mut [u8],
) -> Option<usize> {
    let mut sealer = WriteSealer { writes, max_plaintext: flights.max_plaintext() };
    Some(flights.write_datagram(&mut sealer, out, now)).filter(|len| *len > 0)
}

/// Seals a flight's records with the connection's epochs.
struct WriteSealer<'a> {
    writes: &'a mut WriteEpochs,
    /// In protected records.
    max_plaintext: usize,
}

impl Sealer for WriteSealer<'_> {
    fn max_plaintext(&self, epoch: u64) -> usize {
        if epoch == 0 { MAX_PLAINTEXT } else { self.max_plaintext }
    }

    fn overhead(&self, epoch: u64) -> Option<(usize, usize)> {
        let overhead = self.writes.get(epoch)?.overhead();
        Some((overhead.prefix, overhead.suffix))
    }

    fn seal(
        &mut self,
        epoch: u64,
        content_type: u8,
        buffer: &mut [u8],
        payload: Range<usize>,
    ) -> Result<(Range<usize>, (u64, u64)), SealFailed> {
        let epoch = self.writes.get_mut(epoch).ok_or(SealFailed)?;
        let sealed = epoch.seal(ContentType(content_type), buffer, payload).map_err(|_| SealFailed)?;
        Ok((sealed.range, (sealed.number.epoch, sealed.number.sequence)))
    }
}
