//! Which association a datagram belongs to: by its sender's address, and by whether it may begin a new one. Keeps the
//! policy of admission informed of who is there. It knows no sockets, and of associations only whether they are half-open.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;

use drystone_handshake::{HelloId, Instant};

use super::admission::{Admission, Challenger, Kept, Limits, Network, Room, Waiter, has_had_its_time};
use super::four_tuple::FourTuple;
use super::hello::Greeted;
use super::peer_id::PeerId;
use super::sender::Sender;
use super::slab::Slab;

/// One association: `C` is all of it that this file does not know.
#[derive(Debug)]
pub(crate) struct Peer<C> {
    pub(crate) state: C,
    /// Where to send, and from which address of ours.
    pub(crate) ends: FourTuple,
    /// When it began.
    begun: Instant,
    origin: Origin,
    half_open: bool,
}

/// Who began an association.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    /// The peer: it has a place by the policy of admission.
    Admitted,
    /// We did, as a client.
    Ours,
}

impl<C> Peer<C> {
    /// Whether its handshake is not done, or not begun.
    pub(crate) const fn is_half_open(&self) -> bool {
        self.half_open
    }
}

/// The associations of one address: usually one. A second one stands beside it while a client that lost its state
/// connects anew (RFC 6347 section 4.2.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Route {
    pub(crate) current: PeerId,
    pub(crate) challenger: Option<PeerId>,
}

/// All associations of a server, and who else may come in. `G` is what is known of a hello that waits for its place.
#[derive(Debug)]
pub(crate) struct Table<C, G = Greeted> {
    peers: Slab<Peer<C>>,
    routes: HashMap<Sender, Route>,
    pub(crate) admission: Admission<G>,
}

/// What the table asks of its associations.
pub(crate) trait Member {
    /// Whether the hello is (a copy of) the one that began it.
    fn is_of_hello(&self, hello: &HelloId) -> bool;

    /// When it was last heard, once it is connected.
    fn last_received(&self) -> Option<Instant>;
}

