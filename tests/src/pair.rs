//! A client and a server in one process, joined by a simulated link and driven by simulated time. Owns the loop that
//! every caller of `Connection` writes; knows nothing of what a scenario wants to see.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use drystone_handshake::{
    ClientConfig, Connected, Connection, Datagram, Event, Gate, Instant, Misuse, PartialHellos, Path,
    ServerConfig, Start, Stranger, Verdict,
};
use rustls_pki_types::ServerName;

use crate::clock::{Clock, earliest};
use crate::link::{Direction, Link, LinkSettings};

/// What the gate binds cookies to, for the one client there is.
pub const CLIENT_ID: &[u8] = b"client";

/// One end of the pair.
#[derive(Debug, Default)]
pub struct End {
    /// The association; a server has none before a good cookie.
    pub connection: Option<Connection>,
    /// What the handshake settled, once connected.
    pub connected: Option<Box<Connected>>,
    /// Application data received, in the order of arrival.
    pub received: VecDeque<Vec<u8>>,
    /// Every event but `Connected`.
    pub events: Vec<Event>,
    /// Whether arriving application data is sent straight back.
    pub echo: bool,
    /// Datagrams sent.
    pub datagrams: usize,
}

impl End {
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

    fn note_events(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Connected(connected) => self.connected = Some(connected),
                event => self.events.push(event),
            }
        }
    }
}

/// A client and a server.
#[derive(Debug)]
pub struct Pair {
    /// Simulated time.
    pub clock: Clock,
    /// What lies between them.
    pub link: Link,
    /// The client.
    pub client: End,
    /// The server.
    pub server: End,
    gate: Option<(Gate, PartialHellos)>,
    server_config: Arc<ServerConfig>,
    /// Steps that took no time.
    instant_steps: usize,
}

impl Pair {
    /// A pair whose server asks for a cookie.
    pub fn new(
        client: Arc<ClientConfig>,
        server: Arc<ServerConfig>,
        name: ServerName<'static>,
        link: Link,
    ) -> Self {
        Self::starting_at(Clock::new(), client, server, name, link)
    }

    /// A pair in given times, for certificates with given dates.
    pub fn starting_at(
        clock: Clock,
        client: Arc<ClientConfig>,
        server: Arc<ServerConfig>,
        name: ServerName<'static>,
        link: Link,
    ) -> Self {
        let gate = Gate::new(&server).expect("a source of random numbers");
        let partial = gate.partial_hellos();
        let gate = Some((gate, partial));
        let connection = Connection::client(client, name, start(&clock)).expect("a source of random numbers");
        let client = End { connection: Some(connection), ..End::default() };
        let server_config = server;
        Self { clock, link, client, server: End::default(), gate, server_config, instant_steps: 0 }
    }

