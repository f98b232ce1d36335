//! Hellos that found no place, kept until one falls free: bounded in number and in bytes, and fair between networks.
//! It knows nothing of what is in them.
//!
//! A client that is not answered can only wait for its own timer, which doubles each time. Nothing that a server could
//! send without memory makes it repeat its hello earlier: a second HelloVerifyRequest has the message_seq of the first,
//! so that stacks drop it as a copy (RFC 6347 section 4.2.2), and needs the hello for its cookie; a second
//! HelloRetryRequest ends the handshake (RFC 9846 section 4.2.4); there is no ACK in plaintext. So the hello itself is
//! kept, with its cookie checked already, and answered as if it had just arrived.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use drystone_handshake::Instant;

use super::network::Network;
use crate::endpoint::FourTuple;
use crate::endpoint::sender::Sender;

/// The most hellos that are kept.
const MAX_HELLOS: usize = 1024;

/// The most bytes of all of them, with [`COST`] for each.
const MAX_BYTES: usize = 2 << 20;

/// The most bytes of one hello, which may be in several datagrams.
const MAX_HELLO_BYTES: usize = 4096;

/// The most datagrams of one hello.
const MAX_DATAGRAMS: usize = 16;

/// What a hello costs beside its bytes.
const COST: usize = 512;

/// How long a hello is kept: as long as clients usually wait for an answer.
const LIFETIME: Duration = Duration::from_secs(30);

/// When to look again whether somebody finds a place, if nobody has left one: those who hold the places get old.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Networks that one look asks about.
const LOOKS: usize = 16;

/// A hello that waits, with what the gate said about it.
#[derive(Debug)]
pub(crate) struct Waiter<G> {
    pub(crate) ends: FourTuple,
    pub(crate) greeting: G,
    /// What the hello came in, in the order of arrival.
    pub(crate) datagrams: Vec<Box<[u8]>>,
    bytes: usize,
    since: Instant,
}

impl<G> Waiter<G> {
    fn cost(&self) -> usize {
        self.bytes.saturating_add(COST)
    }
}

/// What the gate said of a hello.
pub(crate) trait Kept {
    /// Whether both are of the same hello.
    fn is_copy_of(&self, other: &Self) -> bool;
    /// Bytes of memory behind it.
    fn bytes(&self) -> usize;
}

/// What becomes of a waiter whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn<R> {
    /// It finds this room.
    Comes(R),
    /// There is no room for its network.
    NetworkWaits,
    /// There is none for its address; others of its network may have more luck.
    AddressWaits,
}

/// The hellos that wait. Networks take turns, and within one the oldest comes first.
#[derive(Debug)]
pub(crate) struct Waiting<G> {
    hellos: HashMap<Sender, Waiter<G>>,
    queues: HashMap<Network, VecDeque<Sender>>,
    turns: VecDeque<Network>,
    /// Networks by the number of their hellos.
    sizes: BTreeSet<(usize, Network)>,
    bytes: usize,
    /// Networks that were not asked about since something changed.
    unseen: usize,
    look_again: Option<Instant>,
}

