//! What a UDP server and its peers share: the socket, and a mailbox for each address. It knows of DTLS only the gate
//! that may stand before it.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drystone_handshake::{Datagram, Gate, Greeting, HelloId, Instant, PartialHellos, Path, Verdict};

use crate::clock::Clock;
use crate::endpoint::admission::{self, HalfOpenBytes, Room, Victim};
use crate::endpoint::hello::{Decision, Greeted};
use crate::endpoint::sender::{SenderBytes, may_be_client_hello};
use crate::endpoint::table::{Member, Route, Table};
use crate::endpoint::{FourTuple, PeerId};
use crate::packet_queue::PacketQueue;
use crate::socket::{Arrival, Socket};

/// The most datagrams that one poll takes in, so that it ends also when they come faster than they are sorted.
pub(super) const DATAGRAMS_PER_POLL: usize = 1024;

/// One socket for many peers. The lock is taken once per poll of the server and of each peer, never per datagram.
pub(super) struct Exchange {
    socket: Socket,
    /// What the half-open associations of all peers buffer.
    half_open_bytes: HalfOpenBytes,
    state: Mutex<State>,
}

/// How many may wait to be taken, and how many may be there.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) pending: usize,
    pub(super) half_open_bytes: usize,
    pub(super) admission: admission::Limits,
}

/// How far a poll goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    AllIsSorted,
    /// The caller takes a pending peer at once, so that those behind it in the socket find room.
    SomebodyIsPending,
}

/// Why a peer that somebody holds has no mailbox any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A newer association of the same address is connected.
    Replaced,
    /// Newer handshakes needed the place.
    Evicted,
    /// It was connected, and silent for long, and a newcomer needed its place.
    Displaced,
    /// The server was stopped or dropped.
    Stopped,
}

/// Decides about hellos before they cost anything.
#[derive(Clone)]
pub(super) struct Doorman {
    gate: Arc<Gate>,
    /// Locked for one look at one datagram.
    partial: Arc<Mutex<PartialHellos>>,
    clock: Clock,
}

impl Doorman {
    pub(super) fn new(gate: Gate, clock: Clock) -> Self {
        let partial = Arc::new(Mutex::new(gate.partial_hellos()));
        Self { gate: Arc::new(gate), partial, clock }
    }

    /// The gate's verdict on a datagram. Its reply is in `reply`, of [`Gate::MAX_REPLY`] bytes.
    pub(super) fn ask(&self, from: SocketAddr, datagram: &mut Datagram<'_>, reply: &mut [u8]) -> Verdict {
        // A panic elsewhere while the lock was held leaves a hello that may be damaged, as any may be.
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = SenderBytes::of(from);
        self.gate.answer_or_hold(self.clock.start(), sender.as_stranger(), datagram, &mut partial, reply)
    }
}

/// Before which hellos the doorman stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Guard {
    /// Before those of addresses that have a peer already: a client that lost its state connects anew. All other
    /// senders become pending peers at once, as in Godot.
    KnownAddresses,
    /// Before all, and nothing but hellos is let in.
    Everybody,
}

struct State {
    table: Table<Mailbox>,
    /// Those that nobody has taken yet, oldest first.
    pending: BTreeSet<PeerId>,
    /// Those that somebody holds but that have no mailbox any more.
    ended: HashMap<PeerId, Fate>,
    doorman: Option<(Doorman, Guard)>,
    clock: Clock,
    /// The moment of the present poll.
    now: Instant,
    stopped: bool,
    dropped: u64,
}

/// What arrived for one peer.
#[derive(Default)]
struct Mailbox {
    queue: PacketQueue,
    /// The hello with which the association began, as far as that is known.
    hello: Option<HelloId>,
    /// The gate's verdict on the first datagram, if it was asked, until somebody holds the peer.
    greeting: Option<Greeting>,
    established: bool,
    /// When the peer was last heard, as far as it has been told.
    heard: Instant,
}

impl Mailbox {
    fn of(Greeted { hello, greeting }: Greeted) -> Self {
        Self { hello, greeting, ..Self::default() }
    }
}

impl Member for Mailbox {
    /// Once connected, one of the same attempt to connect counts too, as in
    /// [`Connection::is_of`](drystone_handshake::Connection::is_of).
    fn is_of_hello(&self, hello: &HelloId) -> bool {
        let attempt = |own: &HelloId| self.established && own.is_same_attempt(hello);
        self.hello.as_ref().is_some_and(|own| own == hello || attempt(own))
    }

    fn last_received(&self) -> Option<Instant> {
        Some(self.heard).filter(|_| self.established)
    }
}

impl Exchange {
    pub(super) fn new(socket: Socket, limits: Limits) -> Self {
        let clock = Clock::new();
        let state = State {
            table: Table::new(limits.admission),
            pending: BTreeSet::new(),
            ended: HashMap::new(),
            doorman: None,
            clock,
            now: clock.now(),
            stopped: false,
            dropped: 0,
        };
        Self { socket, half_open_bytes: HalfOpenBytes::new(limits.half_open_bytes), state: Mutex::new(state) }
    }

