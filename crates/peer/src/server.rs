//! A server for many peers over one UDP socket: it waits for one thing at a time, and never longer than it is told.
//! It must not know what is inside the datagrams, except which ones may be a ClientHello.

mod newcomers;
mod options;

pub(crate) use options::IDLE_TIMEOUT;
pub use options::{ServerOptions, ServerStats};

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use drystone_handshake::message::registry::AlertDescription;
use drystone_handshake::{
    Answer, Connection, Error, Event, Gate, Instant, Misuse, PartialHellos, RequestId, ServerConfig,
};

use crate::clock::Clock;
use crate::deadline::Deadlines;
use crate::error::{SendError, ServerError};
use crate::inbox::{self, Arrived, Packet};
use crate::route::{Peer, PeerId, Route, Table, may_be_client_hello};
use crate::socket::{Arrival, FourTuple, MAX_DATAGRAM, Socket};
use crate::trace;

/// A DTLS server with its UDP socket and all its peers.
///
/// [`poll`](Self::poll) does everything that is due for all peers and waits for the next packet or event, at most as
/// long as it is told; call it again and again. A peer exists for the caller from its [`Event::Connected`] (or
/// [`Event::Failed`]) on, and is gone after [`Event::Closed`], [`Event::Failed`] or [`Event::AssociationReplaced`].
/// Dropping the server says goodbye to all peers.
///
/// Strangers cost it no memory, but for fixed pools: one that holds hellos in fragments, and one of hellos that wait for a
/// place. An association is made only for a sender that returned a cookie, so that its address is proved. Associations
/// whose handshake is not done are limited in number and time, and by network; connected ones are given up for newcomers
/// only if they have been silent for long. A client that lost its state and connects anew from the same address gets a
/// second association, which replaces the first one only when its handshake is done (RFC 6347 section 4.2.8). Peers that
/// vanish are noticed by their silence ([`ServerOptions::idle_timeout`]).
///
/// For an example see [`Client`](crate::Client).
pub struct Server {
    socket: Socket,
    clock: Clock,
    config: Arc<ServerConfig>,
    gate: Gate,
    partial: PartialHellos,
    options: ServerOptions,
    table: Table,
    deadlines: Deadlines<PeerId>,
    /// What came and was not yet handed out; packets among it lie in `received` or `copy`.
    queue: VecDeque<Queued>,
    /// Refused hellos that were not told yet, at most [`MAX_REFUSALS`].
    refusals: VecDeque<(SocketAddr, Error)>,
    /// Addresses of associations that are forgotten while their last events wait in `queue`.
    departed: Vec<(PeerId, SocketAddr)>,
    received: Box<[u8]>,
    /// A second copy of a datagram whose sender has two associations: opening destroys what does not fit the key.
    copy: Box<[u8]>,
    out: Box<[u8]>,
    stats: ServerStats,
    /// Bytes that half-open associations buffer of their peers' handshakes.
    buffered: usize,
}

/// Refused hellos that wait to be told: what one series of datagrams can bring. More are only counted.
const MAX_REFUSALS: usize = 64;

/// What [`Server::poll`] brings.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// A packet from a peer.
    Packet(PeerId, Packet<'a>),
    /// Something happened to a peer's connection.
    Connection(PeerId, Event),
    /// The hello of somebody who is no peer was answered by an alert, since nothing can come of it: no common version, for
    /// example. Anybody can cause this, under any address.
    HelloRefused {
        /// Where the hello came from.
        address: SocketAddr,
        /// Why it was refused.
        error: Error,
    },
}

/// One thing that waits to be handed out.
struct Queued {
    peer: PeerId,
    place: Place,
    arrived: Arrived,
}

/// Which buffer a packet lies in.
#[derive(Clone, Copy)]
enum Place {
    Received,
    Copy,
}

