//! Which association a datagram belongs to: by its sender's address, and by whether it may begin a new one. It knows
//! no sockets, and of associations only whether they are half-open.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use drystone_handshake::{Connection, Instant, Stranger};

use crate::socket::FourTuple;

/// Names one association of one server. Never given twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(u64);

impl PeerId {
    /// The association's number: they are counted from 1 in the order in which they were begun.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for PeerId {
    /// The association's number, from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long a handshake has its place to itself: enough for its round trips and two retransmissions on a bad path, and
/// little for somebody who only wants to fill the places.
const FAIR_TIME: Duration = Duration::from_secs(2);

/// One association.
#[derive(Debug)]
pub(crate) struct Peer<C = Connection> {
    pub(crate) connection: C,
    /// Where to send, and from which address of ours.
    pub(crate) ends: FourTuple,
    /// When it began.
    begun: Instant,
    /// The entry in the heap of deadlines that counts.
    pub(crate) armed: Option<Instant>,
}

/// The associations of one address: usually one. A second one stands beside it while a client that lost its state
/// connects anew (RFC 6347 section 4.2.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Route {
    pub(crate) current: PeerId,
    pub(crate) challenger: Option<PeerId>,
}

/// All associations of a server.
#[derive(Debug)]
pub(crate) struct Table<C = Connection> {
    peers: HashMap<PeerId, Peer<C>>,
    routes: HashMap<Sender, Route>,
    /// Those whose handshake is not done, oldest first.
    half_open: VecDeque<PeerId>,
    last: u64,
}

impl<C> Table<C> {
    pub(crate) fn new() -> Self {
        Self { peers: HashMap::new(), routes: HashMap::new(), half_open: VecDeque::new(), last: 0 }
    }

    /// The associations of the sender of a datagram.
    pub(crate) fn route(&self, from: SocketAddr) -> Option<Route> {
        self.routes.get(&Sender::of(from)).copied()
    }

