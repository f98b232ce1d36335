//! Our flights after the handshake of DTLS 1.3, and the acknowledgements in both directions (RFC 9147 sections 5.8.4 and 7).
//! The one place that knows which of our flights the peer has, when the others are sent again, and what of the peer's is to be
//! acknowledged. Must not know keys, or what follows from an acknowledgement.
//!
//! Each flight ends by its own ACK alone. A peer may send anything else before it has the flight: a server sends application
//! data, NewSessionTicket and KeyUpdate behind its Finished (RFC 9846 sections 2, 4.7.1, 4.7.3), and KeyUpdates cross.

use alloc::vec::Vec;

use drystone_record::RecordNumber;

use super::flights::{self, Flights, MessageNumbers};
use crate::Error;
use crate::flight::{
    Acks, Expired, Fragment, Incoming, Outgoing, Reliability, RepeatDetector, RetransmitTimer, Sealer,
};
use crate::message::registry::HandshakeType;
use crate::time::Instant;

/// A flight of ours until the peer has acknowledged all of it.
#[derive(Debug)]
struct Flight {
    /// The type of its last message: what the flight is about.
    last: HandshakeType,
    outgoing: Outgoing,
    timer: RetransmitTimer,
}

/// Our flights, and what the peer hears of its own.
#[derive(Debug)]
pub(super) struct PostFlights {
    /// In the order in which they began. Without memory while there is none.
    under_way: Vec<Flight>,
    /// Stopped: what the next flight's timer starts from.
    timer: RetransmitTimer,
    /// The peer's records that we have and have not acknowledged.
    pub(super) acks: Acks,
    /// Sees when the peer sends the flight again that our last one of the handshake answers.
    repeats: RepeatDetector,
    numbers: MessageNumbers,
    /// The most bytes of plaintext that the peer takes in a protected record.
    max_plaintext: u16,
    /// The peer's messages before this one are acknowledged by our last flight of the handshake.
    first_acknowledged: u16,
    /// Whether our Finished has been sent: the peer can open nothing in later epochs before.
    finished_is_out: bool,
}

/// What an ACK brought to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// A flight, of whatever kind.
    pub(super) any: bool,
    /// The KeyUpdate.
    pub(super) key_update: bool,
}

impl PostFlights {
    /// Takes over from the handshake: its last flight, if that is ours and needs an ACK, and what is listed of the peer's.
    pub(super) fn new(handshake: Flights) -> (Self, Incoming) {
        let first_acknowledged = handshake.flight_start();
        let Flights { incoming, outgoing, mut timer, repeats, acks, max_plaintext, numbers, .. } = handshake;
        let mut under_way = Vec::new();
        if !outgoing.is_empty() {
            under_way.push(Flight { last: HandshakeType::FINISHED, outgoing, timer: timer.clone() });
        }
        timer.stop();
        let finished_is_out = under_way.is_empty();
        let flights = Self {
            under_way,
            timer,
            acks,
            repeats,
            numbers,
            max_plaintext,
            first_acknowledged,
            finished_is_out,
        };
        (flights, incoming)
    }

    /// The message_seq of the peer's first message that our last flight of the handshake does not acknowledge.
    pub(super) fn first_acknowledged(&self) -> u16 {
        self.first_acknowledged
    }

    /// The most bytes of plaintext in a protected record of ours.
    pub(super) fn max_plaintext(&self) -> usize {
        self.max_plaintext.into()
    }

    // ---- our flights ----

    /// Sends a flight of one message. Returns its message_seq.
    ///
    /// # Errors
    /// [`Error::OwnMessageTooLarge`] if there is no message_seq left.
    pub(super) fn begin(
        &mut self,
        epoch: u64,
        msg_type: HandshakeType,
        body: Vec<u8>,
        now: Instant,
    ) -> Result<u16, Error> {
        let message_seq = self.numbers.take()?;
        let mut outgoing = Outgoing::new(Reliability::Acked);
        outgoing.push_message(epoch, msg_type, message_seq, body).map_err(|_| Error::OwnMessageTooLarge)?;
        let mut timer = self.timer.clone();
        timer.arm();
        // Such flights are begun when they can be written.
        timer.sent(now.since_origin(), 0);
        self.under_way.push(Flight { last: msg_type, outgoing, timer });
        Ok(message_seq)
    }

