//! The honest end that the rogue works on: one of our associations, with its clock and, for a server, its gate.

use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::{
    ClientAuth, ClientConfig, Connected, Connection, Credentials, Datagram, Discard, Error, Event, Gate,
    Instant, Misuse, PartialHellos, Path, PeerVerifier, ServerConfig, Settings, Start, Stranger, Verdict,
};

use crate::alloc::{Allocations, measure};
use crate::clock::Clock;
use crate::identity::{Identity, name};
use crate::pair::CLIENT_ID;
use crate::scenario::other_identity;

/// How a server asks for a certificate: `ClientAuth::Request` or `ClientAuth::Require`.
pub type Asks = fn(Arc<dyn PeerVerifier>) -> ClientAuth;

/// One of our associations under attack.
#[derive(Debug)]
pub struct Victim {
    /// The association; a server has none before a good cookie.
    pub connection: Option<Connection>,
    /// The gate, of a server that asks for cookies.
    pub gate: Option<Gate>,
    /// What the gate holds of hellos in pieces.
    pub partial: Option<PartialHellos>,
    /// Its time.
    pub clock: Clock,
    /// What the handshake settled, once connected.
    pub connected: Option<Box<Connected>>,
    /// Every event but `Connected`.
    pub events: Vec<Event>,
    /// Application data that it was given.
    pub received: Vec<Vec<u8>>,
    server_config: Option<Arc<ServerConfig>>,
}

impl Victim {
    /// A client that expects the usual name.
    pub fn client(config: Arc<ClientConfig>) -> Self {
        let clock = Clock::new();
        let connection =
            Connection::client(config, name(), start(&clock)).expect("a source of random numbers");
        Self { connection: Some(connection), ..Self::nobody(clock) }
    }

    /// A server behind a gate.
    pub fn server(config: Arc<ServerConfig>) -> Self {
        let gate = Gate::new(&config).expect("a source of random numbers");
        let partial = Some(gate.partial_hellos());
        Self { gate: Some(gate), partial, server_config: Some(config), ..Self::nobody(Clock::new()) }
    }

    /// A server that asks for no cookie.
    pub fn server_without_cookie(config: Arc<ServerConfig>) -> Self {
        let clock = Clock::new();
        let connection = Connection::server_without_cookie(config, Path::default(), start(&clock));
        Self { connection: Some(connection.expect("a server begins")), ..Self::nobody(clock) }
    }

    /// A client that has a certificate under another root, should it be asked.
    ///
    /// # Panics
    /// If the settings do not work.
    pub fn certified_client(settings: Settings) -> Self {
        let config = ClientConfig::new(settings, Identity::p256().policy()).expect("settings that work");
        let credentials = Credentials::single(other_identity().credential());
        Self::client(Arc::new(config.with_credentials(credentials)))
    }

    /// A server behind a gate that asks for a certificate under another root.
    ///
    /// # Panics
    /// If the settings do not work.
    pub fn asking_server(settings: Settings, asks: Asks) -> Self {
        let credentials = Credentials::single(Identity::p256().credential());
        let config = ServerConfig::new(settings, credentials).expect("settings that work");
        Self::server(Arc::new(config.with_client_auth(asks(Arc::new(other_identity().policy())))))
    }

    fn nobody(clock: Clock) -> Self {
        Self {
            connection: None,
            gate: None,
            partial: None,
            clock,
            connected: None,
            events: Vec::new(),
            received: Vec::new(),
            server_config: None,
        }
    }

