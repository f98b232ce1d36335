//! An association before it is connected: the state machine, its flights and its deadline.

use alloc::boxed::Box;
use core::mem;
use core::time::Duration;

use drystone_record::AdmittedTypes;
use drystone_x509::ServerName;

use super::alert::LingerUntil;
use super::amplification::Amplification;
use super::early::EarlyRecords;
use super::epochs::MessageEpochs;
use super::io::Io;
use super::last_flight::LastFlight;
use super::post_handshake::PostHandshake;
use super::sent_hellos::SentHellos;
use super::{Config, Connection, Phase, Settled};
use crate::client::{self, ClientState};
use crate::config::Settings;
use crate::crypto::Side;
use crate::event::{Answer, Event, Request, RequestId};
use crate::flight::{Arrival, Expired, Incoming, Limits, Message};
use crate::machine::{Context, Input, Next, OpenRequest, Outcome, State};
use crate::message::registry::ProtocolVersion;
use crate::observe::{self, Direction, Observed};
use crate::server::greeting::Greeting;
use crate::server::{ExpectClientHello, ServerState};
use crate::time::{Instant, Start};
use crate::v13::HANDSHAKE_EPOCH;
use crate::{Error, Misuse};

#[derive(Debug)]
pub(super) struct Handshaking {
    pub(super) state: State,
    pub(super) io: Io,
    pub(super) open_request: Option<OpenRequest>,
    deadline: Option<Instant>,
    /// Set while the peer's address is unproven and nobody vouches for it.
    pub(super) amplification: Option<Amplification>,
    /// The time for the handshake of a server that waits for its client: the deadline is so long after the client's first
    /// datagram.
    limit: Option<Duration>,
    /// The random and the message_seq of the hello that a server was greeted with.
    pub(super) hello: Option<([u8; 32], u16)>,
    /// The random of the hello of a server that was not greeted, once its first fragment is here.
    pub(super) random: Option<[u8; 32]>,
    /// Parts of a HelloVerifyRequest.
    pub(super) verify_request: Option<Box<Incoming>>,
    /// The first record number that a client's present hello can have.
    pub(super) hello_sequence: u64,
    /// The copies of a client's present hello.
    pub(super) sent_hellos: SentHellos,
    /// Records whose keys are not there yet.
    pub(super) early: EarlyRecords,
}

impl Handshaking {
    pub(super) fn new(settings: &Settings, side: Side, start: &Start) -> Self {
        Self {
            state: State::Spent,
            io: Io::new(settings, side),
            open_request: None,
            deadline: settings.handshake_deadline.map(|limit| start.now + limit),
            amplification: None,
            limit: None,
            hello: None,
            random: None,
            verify_request: None,
            hello_sequence: 0,
            sent_hellos: SentHellos::default(),
            early: EarlyRecords::default(),
        }
    }

    /// The handshake of a server that was made before its client came begins now.
    pub(super) fn start_deadline(&mut self, now: Instant) {
        if let Some(limit) = self.limit.take() {
            self.deadline = Some(now + limit);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        [self.io.flights.next_timeout(), self.deadline].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, limits: &Limits) -> Result<(), Error> {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(self.timed_out(limits));
        }
        match self.io.flights.timer.expire(now.since_origin()) {
            None => Ok(()),
            Some(Expired::GiveUp) => Err(self.timed_out(limits)),
            Some(Expired::Probe) => {
                self.io.flights.send_probe();
                Ok(())
            }
            Some(Expired::Retransmit) => match self.io.plaintext_alert {
                // Nothing acceptable came since: the alert was no forgery, or the forger has won (rule 1f).
                Some(description) => Err(Error::AlertReceived { description, authenticated: false }),
                None => {
                    self.io.flights.retransmit();
                    Ok(())
                }
            },
        }
    }

    /// Why nothing came of the handshake: a message that we refused for its length, if the peer was not able to get it across in
    /// another form, else its silence.
    fn timed_out(&self, limits: &Limits) -> Error {
        let refused = self.io.flights.incoming.refused(limits);
        refused.map_or(Error::HandshakeTimeout, |(message, fault)| Error::too_long(message, fault))
    }

    /// Bytes of heap in which parts of the peer's messages wait for the rest.
    pub(super) fn buffered_bytes(&self) -> usize {
        let verify_request = self.verify_request.as_ref().map_or(0, |incoming| incoming.held_bytes());
        self.io.flights.incoming.held_bytes().saturating_add(verify_request)
    }