    pub(super) fn half_open_bytes(&self) -> &HalfOpenBytes {
        &self.half_open_bytes
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Takes in what arrived, at most as many datagrams as `budget` says, which is lowered by them.
    pub(super) fn poll(
        &self,
        received: &mut [u8],
        limits: Limits,
        until: Until,
        budget: &mut usize,
    ) -> io::Result<()> {
        let mut state = self.lock();
        state.now = state.clock.now();
        state.table.admission.set_limits(limits.admission);
        self.half_open_bytes.set_most(limits.half_open_bytes);
        state.admit_waiting(until, limits);
        while *budget > 0 && !state.is_done(until) {
            *budget -= 1;
            match self.socket.try_receive(received)? {
                Arrival::Datagrams(datagrams) => {
                    let ends = datagrams.ends;
                    for (further, place) in datagrams.enumerate() {
                        *budget = budget.saturating_sub(usize::from(further > 0));
                        let datagram = received.get_mut(place).unwrap_or_default();
                        state.sort(&self.socket, ends, datagram, limits);
                    }
                }
                // Concerns a datagram to some peer, one does not learn which.
                Arrival::Refused => {}
                Arrival::Nothing => break,
            }
        }
        // Those that had to stand behind others, who are there by now.
        state.admit_waiting(until, limits);
        Ok(())
    }

    /// Puts the doorman there, or before more senders. The first one stays.
    pub(super) fn guard(&self, doorman: &Doorman, guard: Guard) {
        let mut state = self.lock();
        match &mut state.doorman {
            Some((_, present)) => *present = guard.max(*present),
            None => state.doorman = Some((doorman.clone(), guard)),
        }
    }

    pub(super) fn pending(&self) -> usize {
        self.lock().pending.len()
    }

    /// The oldest pending peer, which somebody holds from now on.
    pub(super) fn take(&self) -> Option<(PeerId, FourTuple)> {
        let mut state = self.lock();
        let id = state.pending.pop_first()?;
        Some((id, state.table.get(id)?.ends))
    }

    /// Fetches all that arrived for a peer: `queue`, which must be empty, and the mailbox's change places. `silence` is how
    /// long nothing authentic has come from it.
    pub(super) fn fetch(&self, id: PeerId, queue: &mut PacketQueue, silence: Duration) -> Result<(), Fate> {
        let mut state = self.lock();
        let heard = Instant::from_origin(state.now.since_origin().saturating_sub(silence));
        if state.stopped {
            return Err(Fate::Stopped);
        }
        if let Some(fate) = state.ended.get(&id) {
            return Err(*fate);
        }
        if let Some(peer) = state.table.get_mut(id) {
            std::mem::swap(&mut peer.state.queue, queue);
            peer.state.heard = heard;
        }
        Ok(())
    }

    /// The gate's verdict on a peer's first datagram, once: the gate itself no longer has what it held of the hello.
    pub(super) fn take_greeting(&self, id: PeerId) -> Option<Greeting> {
        self.lock().table.get_mut(id)?.state.greeting.take()
    }

    /// How many packets wait in a peer's mailbox.
    pub(super) fn waiting(&self, id: PeerId) -> usize {
        self.lock().table.get(id).map_or(0, |peer| peer.state.queue.len())
    }

    /// A peer's association began with this hello: its copies begin no other.
    pub(super) fn begun(&self, id: PeerId, hello: HelloId) {
        let mut state = self.lock();
        if let Some(peer) = state.table.get_mut(id) {
            peer.state.hello = Some(hello);
            state.table.set_half_open(id, true);
        }
    }

    /// A peer's handshake is done. It takes the place of an older association of the same address.
    pub(super) fn established(&self, id: PeerId) {
        let mut state = self.lock();
        let now = state.now;
        if let Some(peer) = state.table.get_mut(id) {
            (peer.state.established, peer.state.heard) = (true, now);
        }
        if let Some(replaced) = state.table.establish(id, now) {
            state.end(replaced, Fate::Replaced);
        }
    }

    /// Nobody holds the peer any more: its address is unknown again.
    pub(super) fn forget(&self, id: PeerId) {
        let mut state = self.lock();
        state.table.remove(id);
        state.ended.remove(&id);
    }

    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.pending.clear();
        let peers: Vec<_> = state.table.ids().collect();
        for id in peers {
            state.table.remove(id);
        }
    }

    /// Peers that somebody holds or that are pending.
    pub(super) fn peers(&self) -> usize {
        self.lock().table.len()
    }