    /// The association.
    ///
    /// # Panics
    /// If there is none yet.
    pub fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("an association exists")
    }

    /// Whether it is connected.
    pub fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_connected)
    }

    /// Why it failed, if it did.
    pub fn error(&self) -> Option<&Error> {
        self.connection.as_ref().and_then(Connection::error)
    }

    /// How often it has dropped something for this reason.
    pub fn discards(&self, reason: Discard) -> u32 {
        self.connection.as_ref().map_or(0, |connection| connection.stats().get(reason))
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.clock.now())
    }

    /// Hands it a datagram; what it answers.
    pub fn give(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        let mut bytes = datagram.to_vec();
        if self.connection.is_none()
            && let Some(reply) = self.greet(&mut bytes)
        {
            return reply;
        }
        let now = self.now();
        let connection = self.connection.as_mut().expect("the gate has let it in");
        let mut datagram = Datagram::new(Path::default(), &mut bytes);
        while let Some(data) = connection.receive(now, &mut datagram) {
            self.received.push(data.payload.to_vec());
        }
        self.take_output()
    }

    /// Hands it datagrams and asks for nothing; what it did with the heap.
    pub fn flood(&mut self, datagrams: &mut [Vec<u8>]) -> Allocations {
        let now = self.now();
        let connection = self.connection.as_mut().expect("an association exists");
        let ((), heap) = measure(|| {
            for bytes in datagrams {
                let mut datagram = Datagram::new(Path::default(), bytes);
                while let Some(data) = connection.receive(now, &mut datagram) {
                    core::hint::black_box(data.payload.len());
                }
            }
        });
        heap
    }

    /// Lets the gate look; what it answers, or nothing if it lets the datagram in.
    fn greet(&mut self, bytes: &mut [u8]) -> Option<Vec<Vec<u8>>> {
        let gate = self.gate.as_ref().expect("a server without association has a gate");
        let partial = self.partial.as_mut().expect("a gate has its pool");
        let start = start(&self.clock);
        let mut reply = [0; Gate::MAX_REPLY];
        let sender = Stranger { id: CLIENT_ID, network: &[] };
        let mut datagram = Datagram::new(Path::default(), bytes);
        match gate.answer_or_hold(start, sender, &mut datagram, partial, &mut reply) {
            Verdict::Drop(_) | Verdict::Hold => Some(Vec::new()),
            Verdict::Reply(length) | Verdict::Refuse { length, .. } => Some(vec![reply[..length].to_vec()]),
            Verdict::Accept(greeting) => {
                let config = self.server_config.clone().expect("a server");
                self.connection = Some(Connection::server(config, greeting, start).expect("a server begins"));
                None
            }
        }
    }

    /// Takes what it has to send and to tell.
    pub fn take_output(&mut self) -> Vec<Vec<u8>> {
        let now = self.now();
        let Some(connection) = &mut self.connection else { return Vec::new() };
        let mut datagrams = Vec::new();
        let mut out = vec![0; 2048];
        while let Some(transmit) = connection.poll_transmit(now, &mut out) {
            datagrams.push(out[..transmit.len].to_vec());
        }
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Connected(connected) => self.connected = Some(connected),
                event => self.events.push(event),
            }
        }
        datagrams
    }

    /// Lets time pass, with every timer on the way; what it sends meanwhile.
    pub fn pass(&mut self, time: Duration) -> Vec<Vec<u8>> {
        let end = self.clock.now() + time;
        let mut datagrams = self.take_output();
        while let Some(timeout) = self.connection.as_ref().and_then(Connection::poll_timeout)
            && timeout.since_origin() <= end
        {
            self.clock.advance_to(timeout.since_origin());
            let now = self.now();
            self.connection().handle_timeout(now);
            datagrams.extend(self.take_output());
        }
        self.clock.advance_to(end);
        datagrams
    }

    /// Changes the keys that it writes with (DTLS 1.3).
    ///
    /// # Errors
    /// Those of [`Connection::update_keys`].
    pub fn update_keys(&mut self, request_peer: bool) -> Result<(), Misuse> {
        let now = self.now();
        self.connection().update_keys(now, request_peer)
    }

    /// Sends application data; the datagram.
    ///
    /// # Panics
    /// If it is not connected.
    pub fn send(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0; payload.len() + 64];
        let length = self.connection().send(payload, &mut out).expect("connected");
        out.truncate(length);
        out
    }
}

/// What a connection that starts now is told.
pub fn start(clock: &Clock) -> Start {
    Start { now: Instant::from_origin(clock.now()), unix: Some(clock.unix()) }
}