impl<G: Kept> Waiting<G> {
    pub(crate) fn new() -> Self {
        Self {
            hellos: HashMap::new(),
            queues: HashMap::new(),
            turns: VecDeque::new(),
            sizes: BTreeSet::new(),
            bytes: 0,
            unseen: 0,
            look_again: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hellos.is_empty()
    }

    /// Whether somebody of this network waits, so that newcomers stand behind.
    pub(crate) fn has_network(&self, network: Network) -> bool {
        self.queues.contains_key(&network)
    }

    /// Keeps a hello; false if there is no room for it. An address waits at most once: a copy of its hello takes the
    /// place of the first, and another hello, which may be an old one that somebody replays, does not. When all is full
    /// the network with most hellos gives up its newest.
    pub(crate) fn keep(&mut self, now: Instant, ends: FourTuple, greeting: G, datagram: &[u8]) -> bool {
        let sender = Sender::of(ends.remote);
        let bytes = datagram.len().saturating_add(greeting.bytes());
        if bytes > MAX_HELLO_BYTES {
            return false;
        }
        if let Some(waiter) = self.hellos.get_mut(&sender) {
            if greeting.is_copy_of(&waiter.greeting) {
                self.bytes = self.bytes - waiter.bytes + bytes;
                (waiter.greeting, waiter.bytes, waiter.since) = (greeting, bytes, now);
                waiter.datagrams.clear();
                waiter.datagrams.push(datagram.into());
            }
            return true;
        }
        let network = Network::of(ends.remote.ip());
        while self.hellos.len() >= MAX_HELLOS || self.bytes + bytes + COST > MAX_BYTES {
            if !self.give_up_one(network) {
                return false;
            }
        }
        let datagrams = vec![datagram.into()];
        let waiter = Waiter { ends, greeting, datagrams, bytes, since: now };
        self.bytes += waiter.cost();
        self.hellos.insert(sender, waiter);
        let queue = self.queues.entry(network).or_default();
        queue.push_back(sender);
        let size = queue.len();
        if size == 1 {
            self.turns.push_back(network);
            self.unseen += 1;
        }
        self.sizes.remove(&(size - 1, network));
        self.sizes.insert((size, network));
        true
    }

    /// Another datagram of an address that waits: perhaps the rest of its hello. False if that address does not wait.
    pub(crate) fn add(&mut self, from: SocketAddr, datagram: &[u8]) -> bool {
        let Some(waiter) = self.hellos.get_mut(&Sender::of(from)) else { return false };
        if waiter.datagrams.len() < MAX_DATAGRAMS
            && waiter.bytes + datagram.len() <= MAX_HELLO_BYTES
            && self.bytes + datagram.len() <= MAX_BYTES
        {
            waiter.datagrams.push(datagram.into());
            waiter.bytes += datagram.len();
            self.bytes += datagram.len();
        }
        true
    }

    /// Something changed: a place may be free.
    pub(crate) fn wake(&mut self) {
        self.unseen = self.turns.len();
    }

    /// When to look at those who wait, if anybody does.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        if self.unseen > 0 { Some(Instant::default()) } else { self.look_again }
    }

    /// The next hello that finds room, as `turn` says for its address and network. One call asks about a few networks
    /// only.
    pub(crate) fn next<R>(
        &mut self,
        now: Instant,
        mut turn: impl FnMut(&Waiter<G>) -> Turn<R>,
    ) -> Option<(Waiter<G>, R)> {
        if self.look_again.is_some_and(|at| at <= now) {
            self.look_again = None;
            self.wake();
        }
        for _ in 0..self.unseen.min(LOOKS) {
            self.unseen -= 1;
            let network = self.turns.pop_front()?;
            let Some(sender) = self.front_of(network, now) else { continue };
            let Some(waiter) = self.hellos.get(&sender) else { continue };
            match turn(waiter) {
                Turn::Comes(room) => {
                    let waiter = self.take_front(network)?;
                    if self.queues.contains_key(&network) {
                        self.turns.push_back(network);
                        self.unseen += 1;
                    }
                    self.note_next_look(now);
                    return Some((waiter, room));
                }
                Turn::NetworkWaits => {}
                Turn::AddressWaits => {
                    if let Some(queue) = self.queues.get_mut(&network) {
                        queue.rotate_left(1);
                    }
                }
            }
            self.turns.push_back(network);
        }
        self.note_next_look(now);
        None
    }

    fn note_next_look(&mut self, now: Instant) {
        if self.hellos.is_empty() {
            self.look_again = None;
            if self.hellos.capacity() > 0 {
                // What a crowd needed is free when the last of it is in.
                *self = Self::new();
            }
        } else if self.unseen == 0 && self.look_again.is_none() {
            self.look_again = Some(now + LOOK_AGAIN);
        }
    }

    /// The oldest of a network that is not too old.
    fn front_of(&mut self, network: Network, now: Instant) -> Option<Sender> {
        loop {
            let sender = *self.queues.get(&network)?.front()?;
            if self.hellos.get(&sender).is_some_and(|waiter| now - waiter.since <= LIFETIME) {
                return Some(sender);
            }
            self.take_front(network);
        }
    }

    fn take_front(&mut self, network: Network) -> Option<Waiter<G>> {
        let sender = self.queues.get_mut(&network)?.pop_front()?;
        self.forget(sender, network)
    }