    pub(super) fn linger(&self, now: Instant, settings: &Settings) -> Option<LingerUntil> {
        Some(LingerUntil::new(now, self.deadline, settings))
            .filter(|_| self.deadline.is_none_or(|end| now < end))
    }

    /// The client's first state, if that is where the handshake is.
    pub(super) fn expects_server_hello(&self) -> Option<&client::ExpectServerHello> {
        match &self.state {
            State::Client(ClientState::ServerHello(state)) => Some(state),
            _ => None,
        }
    }

    /// Whether the version has ACKs, or may turn out to.
    pub(super) fn may_need_acks(&self) -> bool {
        self.io.message_epochs == MessageEpochs::Unified || self.expects_server_hello().is_some()
    }

    /// Whether this is a server that has its client's hello.
    pub(super) fn begun_as_server(&self) -> bool {
        matches!(&self.state, State::Server(state) if !state.expects_client_hello())
    }

    /// Whether records may be kept until their keys come: not before there is a hello, which the peer's keys follow from.
    pub(super) fn may_keep_early(&self) -> bool {
        matches!(&self.state, State::Client(_)) || self.begun_as_server()
    }

    /// Whether a server waits for its first message.
    pub(super) fn expects_client_hello(&self) -> bool {
        matches!(self.state, State::Server(ServerState::ClientHello(_)))
    }
}

impl Connection {
    pub(super) fn begin_client(&mut self, server_name: Option<ServerName<'static>>) -> Result<(), Error> {
        let Self { phase: Phase::Handshaking(handshaking), config: Config::Client(config), start, .. } = self
        else {
            return Ok(());
        };
        let io = &mut handshaking.io;
        let mut cx = Context { config: &**config, common: &config.common, start, now: start.now, io };
        handshaking.state = client::hello::start(server_name, &mut cx)?;
        Ok(())
    }

    pub(super) fn begin_server(&mut self, greeting: Option<Greeting>) {
        let limit = self.common().settings.handshake_deadline;
        let Phase::Handshaking(handshaking) = &mut self.phase else { return };
        if greeting.is_none() {
            handshaking.deadline = None;
            handshaking.limit = limit;
        }
        let hello = |proven| State::Server(ServerState::ClientHello(ExpectClientHello::new(proven)));
        let expectation = hello(None).expectation();
        if let Some(greeting) = &greeting {
            let flights = &mut handshaking.io.flights;
            flights.incoming.set_next_message_seq(greeting.message_seq);
            // The question for the cookie was message 0.
            flights.start_message_seq_at(1);
            if let Some(hello) = greeting.held_hello() {
                let limits = &self.config.common().settings.limits;
                let arrival = Arrival { epoch: 0, now: self.start.now.since_origin(), expectation, limits };
                let _ = flights.incoming.hold(arrival, hello);
            }
            handshaking.hello = Some((*greeting.proven.client_random(), greeting.message_seq));
        }
        handshaking.state = hello(greeting.map(|greeting| greeting.proven));
    }

    /// Runs the state machine on a whole message.
    pub(super) fn run_message(&mut self, now: Instant, message: Message<'_>) {
        let Phase::Handshaking(handshaking) = &mut self.phase else { return };
        // If we answer this message, it was the last of its flight.
        handshaking.io.flights.repeats.flight_ended(&message);
        let item = Observed::Handshake {
            msg_type: message.msg_type,
            message_seq: message.message_seq,
            body: message.body,
        };
        let flight = handshaking.io.flights.flight_start();
        self.observe(Direction::Received, item);
        self.run(now, Input::Message(message));
        if let Phase::Handshaking(handshaking) = &mut self.phase {
            let flights = &mut handshaking.io.flights;
            if flights.flight_start() == flight {
                flights.partly_answered(now, message.epoch, None);
            }
            // The peer goes on: the alert was not its own (rule 1f).
            handshaking.io.plaintext_alert = None;
        }
    }

    /// Runs the state machine on messages that were put together or waited.
    pub(super) fn run_ready(&mut self, now: Instant) {
        while let Phase::Handshaking(handshaking) = &mut self.phase
            && handshaking.open_request.is_none()
            && let Some(message) = handshaking.io.flights.incoming.take_ready()
        {
            self.run_message(now, message.as_message());
        }
    }

