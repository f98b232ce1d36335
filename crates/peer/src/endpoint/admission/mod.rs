//! Who gets a place at a server, and who gives one up: the policy against strangers that want to fill it. Sans-I/O: the
//! time, addresses and what is known of associations are arguments. It knows nothing of sockets, datagrams and the
//! protocol.
//!
//! * **Half-open associations** have places, by network (/24 of IPv4, /56 of IPv6). A network at its limit gives up its
//!   own oldest; when all places are taken, the network with most of them does. Whoever has a place has it for 2 s at
//!   least, and no network is given up for another within its share ([`places`]).
//! * **Associations in all** are limited in number, also by network. When the table is full, the one that has been
//!   silent for longest gives way, if that is more than 60 s ([`silence`]).
//! * **A hello that finds no place** waits for one ([`waiting`]), and newcomers stand behind those who wait.
//! * **What half-open associations buffer** of their handshakes has one bound for all ([`buffered`]).
//! * **Newcomers at a time** are limited: each costs a signature and a key exchange, and peers that are connected
//!   wait meanwhile.

mod buffered;
mod network;
mod places;
mod silence;
mod waiting;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use drystone_handshake::Instant;

use crate::endpoint::PeerId;
pub(crate) use buffered::{HALF_OPEN_BYTES, HalfOpenBytes};
pub(crate) use network::Network;
pub(crate) use places::has_had_its_time;
use places::{Place, PlaceLimits, Places};
use silence::Silence;
pub(crate) use waiting::{Kept, Waiter};
use waiting::{Turn, Waiting};

/// How many may be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    pub(crate) half_open: usize,
    pub(crate) half_open_per_network: usize,
    pub(crate) peers: usize,
    /// `None` for a quarter of them.
    pub(crate) peers_per_network: Option<usize>,
    /// The silence beyond which a connected one may be given up for a newcomer.
    pub(crate) long_silence: Duration,
    /// Newcomers between two looks at what else is to be done.
    pub(crate) newcomers: usize,
}

/// Default of [`Limits::half_open`].
pub(crate) const HALF_OPEN: usize = 4096;

/// Default of [`Limits::half_open_per_network`].
pub(crate) const HALF_OPEN_PER_NETWORK: usize = 64;

/// Default of [`Limits::peers`].
pub(crate) const PEERS: usize = 65_536;

/// Default of [`Limits::long_silence`].
pub(crate) const LONG_SILENCE: Duration = Duration::from_secs(60);

/// The least default of [`Limits::peers_per_network`]: a small table is often that of a game whose players are all in one
/// network.
const LEAST_PEERS_PER_NETWORK: usize = 256;

/// The budget of newcomers is renewed when none has come in for this time, although there was always something else to
/// do.
const BUDGET_TIME: Duration = Duration::from_millis(10);

impl Limits {
    const fn places(&self) -> PlaceLimits {
        PlaceLimits { total: self.half_open, per_network: self.half_open_per_network }
    }

    fn peers_per_network(&self) -> usize {
        self.peers_per_network.unwrap_or((self.peers / 4).max(LEAST_PEERS_PER_NETWORK))
    }
}

/// Who makes room for a newcomer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Victim {
    /// A half-open association, of which nobody has heard yet.
    HalfOpen(PeerId),
    /// A connected one that has been silent for long.
    Silent(PeerId),
}

/// Whether a newcomer may come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room {
    Free,
    /// When this one has been given up.
    Instead(Victim),
    /// Not now.
    None,
}

/// The second association of an address, which stands beside the first until one of them is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Challenger {
    None,
    /// It has its fair time, and others of its address wait.
    Young,
    /// It gives way to another one of its address.
    Old(PeerId),
}

/// The state of the policy for one server. `G` is what the gate said of a hello that waits.
#[derive(Debug)]
pub(crate) struct Admission<G> {
    capacity: Capacity,
    pub(crate) waiting: Waiting<G>,
    /// Newcomers that may still come in before something else is done.
    budget: usize,
    /// When the last one came.
    last_entered: Instant,
}

/// What is taken.
#[derive(Debug)]
struct Capacity {
    limits: Limits,
    places: Places,
    /// Associations of each network, half-open ones too.
    peers: HashMap<Network, usize>,
    silence: Silence,
}

impl Capacity {
    /// Room for a newcomer of this network beside `peers` associations.
    fn find(
        &mut self,
        now: Instant,
        network: Network,
        peers: usize,
        last_received: impl Fn(PeerId) -> Option<Instant>,
    ) -> Room {
        match self.places.find(network, now) {
            Place::None => Room::None,
            // A half-open neighbour that gives way leaves its network as large as it is.
            Place::Instead(id) if !self.is_crowded(network) || self.places.has(id, network) => {
                Room::Instead(Victim::HalfOpen(id))
            }
            Place::Instead(_) => Room::None,
            Place::Free => self.find_in_table(now, network, peers, last_received),
        }
    }

    /// The same for one that needs no place among the half-open.
    fn find_in_table(
        &mut self,
        now: Instant,
        network: Network,
        peers: usize,
        last_received: impl Fn(PeerId) -> Option<Instant>,
    ) -> Room {
        if self.is_crowded(network) {
            return Room::None;
        }
        if peers < self.limits.peers {
            return Room::Free;
        }
        let silent = self.silence.longest(now, self.limits.long_silence, last_received);
        silent.map_or(Room::None, |id| Room::Instead(Victim::Silent(id)))
    }