    /// Datagrams that nobody had room for.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped.saturating_add(self.socket.dropped())
    }

    /// A panic elsewhere while the lock was held leaves nothing half done that matters more than the peers do.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a poll has gone as far as it is to go.
    fn is_done(&self, until: Until) -> bool {
        until == Until::SomebodyIsPending && !self.pending.is_empty()
    }

    /// Gives a datagram to whom it is for.
    fn sort(&mut self, socket: &Socket, from: FourTuple, datagram: &mut [u8], limits: Limits) {
        let route = self.table.route(from.remote);
        let guarded = match &self.doorman {
            Some((_, Guard::Everybody)) => true,
            Some((_, Guard::KnownAddresses)) => route.is_some(),
            None => false,
        };
        let hello = may_be_client_hello(datagram);
        match route {
            None if !guarded => self.admit_unasked(from, datagram, limits),
            None if !hello => self.dropped += 1,
            Some(route) if !guarded || !hello => self.deliver(route, datagram),
            _ => self.handle_hello(socket, from, datagram, limits),
        }
    }

    /// What may be a hello, and is not let in unasked.
    fn handle_hello(&mut self, socket: &Socket, from: FourTuple, bytes: &mut [u8], limits: Limits) {
        let Some((doorman, _)) = &self.doorman else { return };
        let mut reply = [0; Gate::MAX_REPLY];
        let verdict = doorman.ask(from.remote, &mut Datagram::new(Path::default(), bytes), &mut reply);
        match self.table.decide(self.now, from, bytes, verdict) {
            Decision::Reply(length) | Decision::Refuse { length, .. } => {
                // A lost answer is asked for again.
                let _ = socket.answer(reply.get(..length).unwrap_or_default(), &from);
            }
            Decision::Deliver(route) => self.deliver(route, bytes),
            Decision::Begin(greeted, room) if self.pending.len() < limits.pending => {
                self.make_room(room);
                self.begin(from, Mailbox::of(*greeted), &[bytes]);
            }
            Decision::Buffered | Decision::Waiting => {}
            Decision::Begin(..) | Decision::TurnedAway | Decision::Dropped => self.dropped += 1,
        }
    }

    /// A copy for each association of the address: opening destroys what does not fit the key.
    fn deliver(&mut self, route: Route, datagram: &[u8]) {
        for id in [Some(route.current), route.challenger].into_iter().flatten() {
            let fits = self.table.get_mut(id).is_some_and(|peer| peer.state.queue.push(datagram));
            self.dropped += u64::from(!fits);
        }
    }

    /// A new pending peer of whom the gate was not asked: it needs no place among the half-open until a handshake begins.
    fn admit_unasked(&mut self, from: FourTuple, datagram: &[u8], limits: Limits) {
        let room = self.table.find_room_without_handshake(self.now, from.remote);
        if self.pending.len() >= limits.pending || room == Room::None {
            self.dropped += 1;
            return;
        }
        self.make_room(room);
        let id = self.begin(from, Mailbox::default(), &[datagram]);
        self.table.set_half_open(id, false);
    }

    /// Makes pending peers of those who waited and find room now.
    fn admit_waiting(&mut self, until: Until, limits: Limits) {
        while !self.is_done(until)
            && self.pending.len() < limits.pending
            && let Some((waiter, room)) = self.table.next_waiting(self.now)
        {
            self.make_room(room);
            self.begin(waiter.ends, Mailbox::of(waiter.greeting), &waiter.datagrams);
        }
    }

    fn begin(&mut self, from: FourTuple, mut mailbox: Mailbox, datagrams: &[impl AsRef<[u8]>]) -> PeerId {
        for datagram in datagrams {
            let fits = mailbox.queue.push(datagram.as_ref());
            self.dropped += u64::from(!fits);
        }
        let id = self.table.insert(from, mailbox, self.now);
        self.pending.insert(id);
        id
    }

    fn make_room(&mut self, room: Room) {
        match room {
            Room::Instead(Victim::HalfOpen(id)) => self.end(id, Fate::Evicted),
            Room::Instead(Victim::Silent(id)) => self.end(id, Fate::Displaced),
            Room::Free | Room::None => {}
        }
    }

    /// Takes a peer's mailbox away; whoever holds it learns why.
    fn end(&mut self, id: PeerId, fate: Fate) {
        self.table.remove(id);
        if !self.pending.remove(&id) {
            self.ended.insert(id, fate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    const LIMITS: Limits = Limits {
        pending: 16,
        half_open_bytes: admission::HALF_OPEN_BYTES,
        admission: admission::Limits {
            half_open: 16,
            half_open_per_network: 16,
            peers: 16,
            peers_per_network: None,
            long_silence: admission::LONG_SILENCE,
            newcomers: 16,
        },
    };

    /// What one poll takes in is bounded, however much there is.
    #[test]
    fn a_poll_keeps_to_its_budget() {
        let exchange = Exchange::new(Socket::bind(([127, 0, 0, 1], 0).into()).unwrap(), LIMITS);
        let address = exchange.socket().local_addr().unwrap();
        let senders: Vec<_> = (0..5).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        for sender in &senders {
            sender.send_to(b"hello", address).unwrap();
        }
        let mut received = [0; 64];
        let mut poll = |until, mut budget| {
            exchange.poll(&mut received, LIMITS, until, &mut budget).unwrap();
            (exchange.pending(), budget)
        };
        assert_eq!(poll(Until::AllIsSorted, 0), (0, 0));
        assert_eq!(poll(Until::SomebodyIsPending, 3), (1, 2));
        assert_eq!(poll(Until::AllIsSorted, 3), (4, 0));
        // The fifth, and a look that finds nothing.
        assert_eq!(poll(Until::AllIsSorted, 3), (5, 1));
    }
}