    /// Makes room for a hello of `network`, unless that network has most hellos itself.
    fn give_up_one(&mut self, network: Network) -> bool {
        let own = self.queues.get(&network).map_or(0, VecDeque::len);
        let Some((most, largest)) = self.sizes.last().copied().filter(|(most, _)| *most > own.max(1)) else {
            return false;
        };
        debug_assert!(most > 1, "a network keeps its last hello, and its turn");
        let newest = self.queues.get_mut(&largest).and_then(VecDeque::pop_back);
        newest.and_then(|sender| self.forget(sender, largest)).is_some()
    }

    /// Forgets a hello that was taken out of its queue.
    fn forget(&mut self, sender: Sender, network: Network) -> Option<Waiter<G>> {
        let left = self.queues.get(&network).map_or(0, VecDeque::len);
        self.sizes.remove(&(left + 1, network));
        if left == 0 {
            self.queues.remove(&network);
        } else {
            self.sizes.insert((left, network));
        }
        let waiter = self.hellos.remove(&sender)?;
        self.bytes -= waiter.cost();
        Some(waiter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(milliseconds: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(milliseconds))
    }

    fn address(network: u16, port: u16) -> SocketAddr {
        let [high, low] = network.to_be_bytes();
        ([10, high, low, 1], port).into()
    }

    /// A hello is its number; that of 1,000,000 has one byte at the gate.
    impl Kept for u32 {
        fn is_copy_of(&self, other: &Self) -> bool {
            self == other
        }

        fn bytes(&self) -> usize {
            usize::from(*self >= 1_000_000)
        }
    }

    fn keep(waiting: &mut Waiting<u32>, from: SocketAddr, greeting: u32) -> bool {
        waiting.keep(at(0), from.into(), greeting, &[7; 100])
    }

    /// Everybody who comes, in this order, where all find room.
    fn everybody(waiting: &mut Waiting<u32>, now: Instant) -> Vec<u32> {
        std::iter::from_fn(|| waiting.next(now, |_| Turn::Comes(())))
            .map(|(waiter, ())| waiter.greeting)
            .collect()
    }

    fn is_consistent(waiting: &Waiting<u32>) -> bool {
        let queued: usize = waiting.queues.values().map(VecDeque::len).sum();
        let bytes: usize = waiting.hellos.values().map(Waiter::cost).sum();
        queued == waiting.hellos.len()
            && bytes == waiting.bytes
            && waiting.turns.len() == waiting.queues.len()
            && waiting.sizes.len() == waiting.queues.len()
    }

    #[test]
    fn networks_take_turns_and_the_oldest_of_each_comes_first() {
        let mut waiting = Waiting::new();
        for port in 1..=4 {
            assert!(keep(&mut waiting, address(1, port), port.into()));
        }
        assert!(keep(&mut waiting, address(2, 1), 20) && keep(&mut waiting, address(3, 1), 30));
        assert!(waiting.has_network(Network::of(address(2, 9).ip())) && is_consistent(&waiting));
        assert_eq!(everybody(&mut waiting, at(0)), [1, 20, 30, 2, 3, 4]);
        assert!(waiting.is_empty() && is_consistent(&waiting));
        assert_eq!(waiting.next_timeout(), None);
    }

    #[test]
    fn a_copy_takes_the_place_of_the_first_and_another_hello_does_not() {
        let mut waiting = Waiting::new();
        let from = address(1, 1);
        assert!(keep(&mut waiting, from, 1) && waiting.add(from, b"the rest"));
        assert!(!waiting.add(address(1, 2), b"of nobody"));
        assert!(keep(&mut waiting, from, 2));
        let datagrams = |waiting: &Waiting<u32>| waiting.hellos[&Sender::of(from)].datagrams.len();
        assert_eq!(datagrams(&waiting), 2);
        assert!(keep(&mut waiting, from, 1));
        assert_eq!(datagrams(&waiting), 1);
        assert!(is_consistent(&waiting));
        assert_eq!(everybody(&mut waiting, at(0)), [1]);
    }

    #[test]
    fn who_finds_no_room_is_asked_again_when_something_changed_and_after_a_while() {
        let mut waiting = Waiting::new();
        keep(&mut waiting, address(1, 1), 1);
        keep(&mut waiting, address(2, 1), 2);
        let nobody = |waiting: &mut Waiting<u32>, now| {
            let mut asked = 0;
            let next = waiting.next::<()>(now, |_| {
                asked += 1;
                Turn::NetworkWaits
            });
            assert!(next.is_none());
            asked
        };
        assert_eq!(waiting.next_timeout(), Some(at(0)));
        assert_eq!((nobody(&mut waiting, at(5)), waiting.next_timeout()), (2, Some(at(105))));
        assert_eq!((nobody(&mut waiting, at(104)), waiting.next_timeout()), (0, Some(at(105))));
        assert_eq!((nobody(&mut waiting, at(105)), waiting.next_timeout()), (2, Some(at(205))));
        waiting.wake();
        assert_eq!(nobody(&mut waiting, at(106)), 2);
        // One network's turn does not depend on another's.
        waiting.wake();
        let only_second = |waiter: &Waiter<u32>| match waiter.greeting {
            2 => Turn::Comes(()),
            _ => Turn::NetworkWaits,
        };
        assert_eq!(waiting.next(at(107), only_second).unwrap().0.greeting, 2);
        assert!(is_consistent(&waiting));
    }

    #[test]
    fn an_address_that_must_wait_lets_its_neighbours_pass() {
        let mut waiting = Waiting::new();
        for port in 1..=3 {
            keep(&mut waiting, address(1, port), port.into());
        }
        let not_the_first = |waiter: &Waiter<u32>| match waiter.greeting {
            1 => Turn::AddressWaits,
            _ => Turn::Comes(()),
        };
        let mut came = Vec::new();
        for _ in 0..3 {
            waiting.wake();
            came.extend(waiting.next(at(0), not_the_first).map(|(waiter, ())| waiter.greeting));
        }
        assert_eq!(came, [2, 3]);
        assert_eq!(everybody(&mut waiting, at(200)), [1]);
    }

    #[test]
    fn hellos_do_not_wait_for_ever() {
        let mut waiting = Waiting::new();
        keep(&mut waiting, address(1, 1), 1);
        keep(&mut waiting, address(1, 2), 2);
        assert!(waiting.keep(at(20_000), address(1, 2).into(), 2, b"again"));
        assert_eq!(everybody(&mut waiting, at(30_001)), [2]);
        assert!(is_consistent(&waiting));
    }

    /// One network's flood takes what is free, and gives it up for others: the newest first.
    #[test]
    fn a_flood_keeps_nobody_out() {
        let mut waiting = Waiting::new();
        let kept = (1..2_000).filter(|port| keep(&mut waiting, address(1, *port), (*port).into())).count();
        assert_eq!((kept, waiting.hellos.len()), (MAX_HELLOS, MAX_HELLOS));
        for network in 2..502 {
            assert!(keep(&mut waiting, address(network, 1), 10_000 + u32::from(network)));
        }
        assert_eq!(waiting.hellos.len(), MAX_HELLOS);
        assert!(is_consistent(&waiting));
        let came = everybody(&mut waiting, at(0));
        assert_eq!((came.len(), came[0], *came.last().unwrap()), (MAX_HELLOS, 1, 524));
    }

    /// Where each network has one hello nobody gives way: the newest is not kept.
    #[test]
    fn a_network_keeps_its_last_hello() {
        let mut waiting = Waiting::new();
        let kept = (1..2_000).filter(|network| keep(&mut waiting, address(*network, 1), 1)).count();
        assert_eq!(kept, MAX_HELLOS);
        assert!(!keep(&mut waiting, address(1, 2), 1));
        assert!(is_consistent(&waiting));
    }

    #[test]
    fn memory_is_bounded() {
        let mut waiting = Waiting::new();
        let large = [0; MAX_HELLO_BYTES];
        assert!(!waiting.keep(at(0), address(1, 1).into(), 1_000_000, &large));
        for port in 1..2_000 {
            let from = address(port / 7, port);
            waiting.keep(at(0), from.into(), u32::from(port), &large[..2_000]);
            for _ in 0..5 {
                waiting.add(from, &large[..1_000]);
            }
            assert!(waiting.bytes <= MAX_BYTES && is_consistent(&waiting));
        }
        assert!(waiting.hellos.values().all(|waiter| waiter.bytes <= MAX_HELLO_BYTES));
        // Small ones are limited in number.
        let mut waiting = Waiting::new();
        assert!(waiting.keep(at(0), address(1, 1).into(), 1, b""));
        let added = (0..100).filter(|_| waiting.add(address(1, 1), b"x")).count();
        assert_eq!((added, waiting.hellos[&Sender::of(address(1, 1))].datagrams.len()), (100, MAX_DATAGRAMS));
    }
}