    /// Whether the network has as many associations as it may have.
    fn is_crowded(&self, network: Network) -> bool {
        self.peers.get(&network).is_some_and(|own| *own >= self.limits.peers_per_network())
    }
}

impl<G: Kept> Admission<G> {
    pub(crate) fn new(limits: Limits) -> Self {
        let capacity = Capacity {
            limits,
            places: Places::new(limits.places()),
            peers: HashMap::new(),
            silence: Silence::default(),
        };
        let budget = limits.newcomers.max(1);
        Self { capacity, waiting: Waiting::new(), budget, last_entered: Instant::default() }
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        if limits != self.capacity.limits {
            self.capacity.limits = limits;
            self.capacity.places.set_limits(limits.places());
            self.waiting.wake();
        }
    }

    #[cfg(test)]
    pub(crate) fn half_open(&self) -> usize {
        self.capacity.places.len()
    }

    /// Whether a newcomer from this address may come in at once beside `peers` associations. `last_received` tells when a
    /// connected association was last heard, and nothing for others.
    pub(crate) fn find_room(
        &mut self,
        now: Instant,
        from: SocketAddr,
        challenger: Challenger,
        peers: usize,
        last_received: impl Fn(PeerId) -> Option<Instant>,
    ) -> Room {
        let network = Network::of(from.ip());
        if !self.has_budget(now) || self.waiting.has_network(network) {
            return Room::None;
        }
        let room = match challenger {
            Challenger::None => self.capacity.find(now, network, peers, last_received),
            Challenger::Young => Room::None,
            Challenger::Old(id) => Room::Instead(Victim::HalfOpen(id)),
        };
        // What somebody gives up is for those first who have waited for it.
        if matches!(room, Room::Instead(_)) && !self.waiting.is_empty() { Room::None } else { room }
    }

    /// Whether there is room for a newcomer without a handshake, which waits for nothing.
    pub(crate) fn find_room_without_handshake(
        &mut self,
        now: Instant,
        from: SocketAddr,
        peers: usize,
        last_received: impl Fn(PeerId) -> Option<Instant>,
    ) -> Room {
        self.capacity.find_in_table(now, Network::of(from.ip()), peers, last_received)
    }

    /// The next hello that waited and may come in now, and its room, as [`find_room`](Self::find_room) says.
    pub(crate) fn next_waiting(
        &mut self,
        now: Instant,
        challenger: impl Fn(SocketAddr) -> Challenger,
        peers: usize,
        last_received: impl Fn(PeerId) -> Option<Instant>,
    ) -> Option<(Waiter<G>, Room)> {
        if !self.has_budget(now) {
            return None;
        }
        let capacity = &mut self.capacity;
        self.waiting.next(now, |waiter| match challenger(waiter.ends.remote) {
            Challenger::Young => Turn::AddressWaits,
            Challenger::Old(id) => Turn::Comes(Room::Instead(Victim::HalfOpen(id))),
            Challenger::None => {
                match capacity.find(now, Network::of(waiter.ends.remote.ip()), peers, &last_received) {
                    Room::None => Turn::NetworkWaits,
                    room => Turn::Comes(room),
                }
            }
        })
    }

    /// An association is there, and half-open.
    pub(crate) fn entered(&mut self, id: PeerId, network: Network, now: Instant) {
        *self.capacity.peers.entry(network).or_default() += 1;
        self.capacity.places.enter(id, network, now);
        (self.budget, self.last_entered) = (self.budget.saturating_sub(1), now);
    }

    /// An association that had no handshake before it begins one.
    pub(crate) fn half_opened(&mut self, id: PeerId, network: Network, begun: Instant) {
        self.capacity.places.enter(id, network, begun);
    }

    /// An association has no handshake before it (any more).
    pub(crate) fn not_half_open(&mut self, id: PeerId, network: Network) {
        self.capacity.places.leave(id, network);
        self.waiting.wake();
    }

    /// An association is connected: from now on its silence may cost it its place.
    pub(crate) fn connected(&mut self, id: PeerId, network: Network, now: Instant) {
        self.not_half_open(id, network);
        self.capacity.silence.connected(id, now);
    }

    /// An association is gone, and `live` ones are left.
    pub(crate) fn left(
        &mut self,
        id: PeerId,
        network: Network,
        live: usize,
        is_live: impl Fn(PeerId) -> bool,
    ) {
        if let Some(peers) = self.capacity.peers.get_mut(&network) {
            *peers -= 1;
            if *peers == 0 {
                self.capacity.peers.remove(&network);
            }
        }
        self.not_half_open(id, network);
        self.capacity.silence.sweep(live, is_live);
    }

    /// Whether another newcomer may come in before something else is done.
    fn has_budget(&mut self, now: Instant) -> bool {
        if now - self.last_entered >= BUDGET_TIME {
            self.renew_budget();
        }
        self.budget > 0
    }

    /// There is nothing else to do than to let newcomers in.
    pub(crate) fn renew_budget(&mut self) {
        self.budget = self.capacity.limits.newcomers.max(1);
    }
}

#[cfg(test)]
mod tests;
