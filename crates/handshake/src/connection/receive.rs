//! The way in: a datagram's records are opened where they lie and handed to whom they concern.

use drystone_record::{ContentType, Discard, Opened, Protected, RecordNumber};

use super::alert::{FATAL, PendingAlert};
use super::fault::{self, Verdict};
use super::{Config, Connection, Data, Datagram, Phase};
use crate::Error;
use crate::error::Misbehaviour;
use crate::event::{CloseReason, Event};
use crate::flight::{Accepted, Arrival, Fragment};
use crate::message::registry::{AlertDescription, HandshakeType};
use crate::message::{Alert, RETRY_RANDOM};
use crate::observe::{Direction, Observed};
use crate::server::greeting::random_of;
use crate::time::Instant;
use crate::v13::HANDSHAKE_EPOCH;

impl Connection {
    /// Takes in a datagram: call until it returns `None`. Application data is returned where it lies, decrypted, in
    /// the datagram's own buffer; between two calls the connection is free for other calls.
    ///
    /// Whatever is damaged, forged, repeated or unexpected is counted in [`stats`](Self::stats) and dropped.
    pub fn receive<'b>(&mut self, now: Instant, datagram: &mut Datagram<'b>) -> Option<Data<'b>> {
        if let Some(amplification) = self.phase.amplification().filter(|_| datagram.is_fresh()) {
            amplification.received(datagram.length());
        }
        // Every pass consumes at least a record's header, so that the loop ends.
        loop {
            let record = match datagram.next_record(0) {
                None => return None,
                Some(Err(reason)) => {
                    self.stats.count(reason);
                    continue;
                }
                Some(Ok(record)) => record,
            };
            if !self.is_connected() && !self.is_awaited(now, &record) {
                continue;
            }
            if let Some(data) = self.open(now, record) {
                return Some(data);
            }
        }
    }

    /// Whether to open a record now, of an association that is not connected.
    #[cold]
    fn is_awaited(&mut self, now: Instant, record: &Protected<'_>) -> bool {
        if let Phase::Handshaking(handshaking) = &mut self.phase {
            handshaking.start_deadline(now);
        }
        !self.is_over(now) && !self.keep_early(now, record)
    }

    /// Opens a record. Returns its payload if that is application data.
    #[inline]
    fn open<'b>(&mut self, now: Instant, record: Protected<'b>) -> Option<Data<'b>> {
        match self.reads.open(record, now.since_origin()) {
            Ok(opened) => self.opened(now, opened),
            Err(error) => {
                self.apply(now, fault::of_record(error));
                None
            }
        }
    }

    /// Whether records mean nothing any more. A failed handshake may have to say so again.
    fn is_over(&mut self, now: Instant) -> bool {
        match &mut self.phase {
            Phase::Handshaking(_) | Phase::Connected(_) | Phase::Draining { .. } => return false,
            Phase::Closed(_) | Phase::Failed(_, None) => {}
            Phase::Failed(_, Some(linger)) => {
                if let Some(alert) = linger.repeat(now) {
                    self.alert = Some(alert);
                }
            }
        }
        self.stats.count(Discard::AfterClose);
        true
    }

    pub(super) fn apply(&mut self, now: Instant, verdict: Verdict) {
        match verdict {
            Verdict::Discard(Discard::UnknownEpoch) => self.note_early_record(),
            Verdict::Discard(Discard::AuthenticationFailed) => self.after_forgery(),
            _ => {}
        }
        match verdict {
            Verdict::Discard(reason) => self.stats.count(reason),
            Verdict::Fatal(error) => self.fail(now, error),
        }
    }

    fn opened<'b>(&mut self, now: Instant, record: Opened<'b>) -> Option<Data<'b>> {
        let Opened { number, content_type, payload } = record;
        if number.epoch > 0 && payload.len() > self.own_record_limit() {
            // RFC 8449 section 4.
            self.fail(now, Error::RecordOverflow);
            return None;
        }
        if content_type == ContentType::APPLICATION_DATA {
            return self.application_data(now, number, payload);
        }
        self.control(now, number, content_type, payload);
        None
    }

    /// Everything but application data. Never inlined: that way alone is to be short.
    #[inline(never)]
    fn control(&mut self, now: Instant, number: RecordNumber, content_type: ContentType, payload: &[u8]) {
        if number.epoch > 0 {
            self.idle.last_received = Some(now);
        }
        if number.epoch >= HANDSHAKE_EPOCH
            && let Phase::Handshaking(handshaking) = &mut self.phase
        {
            // Whoever has the keys of the handshake has received our ServerHello at its address.
            handshaking.amplification = None;
        }
        match content_type {
            ContentType::HANDSHAKE => self.handshake(now, number, payload),
            ContentType::CHANGE_CIPHER_SPEC => self.change_cipher_spec(number.epoch, payload),
            ContentType::ALERT => self.alert(now, number, payload),
            ContentType::ACK => self.ack(now, number, payload),
            // The epoch admits no other types.
            _ => self.stats.count(Discard::UnexpectedContentType),
        }
        self.open_early(now);
    }

    /// RFC 8449 section 4: our limit binds a peer that has answered it with its own. Padding, which counts as well, is gone
    /// by now.
    fn own_record_limit(&self) -> usize {
        match &self.phase {
            Phase::Connected(established) if established.limits_records() => {
                let limit = self.common().settings.record_size_limit.map_or(usize::MAX, usize::from);
                limit.saturating_sub(established.inner_overhead())
            }
            _ => usize::MAX,
        }
    }

    fn application_data<'b>(
        &mut self,
        now: Instant,
        number: RecordNumber,
        payload: &'b mut [u8],
    ) -> Option<Data<'b>> {
        // Only protected epochs admit application data.
        self.idle.last_received = Some(now);
        if number.epoch == HANDSHAKE_EPOCH {
            // The keys of the handshake protect the handshake alone (RFC 9147 section 6.1), also where it is done by now.
            self.fail(now, Misbehaviour::DataInHandshakeEpoch.into());
            return None;
        }
        match &mut self.phase {
            Phase::Connected(established) if !established.listens() => {}
            Phase::Connected(_) => self.heard_data(),
            _ => {
                if let Some(reason) = self.refuses_data(number) {
                    self.stats.count(reason);
                    return None;
                }
            }
        }
        Some(Data { payload, number })
    }

    #[cold]
    fn refuses_data(&self, number: RecordNumber) -> Option<Discard> {
        match &self.phase {
            Phase::Connected(_) => None,
            // Reordered, not late: the peer sent it before it closed.
            Phase::Draining { close_notify } if number < *close_notify => None,
            Phase::Handshaking(_) => Some(Discard::EarlyApplicationData),
            Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(..) => Some(Discard::AfterClose),
        }
    }

    // ---- ChangeCipherSpec ----

    /// Takes effect only when the keys are there and the peer has to change to them; any other only counts
    /// (threat 42).
    fn change_cipher_spec(&mut self, epoch: u64, payload: &[u8]) {
        if epoch == 0
            && payload == [1]
            && let Phase::Handshaking(handshaking) = &mut self.phase
            && let Some(read) = handshaking.io.pending_read.take()
        {
            // Nothing that was written without the keys is read as if it had been protected by them.
            handshaking.io.flights.incoming.require_epoch(read.epoch());
            self.reads.install(read);
            self.observe(Direction::Received, Observed::ChangeCipherSpec);
        } else {
            self.stats.count(Discard::UnexpectedChangeCipherSpec);
        }
    }

    // ---- alerts ----

    fn alert(&mut self, now: Instant, number: RecordNumber, payload: &[u8]) {
        let authenticated = number.epoch > 0;
        let Ok(Alert { level, description }) = Alert::decode(payload) else {
            let verdict = if authenticated {
                Verdict::Fatal(Error::malformed("Alert"))
            } else {
                Verdict::Discard(Discard::MalformedAlert)
            };
            return self.apply(now, verdict);
        };
        self.observe(
            Direction::Received,
            Observed::Alert { level: level.0, description, epoch: number.epoch },
        );
        // In the epochs of DTLS 1.3 the level means nothing, and what is no farewell is an error (RFC 9846 section 6).
        let is_error = level.0 == FATAL
            || (number.epoch >= HANDSHAKE_EPOCH && description != AlertDescription::USER_CANCELED);
        let ends = is_error || description == AlertDescription::CLOSE_NOTIFY;
        match (&mut self.phase, authenticated) {
            // Warnings in a protected record say nothing that we act on (RFC 5246 section 7.2.2).
            (_, true) if !ends => {}
            (Phase::Connected(_), true) if description == AlertDescription::CLOSE_NOTIFY => {
                self.closed_by_peer(number);
            }
            (Phase::Connected(_) | Phase::Handshaking(_), true) => {
                // RFC 5246 section 7.2.2: no alert answers an alert.
                self.fail(now, Error::AlertReceived { description, authenticated });
            }
            (Phase::Handshaking(handshaking), false) if ends && self.reads.current() == 0 => {
                handshaking.io.plaintext_alert = Some(description);
                if !self.common().settings.plaintext_alert_grace {
                    self.fail(now, Error::AlertReceived { description, authenticated });
                }
            }
            _ => self.stats.count(Discard::StaleAlert),
        }
    }

    /// RFC 5246 section 7.2.1: close_notify is answered with close_notify, once.
    fn closed_by_peer(&mut self, close_notify: RecordNumber) {
        self.phase = Phase::Draining { close_notify };
        self.alert = Some(PendingAlert::close_notify());
        self.events.push_back(Event::Closed(CloseReason::Peer));
    }

    // ---- handshake messages ----

    fn handshake(&mut self, now: Instant, number: RecordNumber, payload: &[u8]) {
        let authenticated = number.epoch > 0;
        let mut rest = payload;
        if rest.is_empty() {
            // RFC 5246 section 6.2.1: there are no empty handshake records.
            let fault = crate::flight::FragmentFault::Truncated;
            return self.apply(now, fault::of_fragment(fault, authenticated));
        }
        let flight = self.phase.flight_start();
        let mut all_taken = true;
        while !rest.is_empty() {
            let (fragment, following) = match Fragment::split_first(rest) {
                Ok(split) => split,
                Err(fault) => return self.apply(now, fault::of_fragment(fault, authenticated)),
            };
            rest = following;
            all_taken &= match &self.phase {
                Phase::Handshaking(_) => self.handshake_fragment(now, number, fragment),
                Phase::Connected(_) => self.late_fragment(now, number, fragment),
                Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(..) => {
                    self.stats.count(Discard::AfterClose);
                    false
                }
            };
        }
        // A flight that our own has answered needs no other acknowledgement.
        if all_taken && self.phase.flight_start() == flight {
            self.acknowledge(now, number);
        }
    }

    /// Lists a record of which everything was taken (RFC 9147 section 7.1).
    fn acknowledge(&mut self, now: Instant, number: RecordNumber) {
        match &mut self.phase {
            Phase::Handshaking(handshaking) if handshaking.may_need_acks() => {
                handshaking.io.flights.acknowledge_soon(number, now);
            }
            Phase::Handshaking(_) => {}
            Phase::Connected(_) => self.acknowledge_late(now, number),
            Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(..) => {}
        }
    }

    /// Returns whether the record may be acknowledged: the fragment was processed, kept or known.
    fn handshake_fragment(&mut self, now: Instant, number: RecordNumber, fragment: Fragment<'_>) -> bool {
        let epoch = number.epoch;
        let sent = self.hello_sent_at(number).filter(|_| is_retry_request(&fragment));
        let Phase::Handshaking(handshaking) = &mut self.phase else { return false };
        if let Err(verdict) = handshaking.io.message_epochs.check(epoch, fragment.msg_type) {
            self.apply(now, verdict);
            return false;
        }
        // RFC 5246 section 7.4.1.1: "ignored by the client if the client is currently negotiating a session".
        if fragment.msg_type == HandshakeType::HELLO_REQUEST && matches!(self.config, Config::Client(_)) {
            self.stats.count(Discard::MessageOutsideWindow);
            return false;
        }
        if let Some(hello) = handshaking.expects_server_hello() {
            let cookies = u16::from(hello.cookies());
            if fragment.msg_type == HandshakeType::HELLO_VERIFY_REQUEST {
                self.verify_request(now, number.sequence, &fragment);
                return false;
            }
            // A stateless server may number its ServerHello after any of its questions.
            let may_follow_question = (1..=cookies).contains(&fragment.message_seq);
            if fragment.msg_type == HandshakeType::SERVER_HELLO && may_follow_question {
                handshaking.io.flights.incoming.set_next_message_seq(fragment.message_seq);
            }
        } else if handshaking.expects_client_hello()
            && handshaking.hello.is_none()
            && fragment.msg_type == HandshakeType::CLIENT_HELLO
        {
            if handshaking.io.flights.incoming.next_message_seq() != Some(fragment.message_seq) {
                // Nobody asked for a cookie here, but another server may have before us: its question had the number
                // before this one, and our answer has the next (RFC 6347 section 4.2.2). Parts of a hello with another
                // number, which anybody may have sent, give way.
                handshaking.io.flights.incoming.restart_at(fragment.message_seq);
                handshaking.io.flights.start_message_seq_at(fragment.message_seq);
            }
            handshaking.random = random_of(&fragment).or(handshaking.random);
        }
        let is_new_hello = fragment.msg_type == HandshakeType::CLIENT_HELLO
            && handshaking.begun_as_server()
            && handshaking
                .io
                .flights
                .incoming
                .next_message_seq()
                .is_some_and(|next| fragment.message_seq >= next);
        if is_new_hello {
            // The client answered a second cookie before it saw our flight, or somebody says so: that hello may begin
            // an association of its own (`is_of`), but it is no message of this one.
            self.stats.count(Discard::MessageOutsideWindow);
            return false;
        }
        let expectation = handshaking.state.expectation();
        let limits = &self.config.common().settings.limits;
        let arrival = Arrival { epoch, now: now.since_origin(), expectation, limits };
        let flights = &mut handshaking.io.flights;
        let is_of_present_flight = fragment.message_seq >= flights.flight_start();
        let incoming = &mut flights.incoming;
        let accepted = match handshaking.open_request {
            None => incoming.accept(arrival, fragment),
            Some(_) => incoming.hold(arrival, fragment),
        };
        if incoming.take_displaced() {
            self.stats.count(Discard::ContradictingFragment);
        }
        match accepted {
            Accepted::Whole(message) => {
                flights.timer.answered(now.since_origin(), sent);
                self.run_message(now, message);
            }
            Accepted::Kept => flights.partly_answered(now, epoch, sent),
            Accepted::Duplicate => {
                self.stats.count(Discard::DuplicateMessage);
                self.answer_repeat(now, epoch, &fragment);
                return is_of_present_flight && self.lists_copy(now, epoch);
            }
            Accepted::Dropped(fault) => {
                self.apply(now, fault::of_fragment(fault, epoch > 0));
                return fault::is_harmless(fault);
            }
        }
        self.run_ready(now);
        true
    }

    /// Whether the record of a copy of the peer's present flight is listed. Once the peer has shown its keys, plaintext that
    /// says nothing new may be anybody's: it is not, but what is listed is acknowledged again. A server that may send no
    /// more before it hears of us waits for that.
    fn lists_copy(&mut self, now: Instant, epoch: u64) -> bool {
        if epoch > 0 || self.reads.current() == 0 {
            return true;
        }
        if let Phase::Handshaking(handshaking) = &mut self.phase {
            handshaking.io.flights.acknowledge_again(now);
        }
        false
    }

    /// The peer repeats the flight that ours answers: it has not seen ours. At once, but not more than once per half
    /// of the timer (threat 24).
    fn answer_repeat(&mut self, now: Instant, epoch: u64, fragment: &Fragment<'_>) {
        let Phase::Handshaking(handshaking) = &mut self.phase else { return };
        let flights = &mut handshaking.io.flights;
        if flights.repeats.observe(epoch, fragment) && flights.timer.may_answer_repeat(now.since_origin()) {
            flights.repeat();
            flights.timer.sign_of_life(now.since_origin());
        }
    }

    /// The rest of a server's flight may overtake its hello, before which its records mean nothing.
    fn note_early_record(&mut self) {
        if let Phase::Handshaking(handshaking) = &mut self.phase {
            handshaking.io.flights.record_came_too_early();
        }
    }

    /// A handshake message after the handshake. In plaintext it never ends an association (threat 41).
    ///
    /// Returns whether the record may be acknowledged.
    fn late_fragment(&mut self, now: Instant, number: RecordNumber, fragment: Fragment<'_>) -> bool {
        let Phase::Connected(established) = &mut self.phase else { return false };
        if number.epoch == 0 {
            self.stats.count(Discard::PlaintextAfterKeys);
            return false;
        }
        if established.post_handshake.is_some() {
            return self.post_handshake_fragment(now, number, fragment);
        }
        self.late_fragment_12(now, number.epoch, &fragment);
        false
    }

    /// DTLS 1.2 has no handshake messages after the handshake but a repeated Finished, and those that would begin
    /// another.
    fn late_fragment_12(&mut self, now: Instant, epoch: u64, fragment: &Fragment<'_>) {
        let Phase::Connected(established) = &mut self.phase else { return };
        let last_flight = established.last_flight();
        if last_flight.is_some_and(|flight| flight.answer_repeat(now, epoch, fragment)) {
            return self.stats.count(Discard::DuplicateMessage);
        }
        match fragment.msg_type {
            // Part of a repeat: of a Finished in pieces, or after the flight was forgotten.
            HandshakeType::FINISHED if established.has_processed(fragment.message_seq) => {
                self.stats.count(Discard::DuplicateMessage);
            }
            // No renegotiation: refused with a warning (RFC 5246 section 7.2.2), which ends nothing. One for each
            // message, however many fragments it has.
            HandshakeType::HELLO_REQUEST | HandshakeType::CLIENT_HELLO => {
                if fragment.offset == 0 && established.refuses_renegotiation() {
                    self.alert.get_or_insert(PendingAlert::no_renegotiation());
                } else {
                    self.stats.count(Discard::MessageOutsideWindow);
                }
            }
            received => {
                self.fail(now, Error::UnexpectedMessage { expected: "application data", received });
            }
        }
    }
}

/// Whether a fragment has the beginning of a HelloRetryRequest. Stateless servers, ours among them, repeat the record number of
/// the hello in it, as RFC 6347 section 4.2.1 asks of a HelloVerifyRequest; RFC 9147 does not say. Retransmissions of a
/// ServerHello count on from there: the number of the third may be that of any hello.
fn is_retry_request(fragment: &Fragment<'_>) -> bool {
    fragment.msg_type == HandshakeType::SERVER_HELLO
        && fragment.offset == 0
        && fragment.payload.get(2..34) == Some(&RETRY_RANDOM)
}
