//! The flights of a handshake in both directions. What follows in DTLS 1.3 is in `post_flights`.

use core::mem;
use core::time::Duration;

use drystone_record::RecordNumber;

use crate::Error;
use crate::config::{MAX_PLAINTEXT, Settings};
use crate::crypto::Side;
use crate::flight::{
    Acks, Incoming, Outgoing, RECORDS_PER_BURST, Reliability, RepeatDetector, RetransmitTimer, TimerSettings,
};
use crate::time::Instant;
use crate::trace;

#[derive(Debug)]
pub(crate) struct Flights {
    /// The peer's messages on their way to being whole.
    pub(crate) incoming: Incoming,
    /// Our flight in force: sent, and repeated until the peer answers or acknowledges it.
    pub(crate) outgoing: Outgoing,
    pub(crate) timer: RetransmitTimer,
    /// Sees when the peer repeats the flight that ours answers.
    pub(crate) repeats: RepeatDetector,
    /// The peer's records that we have.
    pub(crate) acks: Acks,
    /// The most bytes of plaintext that the peer takes in a protected record.
    pub(super) max_plaintext: u16,
    reliability: Reliability,
    /// Records of the peer's present flight came before the keys for them, and are lost.
    came_too_early: bool,
    /// The message_seq with which the peer's present flight began.
    flight_start: u16,
    pub(super) numbers: MessageNumbers,
}

/// The message_seq of our messages. They never wrap.
#[derive(Debug)]
pub(super) struct MessageNumbers {
    next: u32,
    last: u16,
}

impl MessageNumbers {
    #[cfg(test)]
    pub(super) fn for_test(next: u16) -> Self {
        Self { next: next.into(), last: u16::MAX }
    }

    /// The next number.
    ///
    /// # Errors
    /// [`Error::OwnMessageTooLarge`] if all have been used.
    pub(super) fn take(&mut self) -> Result<u16, Error> {
        let number = u16::try_from(self.next).map_err(|_| Error::OwnMessageTooLarge)?;
        if number > self.last {
            return Err(Error::OwnMessageTooLarge);
        }
        self.next = self.next.saturating_add(1);
        Ok(number)
    }
}

impl Flights {
    pub(crate) fn new(settings: &Settings, side: Side) -> Self {
        Self {
            incoming: Incoming::new(0, settings.limits.total(side)),
            outgoing: Outgoing::new(Reliability::Implicit),
            timer: timer(settings, side),
            repeats: RepeatDetector::new(),
            acks: Acks::default(),
            max_plaintext: MAX_PLAINTEXT as u16,
            reliability: Reliability::Implicit,
            came_too_early: false,
            flight_start: 0,
            numbers: MessageNumbers { next: 0, last: settings.limits.last_message_seq },
        }
    }

    /// The peer limits the records that it takes (RFC 8449 section 4). In DTLS 1.3, where the content type counts, that
    /// concerns flights and ACKs too.
    pub(crate) fn limit_records(&mut self, record_size_limit: u16) {
        self.max_plaintext = record_size_limit.saturating_sub(1).min(self.max_plaintext);
    }

    /// The most bytes of plaintext in a protected record of ours.
    pub(crate) fn max_plaintext(&self) -> usize {
        self.max_plaintext.into()
    }

    /// An empty flight.
    pub(crate) fn new_flight(&self) -> Outgoing {
        Outgoing::new(self.reliability)
    }

    /// The peer acknowledges records.
    pub(crate) fn expect_acks(&mut self) {
        self.reliability = Reliability::Acked;
    }

    /// The peer can open what we send: from now on its records are acknowledged, if its version has ACKs.
    pub(crate) fn send_acks(&mut self) {
        if self.reliability == Reliability::Acked {
            self.acks.enable();
        }
    }

    /// A record of the peer's came before the keys for it.
    pub(crate) fn record_came_too_early(&mut self) {
        self.came_too_early = true;
    }

    /// A datagram of the flight in force is sent, of so many bytes.
    pub(crate) fn sent(&mut self, now: Instant, length: usize) {
        self.timer.sent(now.since_origin(), length);
    }

    /// The message_seq of our next message.
    pub(crate) fn take_message_seq(&mut self) -> Result<u16, Error> {
        self.numbers.take()
    }

    /// A stateless question used up the earlier numbers (RFC 6347 section 4.2.2, RFC 9147 section 5.2).
    pub(crate) fn start_message_seq_at(&mut self, message_seq: u16) {
        self.numbers.next = u32::from(message_seq);
    }

    /// This flight is in force from now on. The peer has answered the previous one, and with this one we answer what
    /// the peer sent.
    pub(crate) fn put_in_force(&mut self, flight: Outgoing) {
        self.outgoing = flight;
        self.timer.arm();
        self.acks.clear();
        self.came_too_early = false;
        self.flight_start = self.incoming.next_message_seq().unwrap_or(u16::MAX);
    }

    /// Takes the flight that is being built out of its place.
    pub(crate) fn flush(&mut self, staged: &mut Outgoing) {
        let flight = mem::replace(staged, self.new_flight());
        self.put_in_force(flight);
    }

    /// Sends the flight in force again, but not before it went out whole once: what an unproven address may not be
    /// sent yet comes first.
    pub(crate) fn repeat(&mut self) {
        repeat(&mut self.outgoing);
    }

    /// Sends all of the flight again at once, cut to another size.
    pub(crate) fn send_again(&mut self, now: Instant) {
        self.outgoing.resume();
        self.timer.sign_of_life(now.since_origin());
    }