    pub(crate) fn get(&self, id: PeerId) -> Option<&Peer<C>> {
        self.peers.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer<C>> {
        self.peers.get_mut(&id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = PeerId> {
        self.peers.keys().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn half_open(&self) -> usize {
        self.half_open.len()
    }

    /// The half-open association that makes room for a newer one: the oldest, if it had its time. None means that the
    /// newcomer waits: it repeats its hello, and the crowd before it is let through first.
    pub(crate) fn make_room(&self, now: Instant) -> Option<PeerId> {
        let oldest = *self.half_open.front()?;
        let begun = self.peers.get(&oldest)?.begun;
        (now - begun >= FAIR_TIME).then_some(oldest)
    }

    /// A new half-open association: the address's only one, or the challenger of the one that is there.
    ///
    /// At most two stand side by side: the caller removes an earlier challenger before.
    pub(crate) fn insert(&mut self, ends: FourTuple, connection: C, now: Instant) -> PeerId {
        self.last = self.last.saturating_add(1);
        let id = PeerId(self.last);
        self.peers.insert(id, Peer { connection, ends, begun: now, armed: None });
        self.half_open.push_back(id);
        self.routes
            .entry(Sender::of(ends.remote))
            .and_modify(|route| route.challenger = Some(id))
            .or_insert(Route { current: id, challenger: None });
        id
    }

    /// Whether `id` is half-open: false for one that has no handshake before it, true when one begins after all.
    pub(crate) fn set_half_open(&mut self, id: PeerId, half_open: bool) {
        let place = self.half_open.iter().position(|known| *known == id);
        match place {
            Some(place) if !half_open => drop(self.half_open.remove(place)),
            None if half_open && self.peers.contains_key(&id) => self.half_open.push_back(id),
            _ => {}
        }
    }

    /// The handshake of `id` is done. Gives the association that it replaces, if it was a challenger; that one has
    /// no address any more and should be removed.
    pub(crate) fn establish(&mut self, id: PeerId) -> Option<PeerId> {
        let place = self.half_open.iter().position(|half_open| *half_open == id)?;
        self.half_open.remove(place);
        let sender = Sender::of(self.peers.get(&id)?.ends.remote);
        let route = self.routes.get_mut(&sender)?;
        if route.challenger != Some(id) {
            return None;
        }
        let replaced = route.current;
        *route = Route { current: id, challenger: None };
        Some(replaced)
    }

    /// Takes an association out. Its challenger, if there is one, takes its place.
    pub(crate) fn remove(&mut self, id: PeerId) -> Option<Peer<C>> {
        let peer = self.peers.remove(&id)?;
        self.half_open.retain(|half_open| *half_open != id);
        let sender = Sender::of(peer.ends.remote);
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

/// An address in the form in which two are the same peer if and only if they are equal: an IPv4 peer is the same
/// whether the socket is an IPv4 or an IPv6 one, the flow label does not matter, the scope of a link-local address does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Sender {
    ip: IpAddr,
    port: u16,
    scope: u32,
}

impl Sender {
    fn of(address: SocketAddr) -> Self {
        let scope = match address {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        Self { ip: address.ip().to_canonical(), port: address.port(), scope }
    }
}

/// What the gate is told of a sender.
pub(crate) struct SenderBytes {
    id: [u8; 18],
    network: usize,
}

impl SenderBytes {
    /// Cookies are bound to the address (IPv4 in its mapped form) and the port. One attacker may have all of a network
    /// of 2^8 IPv4 addresses, or of 2^72 IPv6 addresses: what a provider gives to a site.
    pub(crate) fn of(address: SocketAddr) -> Self {
        const MAPPED: usize = 12;
        let (ip, network) = match address.ip().to_canonical() {
            IpAddr::V4(v4) => (v4.to_ipv6_mapped(), MAPPED + 3),
            IpAddr::V6(v6) => (v6, 7),
        };
        let mut id = [0; 18];
        let (first, last) = id.split_at_mut(16);
        first.copy_from_slice(&ip.octets());
        last.copy_from_slice(&address.port().to_be_bytes());
        Self { id, network }
    }

    pub(crate) fn as_stranger(&self) -> Stranger<'_> {
        Stranger { id: &self.id, network: self.id.get(..self.network).unwrap_or_default() }
    }
}

/// Whether a datagram begins with a plaintext record (epoch 0, RFC 6347 section 4.1) that holds a ClientHello: keeps
/// everything else away from the gate and from new associations, at the cost of a look at four places.
pub(crate) fn may_be_client_hello(datagram: &[u8]) -> bool {
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    datagram.first() == Some(&HANDSHAKE)
        && datagram.get(3..5) == Some(&[0, 0])
        && datagram.get(13) == Some(&CLIENT_HELLO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_without_its_association_is_unknown() {
        let mut table = Table::new();
        let id = table.insert(address("10.0.0.1:5").into(), (), at(0));
        assert_eq!(table.route(address("10.0.0.1:5")), Some(Route { current: id, challenger: None }));
        assert_eq!(table.route(address("10.0.0.1:6")), None);
        assert_eq!(table.route(address("10.0.0.2:5")), None);
        assert!(table.remove(id).is_some());
        assert!(table.remove(id).is_none());
        assert_eq!((table.route(address("10.0.0.1:5")), table.len(), table.half_open()), (None, 0, 0));
    }

    #[test]
    fn a_challenger_that_connects_takes_the_address() {
        let mut table = Table::new();
        let old = table.insert(address("10.0.0.1:5").into(), (), at(0));
        assert_eq!(table.establish(old), None);
        let new = table.insert(address("10.0.0.1:5").into(), (), at(0));
        let both = Route { current: old, challenger: Some(new) };
        assert_eq!((table.route(address("10.0.0.1:5")), table.half_open()), (Some(both), 1));
        assert_eq!(table.establish(new), Some(old));
        let only_new = Some(Route { current: new, challenger: None });
        assert_eq!(table.route(address("10.0.0.1:5")), only_new);
        assert!(table.remove(old).is_some());
        assert_eq!(table.route(address("10.0.0.1:5")), only_new);
    }

    #[test]
    fn a_challenger_that_fails_leaves_the_old_one_alone() {
        let mut table = Table::new();
        let old = table.insert(address("10.0.0.1:5").into(), (), at(0));
        table.establish(old);
        let new = table.insert(address("10.0.0.1:5").into(), (), at(0));
        table.remove(new);
        assert_eq!(table.route(address("10.0.0.1:5")), Some(Route { current: old, challenger: None }));
        let newer = table.insert(address("10.0.0.1:5").into(), (), at(0));
        table.remove(old);
        assert_eq!(table.route(address("10.0.0.1:5")), Some(Route { current: newer, challenger: None }));
        assert_eq!(table.establish(newer), None);
    }

    #[test]
    fn half_open_associations_are_known_by_age() {
        let mut table = Table::new();
        let ids: Vec<_> = (1..5_u16)
            .map(|port| table.insert(SocketAddr::from(([10, 0, 0, 1], port)).into(), (), at(0)))
            .collect();
        assert_eq!((table.half_open(), table.make_room(at(2))), (4, Some(ids[0])));
        table.establish(ids[0]);
        table.remove(ids[1]);
        assert_eq!((table.half_open(), table.make_room(at(2))), (2, Some(ids[2])));
        assert_eq!(table.establish(ids[0]), None);
    }

    #[test]
    fn whoever_has_no_handshake_is_not_half_open() {
        let mut table = Table::new();
        let [plain, dtls] =
            [1, 2].map(|port| table.insert(SocketAddr::from(([10, 0, 0, 1], port)).into(), (), at(0)));
        table.set_half_open(plain, false);
        table.set_half_open(plain, false);
        assert_eq!((table.half_open(), table.make_room(at(2))), (1, Some(dtls)));
        table.set_half_open(dtls, true);
        table.set_half_open(plain, true);
        assert_eq!((table.half_open(), table.make_room(at(2))), (2, Some(dtls)));
        table.remove(plain);
        table.set_half_open(plain, true);
        assert_eq!(table.half_open(), 1);
    }

    /// Row 67 of the threat list.
    #[test]
    fn threat_67_addresses_are_compared_properly() {
        let same = [("10.0.0.1:5", "[::ffff:10.0.0.1]:5"), ("[fe80::1]:5", "[fe80::1%0]:5")];
        for (one, other) in same {
            assert_eq!(Sender::of(address(one)), Sender::of(address(other)));
        }
        let different = [
            ("10.0.0.1:5", "10.0.0.1:6"),
            ("10.0.0.1:5", "[::10.0.0.1]:5"),
            ("[fe80::1%1]:5", "[fe80::1%2]:5"),
        ];
        for (one, other) in different {
            assert_ne!(Sender::of(address(one)), Sender::of(address(other)));
        }
        let labelled = std::net::SocketAddrV6::new([0xfe80, 0, 0, 0, 0, 0, 0, 1].into(), 5, 99, 0);
        assert_eq!(Sender::of(labelled.into()), Sender::of(address("[fe80::1]:5")));
    }

    #[test]
    fn cookies_are_bound_to_address_and_port() {
        let bytes = |text| SenderBytes::of(address(text)).id;
        let expected = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1, 1, 2];
        assert_eq!(bytes("10.0.0.1:258"), expected);
        assert_eq!(bytes("[::ffff:10.0.0.1]:258"), expected);
    }

    #[test]
    fn neighbours_share_a_network() {
        let network = |text| SenderBytes::of(address(text)).as_stranger().network.to_vec();
        let same = [
            ("10.0.0.1:258", "10.0.0.255:3"),
            ("10.0.0.1:258", "[::ffff:10.0.0.7]:3"),
            ("[2001:db8:1:200::1]:5", "[2001:db8:1:2ff:ffff::]:6"),
        ];
        for (one, other) in same {
            assert_eq!(network(one), network(other));
        }
        let different = [
            ("10.0.0.1:5", "10.0.1.1:5"),
            ("[2001:db8:1:200::1]:5", "[2001:db8:1:300::1]:5"),
            ("0.0.0.1:5", "[::1]:5"),
        ];
        for (one, other) in different {
            assert_ne!(network(one), network(other));
        }
    }

    #[test]
    fn only_plaintext_client_hellos_reach_the_gate() {
        let hello = [22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 12, 1, 0, 0];
        assert!(may_be_client_hello(&hello));
        for (place, other) in [(0, 23), (3, 1), (4, 1), (13, 2)] {
            let mut changed = hello;
            changed[place] = other;
            assert!(!may_be_client_hello(&changed));
        }
        for length in 0..14 {
            assert!(!may_be_client_hello(&hello[..length]));
        }
    }
}
