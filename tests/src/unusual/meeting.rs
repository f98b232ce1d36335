//! One of our associations and an unusual peer, joined by the simulated network. Owns the loop and its outcome.

use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::crypto::Side;
use drystone_handshake::{
    ClientAuth, ClientConfig, Connection, Credentials, Error, ProtocolVersion, ServerConfig,
};

use super::habits::Habits;
use super::peer::Unusual;
use crate::clock::earliest;
use crate::identity::{Identity, settings_of_both};
use crate::link::{Direction, Link, LinkSettings};
use crate::rogue::Victim;
use crate::scenario::other_identity;

/// When the peer gives up that is not done. Ours does earlier, once it has an association.
const DEADLINE: Duration = Duration::from_secs(60);

/// How a meeting ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Both sides are connected, and everything is acknowledged.
    Complete,
    /// One side gave up at its deadline, as it does with a peer that it does not hear.
    Deadline,
    /// Neither within the time of the meeting. Whether ours is connected, and the peer is complete.
    Open(bool, bool),
    /// Something that must not happen between honest peers.
    Fault(String),
}

/// One of ours and one that is unusual.
#[derive(Debug)]
pub struct Meeting {
    /// Ours.
    pub ours: Victim,
    /// The other.
    pub peer: Unusual,
    link: Link,
    now: Duration,
}

impl Meeting {
    /// A meeting whose every accident and habit follows from the seed; the peer has this side and version.
    pub fn new(seed: u64, side: Side, version: ProtocolVersion, link: LinkSettings) -> Self {
        Self::with(Habits::draw(seed, side, version), seed, link)
    }

    /// A meeting with a peer of these habits.
    ///
    /// # Panics
    /// If the settings do not work.
    pub fn with(habits: Habits, seed: u64, link: LinkSettings) -> Self {
        let settings = settings_of_both();
        let ours = if habits.side == Side::Server {
            let config = ClientConfig::new(settings, Identity::p256().policy()).expect("settings that work");
            let credentials = Credentials::single(other_identity().credential());
            Victim::client(Arc::new(config.with_credentials(credentials)))
        } else {
            let credentials = Credentials::single(Identity::p256().credential());
            let mut config = ServerConfig::new(settings, credentials).expect("settings that work");
            if habits.asks_for_certificate {
                // Here it is ours that asks.
                let policy = Arc::new(other_identity().policy());
                config = config.with_client_auth(ClientAuth::Require(policy));
            }
            Victim::server(Arc::new(config))
        };
        let peer = Unusual::new(habits, seed);
        Self { ours, peer, link: Link::new(seed, link), now: Duration::ZERO }
    }

    /// Where our datagrams go.
    fn away(&self) -> Direction {
        match self.peer.habits.side {
            Side::Server => Direction::ToServer,
            Side::Client => Direction::ToClient,
        }
    }

    /// Runs until it has ended, or until `limit`.
    pub fn run(&mut self, limit: Duration) -> Ending {
        let ours = self.ours.take_output();
        self.send(self.away(), ours);
        loop {
            let back = self.peer.take_output();
            self.send(self.away().opposite(), back);
            if let Some(ending) = self.ending() {
                return ending;
            }
            if !self.step(limit) {
                return Ending::Open(self.ours.is_connected(), self.peer.is_complete);
            }
        }
    }

    fn ending(&self) -> Option<Ending> {
        match self.ours.error() {
            Some(Error::HandshakeTimeout) => return Some(Ending::Deadline),
            Some(error) => return Some(Ending::Fault(format!("{error:?}"))),
            None => {}
        }
        if !self.peer.alerts.is_empty() {
            return Some(Ending::Fault(format!("alerts {:?}", self.peer.alerts)));
        }
        if !self.peer.is_complete && self.now > DEADLINE {
            return Some(Ending::Deadline);
        }
        let is_complete = self.ours.is_connected() && self.peer.is_at_rest() && self.ours_is_at_rest();
        is_complete.then_some(Ending::Complete)
    }

    /// Whether ours has nothing under way: then it waits for nothing but the end of old keys.
    fn ours_is_at_rest(&self) -> bool {
        let timeout = self.ours.connection.as_ref().and_then(Connection::poll_timeout);
        timeout.is_none_or(|timeout| timeout.since_origin() > self.now + Duration::from_secs(61))
    }

    fn step(&mut self, limit: Duration) -> bool {
        let ours = self.ours.connection.as_ref().and_then(Connection::poll_timeout);
        let ours = ours.map(|timeout| timeout.since_origin().max(self.now));
        let next = earliest([ours, self.peer.next_at(), self.link.next_arrival()]);
        let Some(next) = next.filter(|next| *next <= limit) else { return false };
        let output = self.ours.pass(next.saturating_sub(self.now));
        self.now = self.now.max(next);
        self.send(self.away(), output);
        while let Some((direction, bytes)) = self.link.receive(self.now) {
            if direction == self.away() {
                self.peer.arrive(self.now, bytes);
            } else {
                let output = self.ours.give(&bytes);
                self.send(self.away(), output);
            }
        }
        self.peer.wake(self.now);
        true
    }

    fn send(&mut self, direction: Direction, datagrams: Vec<Vec<u8>>) {
        for datagram in datagrams {
            self.link.send(self.now, direction, &datagram);
        }
    }

    /// Data passes each way under the keys of both sides, without the network.
    ///
    /// # Panics
    /// If it does not.
    pub fn talk(&mut self) {
        let datagram = self.peer.data(b"to ours");
        self.ours.give(&datagram);
        assert_eq!(self.ours.received.last().map(|data| &data[..]), Some(&b"to ours"[..]), "{self:?}");
        let datagram = self.ours.send(b"to the peer");
        self.peer.rogue.hear([datagram]);
        assert_eq!(self.peer.rogue.data_heard().last(), Some(&&b"to the peer"[..]), "{self:?}");
    }

    /// How long it has run.
    pub fn time(&self) -> Duration {
        self.now
    }
}