impl Server {
    /// Listens on `address`; port 0 takes a free one ([`local_addr`](Self::local_addr) says which).
    ///
    /// On an unspecified address (`0.0.0.0`, `[::]`) each answer leaves from the address that the peer called, where the
    /// system tells it: Linux, Android, Windows, the BSDs and Apple's systems (there not for IPv4 on a socket of both
    /// families). Elsewhere the system chooses the address; a host of several addresses binds one socket to each there.
    ///
    /// # Errors
    /// [`ServerError::Socket`] if the operating system refuses (the port is taken, for example),
    /// [`ServerError::Config`] if the configuration cannot work.
    pub fn bind(address: SocketAddr, config: Arc<ServerConfig>) -> Result<Self, ServerError> {
        Self::bind_with(address, config, ServerOptions::default())
    }

    /// Like [`bind`](Self::bind), with options.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_with(
        address: SocketAddr,
        config: Arc<ServerConfig>,
        options: ServerOptions,
    ) -> Result<Self, ServerError> {
        let gate = Gate::new(&config)?;
        let socket = Socket::bind(address).map_err(|source| ServerError::Socket { address, source })?;
        Ok(Self {
            socket,
            clock: Clock::new(),
            config,
            partial: gate.partial_hellos(),
            gate,
            table: Table::new(options.limits()),
            options,
            deadlines: Deadlines::new(),
            queue: VecDeque::new(),
            refusals: VecDeque::new(),
            departed: Vec::new(),
            received: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            copy: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            out: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            stats: ServerStats::default(),
            buffered: 0,
        })
    }

    /// Does what is due for all peers and waits for the next packet or event, at most for `timeout`; zero does not
    /// wait. `None` means that `timeout` is over.
    ///
    /// # Errors
    /// What the operating system says if its socket fails. Nothing that a peer sends is an error.
    pub fn poll(&mut self, timeout: Duration) -> io::Result<Option<ServerEvent<'_>>> {
        let deadline = self.clock.now() + timeout;
        let mut last_look = false;
        loop {
            if let Some((address, error)) = self.refusals.pop_front() {
                return Ok(Some(ServerEvent::HelloRefused { address, error }));
            }
            if let Some(queued) = self.queue.pop_front() {
                return Ok(Some(self.lend(queued)));
            }
            self.departed.clear();
            if last_look {
                return Ok(None);
            }
            let now = self.clock.now();
            self.handle_timeouts(now);
            self.begin_waiting(now);
            if self.queue.is_empty() {
                last_look = now >= deadline;
                self.wait(deadline - now)?;
            }
        }
    }

    /// Sends one packet to a peer: one record in one datagram.
    ///
    /// # Errors
    /// [`SendError::NoSuchPeer`], [`SendError::Misuse`] if the peer is not connected or the packet is longer than
    /// [`Connection::max_payload`], [`SendError::Socket`] if the operating system does not take the datagram.
    pub fn send(&mut self, peer: PeerId, payload: &[u8]) -> Result<(), SendError> {
        let known = self.table.get_mut(peer).ok_or(SendError::NoSuchPeer)?;
        let length = known.connection.send(payload, &mut self.out)?;
        let ends = known.ends;
        let sent = self.socket.answer(self.out.get(..length).unwrap_or_default(), &ends);
        self.settle(peer, self.clock.now());
        Ok(sent?)
    }

    /// Changes the keys of what is sent to a peer (DTLS 1.3), and asks the peer to change its own too if
    /// `request_peer`: see [`Connection::update_keys`].
    ///
    /// # Errors
    /// [`SendError::NoSuchPeer`], or [`SendError::Misuse`] if the peer is not connected, or speaks DTLS 1.2.
    pub fn update_keys(&mut self, peer: PeerId, request_peer: bool) -> Result<(), SendError> {
        let now = self.clock.now();
        let known = self.table.get_mut(peer).ok_or(SendError::NoSuchPeer)?;
        known.connection.update_keys(now, request_peer)?;
        self.settle(peer, now);
        Ok(())
    }

    /// Sends close_notify to a peer, whose id means nothing afterwards. Unknown ids are ignored: the peer may have gone
    /// just before.
    pub fn close(&mut self, peer: PeerId) {
        self.close_with(peer, AlertDescription::CLOSE_NOTIFY);
    }

    /// Closes like [`close`](Self::close), but tells the peer with a fatal alert what is wrong: see
    /// [`Connection::close_with`].
    pub fn close_with(&mut self, peer: PeerId, alert: AlertDescription) {
        let now = self.clock.now();
        if let Some(known) = self.table.get_mut(peer) {
            known.connection.close_with(now, alert);
            self.settle(peer, now);
        }
    }

    /// Gives the answer to an [`Event::Request`].
    ///
    /// # Errors
    /// [`SendError::NoSuchPeer`], or [`SendError::Misuse`] if no such request is open or the answer is of another
    /// kind; nothing is changed then.
    pub fn answer(&mut self, peer: PeerId, id: RequestId, answer: Answer) -> Result<(), SendError> {
        let now = self.clock.now();
        let known = self.table.get_mut(peer).ok_or(SendError::NoSuchPeer)?;
        known.connection.answer(now, id, answer).map_err(|misuse: Misuse| SendError::Misuse(misuse))?;
        self.settle(peer, now);
        Ok(())
    }

    /// A peer's connection: its state, limits and counters. None if there is no such peer (any more).
    pub fn connection(&self, peer: PeerId) -> Option<&Connection> {
        self.table.get(peer).map(|known| &known.connection)
    }

    /// A peer's address. None if there is no such peer (any more); one whose last event [`poll`](Self::poll) has given is
    /// known until the next call of it.
    pub fn address(&self, peer: PeerId) -> Option<SocketAddr> {
        let departed = || self.departed.iter().find(|(id, _)| *id == peer).map(|(_, address)| *address);
        self.table.get(peer).map(|known| known.ends.remote).or_else(departed)
    }

    /// All associations, half-open ones too, in no particular order.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.table.ids()
    }

    /// The address that the server listens on.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Bytes of heap in which half-open associations buffer parts of handshake messages, at most
    /// [`max_half_open_bytes`](ServerOptions::max_half_open_bytes).
    pub fn half_open_bytes(&self) -> usize {
        self.buffered
    }

    /// The server's own counters.
    pub fn stats(&self) -> ServerStats {
        self.stats
    }

    fn handle_timeouts(&mut self, now: Instant) {
        while let Some((at, id)) = self.deadlines.pop_due(now) {
            let Some(peer) = self.table.get_mut(id).filter(|peer| peer.armed == Some(at)) else {
                continue;
            };
            peer.armed = None;
            let _span = trace::peer(id, peer.ends.remote);
            if peer.connection.poll_timeout().is_some_and(|at| at <= now) {
                peer.connection.handle_timeout(now);
            }
            self.settle(id, now);
        }
    }

    /// One receive, bounded by `most`, by the earliest deadline of all, and by what newcomers wait for.
    fn wait(&mut self, most: Duration) -> io::Result<()> {
        let now = self.clock.now();
        let due =
            [self.deadlines.next(), self.table.admission.waiting.next_timeout()].into_iter().flatten().min();
        let wait = due.map_or(most, |at| most.min(at - now));
        match self.socket.receive(&mut self.received, wait)? {
            Arrival::Datagrams(datagrams) => {
                let (from, now) = (datagrams.ends, self.clock.now());
                for place in datagrams {
                    self.handle_datagram(from, place, now);
                }
            }
            // A refusal concerns a datagram to some peer, one does not learn which.
            Arrival::Refused => {}
            Arrival::Nothing => self.table.admission.renew_budget(),
        }
        Ok(())
    }

    fn handle_datagram(&mut self, from: FourTuple, at: Range<usize>, now: Instant) {
        let may_be_hello = self.received.get(at.clone()).is_some_and(may_be_client_hello);
        match self.table.route(from.remote) {
            route if may_be_hello => self.handle_hello(route, from, at, now),
            Some(route) => self.deliver(route, at, now),
            None => self.stats.strangers_dropped += 1,
        }
    }

    /// A datagram of known associations: offered to the challenger first, so that the one that connects with it is
    /// the only one to see it.
    fn deliver(&mut self, route: Route, at: Range<usize>, now: Instant) {
        let Some(challenger) = route.challenger else {
            return self.offer(route.current, Place::Received, at, now);
        };
        if let (Some(copy), Some(received)) = (self.copy.get_mut(at.clone()), self.received.get(at.clone())) {
            copy.copy_from_slice(received);
        }
        self.offer(challenger, Place::Received, at.clone(), now);
        // By now the challenger may have taken its place, and this offer finds nobody.
        self.offer(route.current, Place::Copy, at, now);
    }

    fn offer(&mut self, id: PeerId, place: Place, at: Range<usize>, now: Instant) {
        let Some(peer) = self.table.get_mut(id) else {
            return;
        };
        let is_half_open = !peer.connection.is_connected();
        let _span = is_half_open.then(|| trace::peer(id, peer.ends.remote));
        if is_half_open {
            let others = self.buffered.saturating_sub(peer.buffered);
            let left = self.options.max_half_open_bytes.saturating_sub(others);
            peer.connection.limit_buffered_bytes(left);
        }
        let buffer = match place {
            Place::Received => &mut self.received,
            Place::Copy => &mut self.copy,
        };
        let queue = &mut self.queue;
        inbox::offer(&mut peer.connection, now, buffer, at, |arrived| {
            queue.push_back(Queued { peer: id, place, arrived });
        });
        self.settle(id, now);
    }

    /// After any input of a peer: everything out, every event into the queue, the deadline armed anew.
    fn settle(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.table.get_mut(id) else {
            return;
        };
        while let Some(transmit) = peer.connection.poll_transmit(now, &mut self.out) {
            let datagram = self.out.get(..transmit.len).unwrap_or_default();
            self.stats.send_failures += u64::from(self.socket.answer(datagram, &peer.ends).is_err());
        }
        while let Some(event) = peer.connection.poll_event() {
            trace::event(id, peer.ends.remote, &event);
            self.queue.push_back(Queued { peer: id, place: Place::Received, arrived: Arrived::Event(event) });
        }
        self.deadlines.arm(id, &mut peer.armed, peer.connection.poll_timeout());
        let connected = peer.connection.is_connected();
        if !connected || peer.buffered > 0 {
            let now_buffered = if connected { 0 } else { peer.connection.buffered_bytes() };
            self.buffered = self.buffered.saturating_sub(peer.buffered).saturating_add(now_buffered);
            peer.buffered = now_buffered;
        }
        // A failed one stays until its own deadline, to repeat its alert to a peer that missed it.
        let over = peer.connection.is_closed() && peer.connection.poll_timeout().is_none();
        if connected && let Some(replaced) = self.table.establish(id, now) {
            self.replace(replaced, now);
        }
        if over {
            self.forget(id);
        }
    }

    /// Ends an association whose address belongs to a newer one.
    fn replace(&mut self, id: PeerId, now: Instant) {
        if let Some(Peer { connection, .. }) = self.table.get_mut(id) {
            connection.replaced(now);
            while let Some(event) = connection.poll_event() {
                self.queue.push_back(Queued {
                    peer: id,
                    place: Place::Received,
                    arrived: Arrived::Event(event),
                });
            }
        }
        self.forget(id);
    }

    fn forget(&mut self, id: PeerId) {
        if let Some(Peer { ends, buffered, .. }) = self.table.remove(id) {
            self.buffered = self.buffered.saturating_sub(buffered);
            if self.queue.iter().any(|queued| queued.peer == id) {
                self.departed.push((id, ends.remote));
            }
        }
        let table = &self.table;
        self.deadlines.sweep(table.len(), |id| table.get(id)?.armed);
    }

    fn lend(&mut self, queued: Queued) -> ServerEvent<'_> {
        let buffer = match queued.place {
            Place::Received => &mut self.received,
            Place::Copy => &mut self.copy,
        };
        match queued.arrived {
            Arrived::Event(event) => ServerEvent::Connection(queued.peer, event),
            Arrived::Packet { range, number } => {
                let payload = buffer.get_mut(range).unwrap_or_default();
                ServerEvent::Packet(queued.peer, Packet { payload, number })
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let peers: Vec<_> = self.peers().collect();
        for peer in peers {
            self.close(peer);
        }
    }
}

impl fmt::Debug for Server {
    /// Without the buffers: they hold plaintext.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.socket.local_addr().ok())
            .field("peers", &self.table.len())
            .finish_non_exhaustive()
    }
}