impl<C: Member, G: Kept> Table<C, G> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { peers: Slab::new(), routes: HashMap::new(), admission: Admission::new(limits) }
    }

    /// The associations of the sender of a datagram.
    pub(crate) fn route(&self, from: SocketAddr) -> Option<Route> {
        self.routes.get(&Sender::of(from)).copied()
    }

    pub(crate) fn get(&self, id: PeerId) -> Option<&Peer<C>> {
        self.peers.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer<C>> {
        self.peers.get_mut(id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = PeerId> {
        self.peers.ids()
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether a newcomer from this address may come in at once.
    pub(crate) fn find_room(&mut self, now: Instant, from: SocketAddr) -> Room {
        let Self { peers, routes, admission } = self;
        let last_received = |id| peers.get(id).and_then(|peer| peer.state.last_received());
        admission.find_room(now, from, challenger_of(peers, routes, from, now), peers.len(), last_received)
    }

    /// Whether there is room for one that has no handshake before it.
    pub(crate) fn find_room_without_handshake(&mut self, now: Instant, from: SocketAddr) -> Room {
        let Self { peers, admission, .. } = self;
        let last_received = |id| peers.get(id).and_then(|peer| peer.state.last_received());
        admission.find_room_without_handshake(now, from, peers.len(), last_received)
    }

    /// The next hello that waited and may come in now, with its room.
    pub(crate) fn next_waiting(&mut self, now: Instant) -> Option<(Waiter<G>, Room)> {
        let Self { peers, routes, admission } = self;
        let last_received = |id| peers.get(id).and_then(|peer| peer.state.last_received());
        let challenger = |from| challenger_of(peers, routes, from, now);
        admission.next_waiting(now, challenger, peers.len(), last_received)
    }

    /// A new half-open association: the address's only one, or the challenger of the one that is there.
    ///
    /// At most two stand side by side: the caller removes an earlier challenger before.
    pub(crate) fn insert(&mut self, ends: FourTuple, state: C, now: Instant) -> PeerId {
        let peer = Peer { state, ends, begun: now, origin: Origin::Admitted, half_open: true };
        let id = self.peers.insert(peer);
        self.admission.entered(id, Network::of(ends.remote.ip()), now);
        self.routes
            .entry(Sender::of(ends.remote))
            .and_modify(|route| route.challenger = Some(id))
            .or_insert(Route { current: id, challenger: None });
        id
    }

    /// A new association that we begin as a client, which needs no place. `None` if the address has one already.
    pub(crate) fn insert_ours(&mut self, ends: FourTuple, state: C, now: Instant) -> Option<PeerId> {
        let Entry::Vacant(route) = self.routes.entry(Sender::of(ends.remote)) else { return None };
        let peer = Peer { state, ends, begun: now, origin: Origin::Ours, half_open: false };
        let id = self.peers.insert(peer);
        route.insert(Route { current: id, challenger: None });
        Some(id)
    }

    /// Whether we began the association.
    pub(crate) fn is_ours(&self, id: PeerId) -> bool {
        self.peers.get(id).is_some_and(|peer| peer.origin == Origin::Ours)
    }

    /// Whether `id` is half-open: false for one that has no handshake before it, true when one begins after all.
    pub(crate) fn set_half_open(&mut self, id: PeerId, half_open: bool) {
        let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.half_open != half_open) else { return };
        peer.half_open = half_open;
        let network = Network::of(peer.ends.remote.ip());
        if half_open {
            self.admission.half_opened(id, network, peer.begun);
        } else {
            self.admission.not_half_open(id, network);
        }
    }

    /// The handshake of `id` is done, which may be said again. Gives the association that it replaces, if it was a
    /// challenger; that one has no address any more and should be removed.
    pub(crate) fn establish(&mut self, id: PeerId, now: Instant) -> Option<PeerId> {
        let peer = self.peers.get_mut(id).filter(|peer| peer.half_open)?;
        peer.half_open = false;
        let remote = peer.ends.remote;
        self.admission.connected(id, Network::of(remote.ip()), now);
        let route = self.routes.get_mut(&Sender::of(remote))?;
        if route.challenger != Some(id) {
            return None;
        }
        let replaced = route.current;
        *route = Route { current: id, challenger: None };
        Some(replaced)
    }

    /// Takes an association out. Its challenger, if there is one, takes its place.
    pub(crate) fn remove(&mut self, id: PeerId) -> Option<Peer<C>> {
        let peer = self.peers.remove(id)?;
        let remote = peer.ends.remote;
        let Self { peers, admission, .. } = self;
        if peer.origin == Origin::Admitted {
            admission.left(id, Network::of(remote.ip()), peers.len(), |id| peers.contains(id));
        }
        let sender = Sender::of(remote);
        let remaining = match self.routes.get(&sender)? {
            Route { current, challenger } if *current == id => *challenger,
            Route { current, challenger } if *challenger == Some(id) => Some(*current),
            // Replaced before: the address belongs to its successor.
            _ => return Some(peer),
        };
        match remaining {
            Some(current) => drop(self.routes.insert(sender, Route { current, challenger: None })),
            None => drop(self.routes.remove(&sender)),
        }
        Some(peer)
    }
}

/// The challenger at an address, which gives way to another one when it has had its fair time.
fn challenger_of<C>(
    peers: &Slab<Peer<C>>,
    routes: &HashMap<Sender, Route>,
    from: SocketAddr,
    now: Instant,
) -> Challenger {
    let route = routes.get(&Sender::of(from));
    let Some((id, peer)) = route.and_then(|route| Some((route.challenger?, peers.get(route.challenger?)?)))
    else {
        return Challenger::None;
    };
    if has_had_its_time(peer.begun, now) { Challenger::Old(id) } else { Challenger::Young }
}

/// An association that is nothing but when it was last heard.
#[cfg(test)]
impl Member for Option<Instant> {
    fn is_of_hello(&self, _: &HelloId) -> bool {
        false
    }

    fn last_received(&self) -> Self {
        *self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::endpoint::admission::Victim;

    const LIMITS: Limits = Limits {
        half_open: 4,
        half_open_per_network: 4,
        peers: 16,
        peers_per_network: None,
        long_silence: Duration::from_secs(60),
        newcomers: 100,
    };

    fn table() -> Table<Option<Instant>, u32> {
        Table::new(LIMITS)
    }

    const fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_without_its_association_is_unknown() {
        let mut table = table();
        let id = table.insert(address("10.0.0.1:5").into(), None, at(0));
        assert_eq!(table.route(address("10.0.0.1:5")), Some(Route { current: id, challenger: None }));
        assert_eq!(table.route(address("10.0.0.1:6")), None);
        assert_eq!(table.route(address("10.0.0.2:5")), None);
        assert!(table.remove(id).is_some());
        assert!(table.remove(id).is_none());
        assert_eq!(
            (table.route(address("10.0.0.1:5")), table.len(), table.admission.half_open()),
            (None, 0, 0)
        );
    }

    #[test]
    fn a_challenger_that_connects_takes_the_address() {
        let mut table = table();
        let old = table.insert(address("10.0.0.1:5").into(), None, at(0));
        assert_eq!(table.establish(old, at(0)), None);
        let new = table.insert(address("10.0.0.1:5").into(), None, at(0));
        let both = Route { current: old, challenger: Some(new) };
        assert_eq!((table.route(address("10.0.0.1:5")), table.admission.half_open()), (Some(both), 1));
        assert_eq!(table.establish(new, at(0)), Some(old));
        let only_new = Some(Route { current: new, challenger: None });
        assert_eq!(table.route(address("10.0.0.1:5")), only_new);
        assert!(table.remove(old).is_some());
        assert_eq!(table.route(address("10.0.0.1:5")), only_new);
    }

    #[test]
    fn a_challenger_that_fails_leaves_the_old_one_alone() {
        let mut table = table();
        let old = table.insert(address("10.0.0.1:5").into(), None, at(0));
        table.establish(old, at(0));
        let new = table.insert(address("10.0.0.1:5").into(), None, at(0));
        table.remove(new);
        assert_eq!(table.route(address("10.0.0.1:5")), Some(Route { current: old, challenger: None }));
        let newer = table.insert(address("10.0.0.1:5").into(), None, at(0));
        table.remove(old);
        assert_eq!(table.route(address("10.0.0.1:5")), Some(Route { current: newer, challenger: None }));
        assert_eq!(table.establish(newer, at(0)), None);
    }

    /// Half-open ones give way, oldest first, when all places are taken and they have had their time.
    fn who_gives_way(table: &mut Table<Option<Instant>, u32>) -> Room {
        table.find_room(at(2), address("10.0.0.1:99"))
    }

    fn filled<const N: usize>(table: &mut Table<Option<Instant>, u32>) -> [PeerId; N] {
        let mut port = 0;
        [(); N].map(|()| {
            port += 1;
            table.insert(SocketAddr::from(([10, 0, 0, 1], port)).into(), None, at(0))
        })
    }

    #[test]
    fn half_open_associations_are_known_by_age() {
        let mut table = table();
        let ids = filled::<4>(&mut table);
        assert_eq!(table.find_room(at(1), address("10.0.0.1:99")), Room::None);
        assert_eq!(who_gives_way(&mut table), Room::Instead(Victim::HalfOpen(ids[0])));
        table.establish(ids[0], at(0));
        assert_eq!(who_gives_way(&mut table), Room::Free);
        table.insert(address("10.0.0.1:50").into(), None, at(0));
        assert_eq!(who_gives_way(&mut table), Room::Instead(Victim::HalfOpen(ids[1])));
        assert_eq!(table.establish(ids[0], at(0)), None);
    }

    #[test]
    fn whoever_has_no_handshake_is_not_half_open() {
        let mut table = table();
        let [plain, _, dtls, _] = filled(&mut table);
        for half_open in [false, false] {
            table.set_half_open(plain, half_open);
            assert_eq!(table.admission.half_open(), 3);
        }
        assert_eq!(table.establish(plain, at(0)), None);
        table.set_half_open(dtls, true);
        table.set_half_open(plain, true);
        assert_eq!(table.admission.half_open(), 4);
        assert_eq!(who_gives_way(&mut table), Room::Instead(Victim::HalfOpen(plain)));
        table.remove(plain);
        table.set_half_open(plain, true);
        assert_eq!(table.admission.half_open(), 3);
    }

    /// Rule 9: another hello of the address waits until the challenger has had its time, and takes its place then.
    #[test]
    fn a_challenger_has_its_fair_time() {
        let mut table = table();
        let old = table.insert(address("10.0.0.1:5").into(), None, at(0));
        table.establish(old, at(0));
        let challenger = table.insert(address("10.0.0.1:5").into(), None, at(10));
        let mut room = |now| table.find_room(at(now), address("10.0.0.1:5"));
        assert_eq!((room(10), room(11)), (Room::None, Room::None));
        assert_eq!(room(12), Room::Instead(Victim::HalfOpen(challenger)));
    }
}