    /// The server asks for no cookie.
    #[must_use]
    pub fn without_cookie(mut self) -> Self {
        self.gate = None;
        self
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.clock.now())
    }

    /// Runs until `done`, until nothing more can happen, or until `limit` has passed since the beginning; whether it
    /// was `done`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        loop {
            self.flush();
            if done(self) {
                return true;
            }
            if !self.step(limit) {
                return false;
            }
        }
    }

    /// Runs until both ends are connected.
    pub fn connect(&mut self) -> bool {
        self.run_until(Duration::from_secs(60), |pair| {
            pair.client.is_connected() && pair.server.is_connected()
        })
    }

    /// Runs everything that happens within `time` from now.
    pub fn run_for(&mut self, time: Duration) {
        let limit = self.clock.now() + time;
        self.run_until(limit, |_| false);
        self.clock.advance_to(limit);
    }

    /// Sends application data from one end.
    ///
    /// # Errors
    /// Those of [`Connection::send`].
    pub fn send(&mut self, direction: Direction, payload: &[u8]) -> Result<(), Misuse> {
        let end = match direction {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        };
        send(end, &mut self.link, self.clock.now(), direction, payload)
    }

    /// Data passes in both directions: what the client sends comes back.
    ///
    /// # Panics
    /// If it does not within a second.
    pub fn echoes(&mut self) {
        self.server.echo = true;
        self.send(Direction::ToServer, b"ping").expect("connected");
        self.run_for(Duration::from_secs(1));
        assert_eq!(self.client.received.pop_front().as_deref(), Some(&b"ping"[..]));
    }

    /// Jumps to the next instant at which something happens, and lets it happen; false if nothing does before
    /// `limit`.
    ///
    /// # Panics
    /// If an end asks again and again to be woken for a time that has come, and then does nothing: its caller would
    /// spin.
    pub fn step(&mut self, limit: Duration) -> bool {
        let timers = [&self.client, &self.server]
            .map(|end| end.connection.as_ref().and_then(Connection::poll_timeout).map(Instant::since_origin));
        let Some(next) = earliest([timers[0], timers[1], self.link.next_arrival()]) else { return false };
        if next > limit {
            return false;
        }
        self.instant_steps = if next > self.clock.now() { 0 } else { self.instant_steps + 1 };
        assert!(self.instant_steps < 1000, "an end spins at {next:?}: {self:?}");
        self.clock.advance_to(next);
        while let Some((direction, mut bytes)) = self.link.receive(self.clock.now()) {
            self.deliver(direction, &mut bytes);
        }
        let now = self.now();
        for end in [&mut self.client, &mut self.server] {
            if let Some(connection) = &mut end.connection
                && connection.poll_timeout().is_some_and(|timeout| timeout <= now)
            {
                connection.handle_timeout(now);
            }
        }
        self.flush();
        true
    }

    /// Hands a datagram to an end as if it had just arrived.
    pub fn deliver(&mut self, direction: Direction, bytes: &mut [u8]) {
        if direction == Direction::ToServer && self.server.connection.is_none() && !self.greet(bytes) {
            return;
        }
        let now = self.now();
        let end = match direction {
            Direction::ToServer => &mut self.server,
            Direction::ToClient => &mut self.client,
        };
        let Some(connection) = &mut end.connection else { return };
        let mut datagram = Datagram::new(Path::default(), bytes);
        let mut arrived = Vec::new();
        while let Some(data) = connection.receive(now, &mut datagram) {
            arrived.push(data.payload.to_vec());
        }
        end.note_events();
        for payload in arrived {
            if end.echo {
                let back = direction.opposite();
                let _ = send(end, &mut self.link, self.clock.now(), back, &payload);
            }
            end.received.push_back(payload);
        }
    }

    /// Lets the gate look at a stranger's datagram; whether there is an association to hand it to now.
    fn greet(&mut self, bytes: &mut [u8]) -> bool {
        let start = start(&self.clock);
        let config = Arc::clone(&self.server_config);
        let Some((gate, partial)) = &mut self.gate else {
            let connection = Connection::server_without_cookie(config, Path::default(), start);
            self.server.connection = Some(connection.expect("a server begins"));
            return true;
        };
        let mut reply = [0; Gate::MAX_REPLY];
        let sender = Stranger { id: CLIENT_ID, network: &[] };
        let mut datagram = Datagram::new(Path::default(), bytes);
        match gate.answer_or_hold(start, sender, &mut datagram, partial, &mut reply) {
            Verdict::Drop(_) | Verdict::Hold => false,
            Verdict::Reply(length) | Verdict::Refuse { length, .. } => {
                self.server.datagrams += 1;
                self.link.send(self.clock.now(), Direction::ToClient, &reply[..length]);
                false
            }
            Verdict::Accept(greeting) => {
                let connection = Connection::server(config, greeting, start);
                self.server.connection = Some(connection.expect("a server begins"));
                true
            }
        }
    }

    /// Sends what both ends have to send.
    pub fn flush(&mut self) {
        let now = self.now();
        let mut out = [0; 2048];
        for (end, direction) in
            [(&mut self.client, Direction::ToServer), (&mut self.server, Direction::ToClient)]
        {
            if let Some(connection) = &mut end.connection {
                while let Some(transmit) = connection.poll_transmit(now, &mut out) {
                    end.datagrams += 1;
                    self.link.send(self.clock.now(), direction, &out[..transmit.len]);
                }
            }
            end.note_events();
        }
    }
}

/// A link that loses nothing.
pub fn perfect_link() -> Link {
    Link::new(0, LinkSettings::perfect())
}

fn start(clock: &Clock) -> Start {
    Start { now: Instant::from_origin(clock.now()), unix: Some(clock.unix()) }
}

fn send(
    end: &mut End,
    link: &mut Link,
    now: Duration,
    direction: Direction,
    payload: &[u8],
) -> Result<(), Misuse> {
    let connection = end.connection.as_mut().ok_or(Misuse::NotConnected)?;
    let mut out = vec![0; payload.len() + connection.overhead_of(payload.len()).total()];
    let length = connection.send(payload, &mut out)?;
    link.send(now, direction, &out[..length]);
    Ok(())
}
