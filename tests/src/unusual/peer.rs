//! An honest peer with habits: what it answers to what it hears, in both roles and both versions. Owns the order of its
//! messages and its duties (answers, ACKs, retransmissions); cutting and timers are the outbox's, cryptography the rogue's.

use core::time::Duration;
use std::collections::VecDeque;

use drystone_handshake::crypto::Side;
use drystone_handshake::message::{AnyServerHello, KeyUpdateRequest};
use drystone_handshake::{HandshakeType, ProtocolVersion};
use drystone_record::{ContentType, RecordNumber};

use super::extensions;
use super::habits::{AckHabit, CookieHabit, Habits};
use super::outbox::{Item, Outbox, Sending, seal};
use crate::clock::earliest;
use crate::identity::Identity;
use crate::random::SplitMix64;
use crate::rogue::{Heard, Message, Rogue, Step, raw_record};
use crate::scenario::other_identity;

/// The most numbers in one of its ACKs.
const MAX_ACKED: usize = 30;

/// Records that wait to be read, at most: what a socket would keep.
const MAX_QUEUED: usize = 64;

/// The peer.
#[derive(Debug)]
pub struct Unusual {
    /// What it says and hears.
    pub rogue: Rogue,
    /// How it does so.
    pub habits: Habits,
    /// Whether it has the whole handshake of the other side.
    pub is_complete: bool,
    /// The alerts that it was sent.
    pub alerts: Vec<u8>,
    random: SplitMix64,
    outbox: Outbox,
    out: Vec<Vec<u8>>,
    /// Datagrams that are not read yet, the first perhaps in part.
    queue: VecDeque<Vec<u8>>,
    read_at: Option<Duration>,
    /// How much of what the rogue heard has been acted on.
    seen: usize,
    seen_pieces: usize,
    /// The other side's messages from this one on are not acknowledged by our own flight.
    acknowledges_from: u16,
    to_acknowledge: Vec<RecordNumber>,
    acknowledge_at: Option<Duration>,
    asked_for_certificate: bool,
    has_retried: bool,
    hello_verify_request: Vec<u8>,
    /// What it still wants to send after the handshake.
    later: VecDeque<(Step, KeyUpdateRequest)>,
}

impl Unusual {
    /// A peer with these habits. A client has its hello to send.
    pub fn new(habits: Habits, seed: u64) -> Self {
        let identity = if habits.side == Side::Server { Identity::p256() } else { other_identity() };
        let is_13 = habits.version == ProtocolVersion::DTLS_1_3;
        let mut rogue =
            if is_13 { Rogue::new_13(habits.side, identity) } else { Rogue::new(habits.side, identity) };
        if habits.unknown_extensions {
            extensions::add_to(&mut rogue, is_13);
        }
        let mut peer = Self {
            rogue,
            habits,
            is_complete: false,
            alerts: Vec::new(),
            random: SplitMix64::new(seed),
            outbox: Outbox::default(),
            out: Vec::new(),
            queue: VecDeque::new(),
            read_at: None,
            seen: 0,
            seen_pieces: 0,
            acknowledges_from: 0,
            to_acknowledge: Vec::new(),
            acknowledge_at: None,
            asked_for_certificate: false,
            has_retried: false,
            hello_verify_request: Vec::new(),
            later: VecDeque::new(),
        };
        if peer.habits.side == Side::Client {
            peer.begin(Duration::ZERO, &[Step::ClientHello], true);
        }
        peer
    }

    fn is_13(&self) -> bool {
        self.habits.version == ProtocolVersion::DTLS_1_3
    }

    /// Whether it is done, and knows that the other side has everything.
    pub fn is_at_rest(&self) -> bool {
        // The last flight of DTLS 1.2 waits for repeats.
        self.is_complete && self.later.is_empty() && (!self.is_13() || self.outbox.is_empty())
    }