    pub(super) fn run(&mut self, now: Instant, input: Input<'_>) {
        let Self { phase: Phase::Handshaking(handshaking), config, start, .. } = self else { return };
        let state = mem::replace(&mut handshaking.state, State::Spent);
        match state.step(input, config, start, now, &mut handshaking.io) {
            Err(error) => return self.fail(now, error),
            Ok(Next::State(state)) => handshaking.state = state,
            Ok(Next::Request(state, request)) => {
                handshaking.state = state;
                self.open_request(request);
            }
            Ok(Next::Connected(outcome)) => {
                return self.connect(now, *outcome);
            }
        }
        self.settle();
    }

    /// What every step brings with it.
    fn settle(&mut self) {
        let Phase::Handshaking(handshaking) = &mut self.phase else { return };
        let io = &mut handshaking.io;
        // Not while the message that gives the peer the same keys waits for the rest of its flight: what is sent before it,
        // an alert, could not be read.
        if io.staged.is_empty() {
            for mut epoch in io.new_writes.drain(..) {
                epoch.keep_room_for_alert();
                // The epochs of one handshake only rise.
                let _ = self.writes.install(epoch);
            }
            if self.writes.current().epoch() >= HANDSHAKE_EPOCH {
                io.flights.send_acks();
            }
        }
        for epoch in io.new_reads.drain(..) {
            // Nothing that was written without these keys is read as if it had been protected by them.
            io.flights.incoming.require_epoch(epoch.epoch());
            self.reads.install(epoch);
        }
        if io.message_epochs == MessageEpochs::Unified
            && let Some(epoch) = self.reads.get_mut(0)
        {
            epoch.set_admitted_types(AdmittedTypes::UNIFIED_PLAINTEXT);
        }
        if let Some(epoch) = self.writes.get_mut(0) {
            // The server has answered the first hello.
            epoch.set_header_version(ProtocolVersion::DTLS_1_2.0);
        }
    }

    fn open_request(&mut self, request: Request) {
        let id = RequestId(self.requests);
        self.requests = self.requests.wrapping_add(1);
        if let Phase::Handshaking(handshaking) = &mut self.phase {
            handshaking.open_request = Some(OpenRequest { id, kind: request.kind() });
            self.events.push_back(Event::Request(id, Box::new(request)));
        }
    }

    /// Closes the request that this answers.
    pub(super) fn take_request(&mut self, id: RequestId, answer: &Answer) -> Result<(), Misuse> {
        let Phase::Handshaking(handshaking) = &mut self.phase else { return Err(Misuse::NoSuchRequest) };
        let open = handshaking.open_request.filter(|open| open.id == id).ok_or(Misuse::NoSuchRequest)?;
        if !answer.fits(open.kind) {
            return Err(Misuse::WrongAnswer);
        }
        handshaking.open_request = None;
        Ok(())
    }

    /// The handshake is done: what it needed is dropped, but for a flight that the peer may still ask for.
    fn connect(&mut self, now: Instant, outcome: Outcome) {
        self.settle();
        let Outcome { mut connected, mut established, traffic } = outcome;
        let settings = &self.config.common().settings;
        if settings.keep_peer_chain {
            established.keep_peer_chain(connected.peer_chain.clone());
        }
        connected.peer_chain.shrink_to_fit();
        self.learn_from_flights();
        let Phase::Handshaking(handshaking) = &mut self.phase else { return };
        let next = handshaking.io.flights.incoming.next_message_seq();
        established.set_last_processed(next.map_or(u16::MAX, |next| next.saturating_sub(1)));
        if let Some(finished) = handshaking.io.last_finished.take() {
            let flights = &mut handshaking.io.flights;
            established.keep_last_flight(LastFlight::new(finished, flights, &self.writes, now));
        }
        if let Some(traffic) = traffic {
            let flights = handshaking.io.take_flights(&self.config.common().settings);
            established.keep_flights(PostHandshake::new(flights, traffic));
        }
        self.settled =
            Some(Settled { version: established.version(), srtp_profile: established.srtp_profile });
        self.phase = Phase::Connected(established);
        self.limit_padding();
        self.retire_write_epochs();
        self.events.push_back(Event::Connected(Box::new(connected)));
        self.tell_of_path();
        // What came while the application was asked, behind the flight that ended the handshake.
        self.run_late(now);
    }

    pub(super) fn observe(&self, direction: Direction, item: Observed<'_>) {
        observe::tell(self.common().settings.observer.as_ref(), direction, item);
    }
}