    /// Whether the peer has everything that we sent.
    pub(super) fn all_acknowledged(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether a message still needs the keys of `epoch`.
    pub(super) fn needs_epoch(&self, epoch: u64) -> bool {
        self.under_way.iter().any(|flight| flight.outgoing.needs_epoch(epoch))
    }

    /// Whether our Finished has been sent, be it lost or not.
    pub(super) fn finished_is_out(&self) -> bool {
        self.finished_is_out
    }

    /// The peer has these records of ours.
    pub(super) fn acknowledged(
        &mut self,
        numbers: &(impl Iterator<Item = (u64, u64)> + Clone),
        now: Instant,
    ) -> Acknowledged {
        let mut done = Acknowledged::default();
        self.under_way.retain_mut(|flight| {
            if !flights::acknowledged(&mut flight.outgoing, &mut flight.timer, numbers.clone(), now) {
                return true;
            }
            done.any = true;
            done.key_update |= flight.last == HandshakeType::KEY_UPDATE;
            flight.timer.answered(now.since_origin(), None);
            flight.timer.stop();
            self.timer.clone_from(&flight.timer);
            false
        });
        if done.any {
            // What followed our Finished can be read only by a peer that has it: it answers the whole of that flight (RFC 9147
            // section 7.2), even if its own ACK was lost.
            self.under_way.retain(|flight| flight.last != HandshakeType::FINISHED);
            self.finished_is_out = true;
        }
        if self.under_way.is_empty() {
            self.under_way = Vec::new();
        }
        done
    }

    /// Sends the flights again whose time has come.
    ///
    /// # Errors
    /// [`Error::HandshakeTimeout`] if the peer acknowledges one of them not at all: it is gone.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        for flight in &mut self.under_way {
            match flight.timer.expire(now.since_origin()) {
                // With ACKs there are no probes.
                None | Some(Expired::Probe) => {}
                Some(Expired::GiveUp) => return Err(Error::HandshakeTimeout),
                Some(Expired::Retransmit) => flights::repeat(&mut flight.outgoing),
            }
        }
        Ok(())
    }

    /// The size that the path was found to carry, in bytes.
    pub(super) fn path_size(&self) -> Option<usize> {
        self.timer.path_size()
    }

    /// Sends all flights again at once, cut to another size.
    pub(super) fn send_again(&mut self) {
        self.under_way.iter_mut().for_each(|flight| flight.outgoing.resume());
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let deadlines = self.under_way.iter().filter_map(|flight| flight.timer.deadline());
        deadlines.chain(self.acks.deadline()).min().map(Instant::from_origin)
    }

    /// Writes the next datagram of our flights to the front of `out`. Its length; 0 if there is nothing to send now.
    pub(super) fn write_datagram(&mut self, sealer: &mut impl Sealer, out: &mut [u8], now: Instant) -> usize {
        let mut written = 0_usize;
        for flight in &mut self.under_way {
            // All of a datagram gets through, or nothing: the most careful flight in it says how large it may be.
            let mtu = flight.timer.effective_mtu(out.len());
            let room = out.get_mut(written..mtu).unwrap_or_default();
            let limit = room.len();
            // What finds no room, or no key, waits for the next datagram or times out.
            let length = flight.outgoing.write_datagram(sealer, room, limit, now.since_origin()).unwrap_or(0);
            if length > 0 {
                flight.timer.sent(now.since_origin(), length);
            }
            written = written.saturating_add(length);
            self.finished_is_out |= flight.last == HandshakeType::FINISHED && flight.outgoing.is_through();
        }
        written
    }

    /// The last flight of the handshake is all that is left to send, once: without it the peer never connects.
    pub(super) fn keep_unsent_finished(&mut self) -> bool {
        self.under_way.retain(|flight| flight.last == HandshakeType::FINISHED);
        !self.finished_is_out
    }

    /// Changes the wait until a flight is sent again for the first time.
    pub(super) fn set_initial_timeout(&mut self, initial: core::time::Duration) {
        self.timer.set_initial(initial);
        for flight in &mut self.under_way {
            flight.timer.set_initial(initial);
        }
    }

    // ---- the peer's ----

    /// A copy of a message that was processed before. Returns whether its record may be acknowledged (again).
    ///
    /// If it is of the flight that our last one of the handshake answers, the peer has not seen that. It is sent again at
    /// once (RFC 9147 section 5.8.1), and says more than an ACK.
    pub(super) fn copy_arrived(&mut self, epoch: u64, fragment: &Fragment<'_>, now: Instant) -> bool {
        if fragment.message_seq >= self.first_acknowledged {
            return true;
        }
        let ends_its_flight = self.repeats.observe(epoch, fragment);
        let finished = self.under_way.iter_mut().find(|flight| flight.last == HandshakeType::FINISHED);
        if let Some(flight) = finished
            && ends_its_flight
            && flight.timer.may_answer_repeat(now.since_origin())
        {
            flights::repeat(&mut flight.outgoing);
        }
        false
    }

    /// Lists a record whose fragments were all taken. A whole message is acknowledged at once; parts of one within a quarter
    /// of the timeout (RFC 9147 section 7.1).
    pub(super) fn acknowledge(&mut self, number: RecordNumber, is_whole: bool, now: Instant) {
        self.acks.list((number.epoch, number.sequence));
        let wait = if is_whole { None } else { self.timer.timeout().checked_div(4) };
        self.acks.send_at(now.since_origin().saturating_add(wait.unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests;