    /// The datagrams to send now.
    pub fn take_output(&mut self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.out)
    }

    /// When it acts next by itself.
    pub fn next_at(&self) -> Option<Duration> {
        earliest([self.outbox.next_at(), self.read_at, self.acknowledge_at])
    }

    /// Application data in its present epoch.
    pub fn data(&mut self, payload: &[u8]) -> Vec<u8> {
        let epoch = self.rogue.present_epoch();
        let Self { rogue, random, habits, .. } = self;
        seal(epoch, ContentType::APPLICATION_DATA, payload, &habits.packing, rogue, random).1
    }

    /// A datagram has arrived.
    pub fn arrive(&mut self, now: Duration, datagram: Vec<u8>) {
        if self.queue.len() < MAX_QUEUED {
            self.queue.push_back(datagram);
        }
        match self.habits.read_interval {
            None => while self.read(now) {},
            Some(interval) => {
                self.read_at.get_or_insert(now + interval);
            }
        }
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Duration) {
        if self.read_at.is_some_and(|at| at <= now) {
            self.read(now);
            let interval = self.habits.read_interval.unwrap_or_default();
            self.read_at = (!self.queue.is_empty()).then_some(now + interval);
        }
        let Self { outbox, habits, rogue, random, .. } = self;
        let (datagrams, which) = outbox.wake(&mut Sending { now, habits, rogue, random });
        self.out.extend(datagrams);
        if self.habits.side == Side::Server && which.contains(&HandshakeType::FINISHED) {
            self.send_half_rtt();
        }
        // What waited for a flight that is not worth sending any more.
        self.send_later(now);
        if self.acknowledge_at.is_some_and(|at| at <= now) {
            self.acknowledge();
        }
    }

    // ---- hearing ----

    /// Reads one record; false if there is none.
    fn read(&mut self, now: Duration) -> bool {
        let Some(mut datagram) = self.queue.pop_front() else { return false };
        self.rogue.hear_first(&mut datagram);
        if !datagram.is_empty() {
            self.queue.push_front(datagram);
        }
        let heard = self.rogue.heard[self.seen..].to_vec();
        self.seen = self.rogue.heard.len();
        for item in heard {
            match item {
                Heard::Message(message) => self.message_heard(now, &message),
                Heard::Repeat(msg_type, message_seq) => self.repeat_heard(now, msg_type, message_seq),
                Heard::Ack { numbers, .. } => self.ack_heard(now, &numbers),
                Heard::Alert { description, .. } => self.alerts.push(description),
                Heard::ChangeCipherSpec | Heard::Data(_) => {}
            }
        }
        self.note_records(now);
        true
    }

    fn message_heard(&mut self, now: Duration, message: &Message) {
        match (self.habits.side, message.msg_type) {
            (_, HandshakeType::KEY_UPDATE) => {
                let has_one = self.outbox.has(HandshakeType::KEY_UPDATE) || !self.later.is_empty();
                if message.body == [1] && !has_one {
                    self.later.push_back((Step::KeyUpdate, KeyUpdateRequest::NotRequested));
                    self.send_later(now);
                }
            }
            (Side::Server, _) => self.heard_by_server(now, message),
            (Side::Client, _) => self.heard_by_client(now, message),
        }
    }

    fn heard_by_server(&mut self, now: Duration, message: &Message) {
        match message.msg_type {
            HandshakeType::CLIENT_HELLO => match self.habits.cookie {
                CookieHabit::Bytes(length) if !self.has_retried => {
                    self.has_retried = true;
                    self.rogue.cookie = vec![0x5a; length];
                    if self.is_13() {
                        self.begin(now, &[Step::HelloRetryRequest], false);
                    } else {
                        self.hello_verify_request = self.rogue.message(Step::HelloVerifyRequest).to_bytes();
                        self.verify_address();
                    }
                }
                _ => self.send_server_flight(now),
            },
            HandshakeType::FINISHED => {
                assert_eq!(self.rogue.peer_finished, Some(true), "an honest peer's Finished fits");
                self.outbox.end(&[HandshakeType::FINISHED, HandshakeType::SERVER_HELLO_DONE]);
                self.is_complete = true;
                if self.is_13() {
                    self.want_later(now);
                } else {
                    self.begin(now, &[Step::ChangeCipherSpec, Step::Finished], false);
                }
            }
            // Any part of the client's flight says that it has ours.
            _ => self.outbox.end(&[HandshakeType::FINISHED, HandshakeType::SERVER_HELLO_DONE]),
        }
    }

    fn send_server_flight(&mut self, now: Duration) {
        self.outbox.end(&[HandshakeType::SERVER_HELLO]);
        let request = self.habits.asks_for_certificate.then_some(Step::CertificateRequest);
        let (before, after): (&[Step], &[Step]) = if self.is_13() {
            (
                &[Step::ServerHello, Step::EncryptedExtensions],
                &[Step::Certificate, Step::CertificateVerify, Step::Finished],
            )
        } else {
            (&[Step::ServerHello, Step::Certificate, Step::ServerKeyExchange], &[Step::ServerHelloDone])
        };
        let steps: Vec<_> = before.iter().copied().chain(request).chain(after.iter().copied()).collect();
        if !self.is_13() {
            // RFC 6347 section 4.2.2: ServerHello has the record number of the hello that it answers, or a later one.
            let hello = self.rogue.numbers_heard().last().map_or(0, |number| number.sequence);
            let _ = self.rogue.epoch(0).set_next_sequence(hello);
        }
        self.begin(now, &steps, true);
        if self.is_13() {
            self.send_half_rtt();
            self.send_early(now);
        }
    }

    fn heard_by_client(&mut self, now: Duration, message: &Message) {
        match message.msg_type {
            HandshakeType::HELLO_VERIFY_REQUEST => self.retry(now),
            HandshakeType::SERVER_HELLO => {
                let is_retry = self.is_13()
                    && matches!(AnyServerHello::decode(&message.body), Ok(AnyServerHello::Retry(_)));
                if is_retry { self.retry(now) } else { self.outbox.end(&[HandshakeType::CLIENT_HELLO]) }
            }
            HandshakeType::CERTIFICATE_REQUEST => self.asked_for_certificate = true,
            HandshakeType::SERVER_HELLO_DONE => {
                let (certificate, proof) = self.certificate_steps();
                let steps = certificate.into_iter().chain([Step::ClientKeyExchange]).chain(proof);
                let steps: Vec<_> = steps.chain([Step::ChangeCipherSpec, Step::Finished]).collect();
                self.begin(now, &steps, true);
            }
            HandshakeType::FINISHED => {
                assert_eq!(self.rogue.peer_finished, Some(true), "an honest peer's Finished fits");
                self.is_complete = true;
                if self.is_13() {
                    let (certificate, proof) = self.certificate_steps();
                    let steps: Vec<_> =
                        certificate.into_iter().chain(proof).chain([Step::Finished]).collect();
                    self.begin(now, &steps, true);
                    self.want_later(now);
                } else {
                    self.outbox.end(&[HandshakeType::FINISHED]);
                }
            }
            _ => {}
        }
    }

    fn certificate_steps(&self) -> (Option<Step>, Option<Step>) {
        let asked = self.asked_for_certificate;
        (asked.then_some(Step::Certificate), asked.then_some(Step::CertificateVerify))
    }

    /// The hello once more, with the cookie that the server asks for.
    fn retry(&mut self, now: Duration) {
        if !self.has_retried {
            self.has_retried = true;
            self.outbox.end(&[HandshakeType::CLIENT_HELLO]);
            self.begin(now, &[Step::ClientHello], true);
        }
    }

    /// HelloVerifyRequest under the record number of the hello that it answers (RFC 6347 section 4.2.1).
    fn verify_address(&mut self) {
        let Some(&hello) = self.rogue.numbers_heard().last() else { return };
        self.out.push(raw_record(ContentType::HANDSHAKE, hello, &self.hello_verify_request));
    }

    fn repeat_heard(&mut self, now: Duration, msg_type: HandshakeType, message_seq: u16) {
        let is_hello = msg_type == HandshakeType::CLIENT_HELLO;
        if is_hello && message_seq == 0 && !self.hello_verify_request.is_empty() {
            return self.verify_address();
        }
        if message_seq >= self.acknowledges_from {
            return;
        }
        // The last flight of DTLS 1.2, and a request for another hello, have no other timer than this.
        let must = (msg_type == HandshakeType::FINISHED && !self.is_13())
            || (is_hello && self.outbox.has(HandshakeType::SERVER_HELLO));
        if !must && !self.habits.answers_repeats {
            return;
        }
        let Self { outbox, habits, rogue, random, .. } = self;
        let mut sending = Sending { now, habits, rogue, random };
        for last in [HandshakeType::SERVER_HELLO, HandshakeType::SERVER_HELLO_DONE, HandshakeType::FINISHED] {
            self.out.extend(outbox.repeat(last, &mut sending));
        }
    }

    fn ack_heard(&mut self, now: Duration, numbers: &[RecordNumber]) {
        let acknowledged = self.outbox.acknowledged(numbers);
        if acknowledged.contains(&HandshakeType::KEY_UPDATE) {
            self.rogue.next_keys();
            if self.habits.side == Side::Client {
                // Under keys that the server has only with the client's Finished (RFC 9147 section 7.2).
                self.outbox.end(&[HandshakeType::FINISHED]);
            }
        }
        self.send_later(now);
    }

    // ---- ACKs ----

    /// Lists the handshake records that have come, and says when to acknowledge them.
    fn note_records(&mut self, now: Duration) {
        let pieces = self.rogue.pieces_heard();
        let new = pieces[self.seen_pieces..].iter();
        let wanted = new.filter(|(_, message_seq, _)| *message_seq >= self.acknowledges_from);
        let wanted: Vec<_> = wanted.map(|(number, ..)| *number).collect();
        self.seen_pieces = pieces.len();
        if !self.is_13() || wanted.is_empty() || self.rogue.present_epoch() < 2 {
            return;
        }
        let wait = match self.habits.acks {
            AckHabit::Eager => Some(Duration::ZERO),
            AckHabit::Late(wait) => Some(wait),
            // The client's last flight, and what comes after the handshake, must be acknowledged.
            AckHabit::Never => self.is_complete.then_some(Duration::ZERO),
        };
        if let Some(wait) = wait {
            self.to_acknowledge.extend(wanted);
            self.acknowledge_at.get_or_insert(now + wait);
            if wait.is_zero() {
                self.acknowledge();
            }
        }
    }

    fn acknowledge(&mut self) {
        self.acknowledge_at = None;
        let mut numbers = core::mem::take(&mut self.to_acknowledge);
        numbers.sort_unstable();
        numbers.dedup();
        let newest = numbers.split_off(numbers.len().saturating_sub(MAX_ACKED));
        if !newest.is_empty() {
            self.out.push(self.rogue.ack(&newest));
        }
    }

    // ---- speaking ----

    /// Sends a flight of the handshake, which acknowledges all that came before.
    fn begin(&mut self, now: Duration, steps: &[Step], repeats: bool) {
        let items = steps.iter().map(|step| self.item(*step)).collect();
        self.acknowledges_from = self.rogue.next_expected();
        (self.to_acknowledge, self.acknowledge_at) = (Vec::new(), None);
        self.send(now, items, repeats);
    }

    fn item(&mut self, step: Step) -> Item {
        if step == Step::ChangeCipherSpec {
            self.rogue.use_keys(true);
            return Item::ChangeCipherSpec;
        }
        let epoch = self.rogue.epoch_of(step);
        Item::message(epoch, self.rogue.message(step))
    }

    fn send(&mut self, now: Duration, items: Vec<Item>, repeats: bool) {
        let Self { outbox, habits, rogue, random, .. } = self;
        self.out.extend(outbox.begin(items, repeats, &mut Sending { now, habits, rogue, random }));
    }

    /// Data behind Finished, in its last datagram where there is room.
    fn send_half_rtt(&mut self) {
        for _ in 0..self.habits.half_rtt_packets {
            let record = self.data(b"early");
            match self.out.last_mut() {
                Some(last) if last.len() + record.len() <= self.habits.packing.datagram => {
                    last.extend(record);
                }
                _ => self.out.push(record),
            }
        }
    }

    /// What a server may send before it has the client's Finished: a ticket only where it asked for no certificate.
    fn send_early(&mut self, now: Duration) {
        let tickets = if self.habits.asks_for_certificate { 0 } else { self.habits.early_tickets };
        self.later.extend((0..tickets).map(|_| (Step::NewSessionTicket, KeyUpdateRequest::NotRequested)));
        if self.habits.early_update {
            self.later.push_back((Step::KeyUpdate, self.request_update()));
        }
        self.send_later(now);
    }

    fn want_later(&mut self, now: Duration) {
        let tickets = if self.habits.side == Side::Server { self.habits.late_tickets } else { 0 };
        self.later.extend((0..tickets).map(|_| (Step::NewSessionTicket, KeyUpdateRequest::NotRequested)));
        let update = (Step::KeyUpdate, self.request_update());
        self.later.extend((0..self.habits.late_updates).map(|_| update));
        self.send_later(now);
    }

    fn request_update(&self) -> KeyUpdateRequest {
        if self.habits.requests_updates {
            KeyUpdateRequest::Requested
        } else {
            KeyUpdateRequest::NotRequested
        }
    }

    /// Each message after the handshake is a flight of its own, and they do not wait for each other. Only a KeyUpdate is the
    /// last message of its epoch, and waits while there is something to repeat under older keys than those that it ends: the
    /// receiver keeps two epochs, not three (RFC 9147 section 8).
    fn send_later(&mut self, now: Duration) {
        while !self.outbox.has(HandshakeType::KEY_UPDATE)
            && let Some((step, request_update)) = self.later.front().copied()
        {
            if step == Step::KeyUpdate && self.outbox.has_data_epoch_before(self.rogue.present_epoch()) {
                return;
            }
            self.later.pop_front();
            self.rogue.request_update = request_update;
            let item = self.item(step);
            self.send(now, vec![item], true);
        }
    }
}