    /// The timer has expired: sends the flight again, or what is enough of it where the peer has it.
    pub(crate) fn retransmit(&mut self) {
        if self.timer.is_answered() { self.send_probe() } else { self.repeat() }
    }

    /// The end of the peer's next flight is here, and something before it is missing, in a version without ACKs: a peer that
    /// sees the flight repeated that its own answers sends its own again (RFC 6347 section 4.2.4), at once and not when its
    /// timer expires.
    pub(crate) fn probe(&mut self, now: Instant) {
        if self.reliability == Reliability::Implicit && self.timer.may_probe(now.since_origin()) {
            self.send_probe();
        }
    }

    /// Sends the last message of the flight in force again. One record: peers that read one for each expiry of their timer
    /// lose no more than one by it.
    pub(crate) fn send_probe(&mut self) {
        if !self.outgoing.is_empty() && !self.outgoing.has_unsent() {
            self.outgoing.rewind_to_last_message();
        }
    }

    /// The message_seq with which the peer's present flight began.
    pub(crate) fn flight_start(&self) -> u16 {
        self.flight_start
    }

    /// Lists a record of the peer's present flight. It is acknowledged within a quarter of the timeout, unless our next
    /// flight does so before (RFC 9147 section 7.1).
    ///
    /// At once where more time brings nothing: the peer waits for us before it goes on with a large flight (section
    /// 5.8.3), or we know that records are missing.
    pub(crate) fn acknowledge_soon(&mut self, number: RecordNumber, now: Instant) {
        self.acks.list((number.epoch, number.sequence));
        if self.acks.are_enabled() && (self.came_too_early || self.acks.unsent() >= RECORDS_PER_BURST) {
            self.came_too_early = false;
            return self.acks.send_at(now.since_origin());
        }
        self.acknowledge_again(now);
    }

    /// Acknowledges what is listed within a quarter of the timeout, though there is nothing new.
    pub(crate) fn acknowledge_again(&mut self, now: Instant) {
        let quarter = self.timer.first_wait().checked_div(4).unwrap_or_default();
        self.acks.send_at(now.since_origin().saturating_add(quarter));
    }

    /// The peer has these records of ours. Returns whether it has the whole flight now, and had not before.
    pub(crate) fn acknowledged(&mut self, numbers: impl Iterator<Item = (u64, u64)>, now: Instant) -> bool {
        acknowledged(&mut self.outgoing, &mut self.timer, numbers, now)
    }

    /// A new fragment came, of a message of the peer's next flight that is not whole yet, or not the last.
    pub(crate) fn partly_answered(&mut self, now: Instant, epoch: u64, sent: Option<Duration>) {
        if self.outgoing.is_empty() {
            return;
        }
        self.timer.answered(now.since_origin(), sent);
        match self.reliability {
            // In DTLS 1.2 there is no other word of ours that would make the peer send what is missing.
            Reliability::Implicit => self.timer.partly_answered(now.since_origin()),
            // Authentic, and of the next flight: it implies an ACK of ours (RFC 9147 section 7.1).
            Reliability::Acked if epoch > 0 => self.wait_for_peer(now),
            Reliability::Acked => self.timer.sign_of_life(now.since_origin()),
        }
    }

    /// The peer has our flight, and it is its turn now. The timer goes on: it is what ends a handshake whose peer has
    /// gone silent.
    pub(crate) fn wait_for_peer(&mut self, now: Instant) {
        self.outgoing = self.new_flight();
        self.timer.start(now.since_origin());
    }

    /// The peer has our flight: nothing is sent any more.
    pub(crate) fn stop(&mut self) {
        self.outgoing = self.new_flight();
        self.timer.stop();
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let times = [self.timer.deadline(), self.acks.deadline(), self.incoming.deadline()];
        times.into_iter().flatten().min().map(Instant::from_origin)
    }
}

fn timer(settings: &Settings, side: Side) -> RetransmitTimer {
    let settings = TimerSettings {
        initial: settings.initial_timeout,
        retransmissions: settings.max_retransmissions.into(),
        shrinks: !settings.mtu_is_known,
        ..TimerSettings::default()
    };
    match side {
        Side::Client => RetransmitTimer::new(settings),
        Side::Server => RetransmitTimer::of_server(settings),
    }
}

/// Sends a flight again, but not before it went out whole once: what an unproven address may not be sent yet comes first.
pub(super) fn repeat(outgoing: &mut Outgoing) {
    if !outgoing.has_unsent() {
        trace::retransmission();
        outgoing.rewind();
    }
}

/// The peer has these records of a flight. Returns whether it has the whole flight now, and had not before.
pub(super) fn acknowledged(
    outgoing: &mut Outgoing,
    timer: &mut RetransmitTimer,
    numbers: impl Iterator<Item = (u64, u64)>,
    now: Instant,
) -> bool {
    if outgoing.is_empty() {
        return false;
    }
    let mut said_something = false;
    let acked = outgoing.on_ack(numbers.inspect(|_| said_something = true));
    let news = acked.is_some();
    if news {
        timer.answered(now.since_origin(), acked);
    }
    if outgoing.is_acked() {
        return true;
    }
    if news {
        timer.sign_of_life(now.since_origin());
    }
    // What is missing goes out again at once (RFC 9147 section 7.2); an ACK of nothing asks for the same. Limited,
    // because the peer may acknowledge record by record. What had to wait for the ACK goes on in any case.
    if (news || !said_something) && timer.may_send_missing(now.since_origin()) {
        outgoing.resume();
    } else if news {
        outgoing.go_on();
    }
    false
}
