//! One endpoint that accepts and many that connect, each joined to it by a simulated link, driven by simulated time. Owns
//! the loop that every caller of `Endpoint` writes; knows nothing of what a scenario wants to see.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use drystone::{
    ClientConfig, Endpoint, EndpointEvent, Event, FourTuple, Incoming, Instant, PeerId, ServerConfig,
    ServerOptions, Start,
};

use crate::clock::{Clock, earliest};
use crate::identity::name;
use crate::link::{Direction, Link, LinkSettings};

/// Where the server listens.
pub const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 4433);

/// An endpoint and what came out of it.
#[derive(Debug)]
pub struct Host {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Application data received, in the order of arrival.
    pub packets: Vec<(PeerId, Vec<u8>)>,
    /// Every event, with its peer.
    pub events: Vec<(PeerId, Event)>,
    /// Hellos that were refused.
    pub refused: Vec<SocketAddr>,
    /// Whether arriving application data is sent straight back.
    pub echo: bool,
}

impl Host {
    fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, packets: Vec::new(), events: Vec::new(), refused: Vec::new(), echo: false }
    }

    /// The only association.
    ///
    /// # Panics
    /// If there is none.
    pub fn peer(&self) -> PeerId {
        self.endpoint.peers().next().expect("an association")
    }

    /// How many associations are connected.
    pub fn connected(&self) -> usize {
        let connection = |id| self.endpoint.connection(id);
        self.endpoint
            .peers()
            .filter(|id| connection(*id).is_some_and(drystone::Connection::is_connected))
            .count()
    }

    /// Hands a datagram to the endpoint and sends back what comes out.
    pub fn deliver(
        &mut self,
        start: Start,
        from: SocketAddr,
        bytes: &mut [u8],
        mut send: impl FnMut(SocketAddr, &[u8]),
    ) {
        let mut incoming = Incoming::new(FourTuple::from(from), bytes);
        let mut out = [0; 2048];
        while let Some((peer, data)) = self.endpoint.receive(start, &mut incoming) {
            if self.echo
                && let Ok(transmit) = self.endpoint.send(peer, data.payload, &mut out)
            {
                send(transmit.ends.remote, &out[..transmit.len]);
            }
            self.packets.push((peer, data.payload.to_vec()));
        }
    }

    /// Sends what there is to send, and notes what happened.
    pub fn flush(&mut self, now: Instant, mut send: impl FnMut(SocketAddr, &[u8])) {
        let mut out = [0; 2048];
        while let Some(transmit) = self.endpoint.poll_transmit(now, &mut out) {
            send(transmit.ends.remote, &out[..transmit.len]);
        }
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                EndpointEvent::Connection { peer, event, .. } => self.events.push((peer, event)),
                EndpointEvent::HelloRefused { address, .. } => self.refused.push(address),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A server and its clients, by their addresses.
#[derive(Debug)]
pub struct Star {
    /// Simulated time.
    pub clock: Clock,
    /// The one in the middle.
    pub server: Host,
    /// The others.
    pub clients: BTreeMap<SocketAddr, Host>,
    links: BTreeMap<SocketAddr, Link>,
    settings: LinkSettings,
    seed: u64,
}

impl Star {
    /// A server, and links that are made with these settings.
    pub fn new(config: Arc<ServerConfig>, options: ServerOptions, settings: LinkSettings, seed: u64) -> Self {
        let server = Endpoint::server(config, options).expect("a configuration that works");
        Self {
            clock: Clock::new(),
            server: Host::new(server),
            clients: BTreeMap::new(),
            links: BTreeMap::new(),
            settings,
            seed,
        }
    }

    /// Time and date now.
    pub fn start(&self) -> Start {
        Start { now: Instant::from_origin(self.clock.now()), unix: Some(self.clock.unix()) }
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        self.start().now
    }

    /// A client at this address begins to connect. One that was there before vanishes without a word.
    ///
    /// # Panics
    /// If it cannot begin.
    pub fn connect(&mut self, address: SocketAddr, config: &Arc<ClientConfig>) {
        let mut host = Host::new(Endpoint::client());
        host.endpoint
            .connect(self.start(), SERVER.into(), name(), Arc::clone(config))
            .expect("a client begins");
        self.clients.insert(address, host);
        self.link(address);
    }

    /// These clients begin to connect, and all become connected.
    ///
    /// # Panics
    /// If one of them is not within ten seconds.
    pub fn connect_all(
        &mut self,
        addresses: impl IntoIterator<Item = SocketAddr>,
        config: &Arc<ClientConfig>,
    ) {
        addresses.into_iter().for_each(|address| self.connect(address, config));
        let all = self.clients.len();
        let limit = self.clock.now() + Duration::from_secs(10);
        assert!(
            self.run_until(limit, |star| star.server.connected() == all),
            "{} of {all}",
            self.server.connected()
        );
    }

    /// The first datagram of a client that begins now.
    ///
    /// # Panics
    /// If it cannot begin.
    pub fn first_datagram(&self, config: &Arc<ClientConfig>) -> Vec<u8> {
        let mut client = Endpoint::client();
        client.connect(self.start(), SERVER.into(), name(), Arc::clone(config)).expect("a client begins");
        let mut out = [0; 2048];
        let transmit = client.poll_transmit(self.now(), &mut out).expect("a hello");
        out[..transmit.len].to_vec()
    }

    /// The link of this address.
    ///
    /// # Panics
    /// Never: it is made at the first use.
    pub fn link(&mut self, address: SocketAddr) -> &mut Link {
        let (settings, seed) = (self.settings.clone(), self.seed);
        let number = u64::from(address.port());
        self.links.entry(address).or_insert_with(|| Link::new(seed.wrapping_mul(0x9e37) ^ number, settings))
    }

    /// Sends application data from a client to the server.
    ///
    /// # Panics
    /// If there is no such client, or it is not connected.
    pub fn send(&mut self, from: SocketAddr, payload: &[u8]) {
        let client = self.clients.get_mut(&from).expect("a client");
        let mut out = [0; 2048];
        let transmit = client.endpoint.send(client.peer(), payload, &mut out).expect("connected");
        let link = self.links.get_mut(&from).expect("its link");
        link.send(self.clock.now(), Direction::ToServer, &out[..transmit.len]);
    }

    /// Runs until `done`, until nothing more can happen, or until `limit` has passed since the beginning; whether it was
    /// `done`.
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

    /// Runs everything that happens within `time` from now.
    pub fn run_for(&mut self, time: Duration) {
        let limit = self.clock.now() + time;
        self.run_until(limit, |_| false);
        self.clock.advance_to(limit);
    }

    /// Jumps to the next instant at which something happens, and lets it happen; false if nothing does before `limit`.
    pub fn step(&mut self, limit: Duration) -> bool {
        let hosts = std::iter::once(&self.server).chain(self.clients.values());
        let timers = hosts.map(|host| host.endpoint.poll_timeout().map(Instant::since_origin));
        let arrivals = self.links.values().map(Link::next_arrival);
        let Some(next) = earliest(timers.chain(arrivals)).filter(|next| *next <= limit) else { return false };
        self.clock.advance_to(next);
        let (start, elapsed) = (self.start(), self.clock.now());
        for (address, link) in &mut self.links {
            while let Some((direction, mut bytes)) = link.receive(elapsed) {
                let (host, from) = match direction {
                    Direction::ToServer => (Some(&mut self.server), *address),
                    Direction::ToClient => (self.clients.get_mut(address), SERVER),
                };
                let back = direction.opposite();
                if let Some(host) = host {
                    host.deliver(start, from, &mut bytes, |_, bytes| link.send(elapsed, back, bytes));
                }
            }
        }
        for host in std::iter::once(&mut self.server).chain(self.clients.values_mut()) {
            host.endpoint.handle_timeout(start.now);
            host.endpoint.handle_drained(start.now);
        }
        self.flush();
        true
    }

    /// Sends what all have to send.
    pub fn flush(&mut self) {
        let (now, elapsed) = (self.now(), self.clock.now());
        let links = &mut self.links;
        self.server.flush(now, |to, bytes| {
            // What goes to a forged address arrives nowhere.
            if let Some(link) = links.get_mut(&to) {
                link.send(elapsed, Direction::ToClient, bytes);
            }
        });
        for (address, host) in &mut self.clients {
            let Some(link) = links.get_mut(address) else { continue };
            host.flush(now, |_, bytes| link.send(elapsed, Direction::ToServer, bytes));
        }
    }
}
