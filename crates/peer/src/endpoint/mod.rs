//! `Endpoint`: many associations over one transport, without a socket and without a clock. It decides for whom a datagram
//! is, and whether it may begin something; it must not know what is inside, except which ones may be a ClientHello.

pub(crate) mod admission;
mod commands;
pub(crate) mod deadline;
mod error;
mod event;
mod four_tuple;
pub(crate) mod hello;
mod incoming;
mod newcomers;
mod options;
mod peer_id;
mod replies;
pub(crate) mod sender;
mod slab;
pub(crate) mod table;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use drystone_handshake::{ConfigError, Connection, Data, Event, HelloId, Instant, ServerConfig, Start};

use crate::trace;
use admission::HalfOpenBytes;
use deadline::Deadlines;
use incoming::Stage;
use newcomers::Acceptor;
use replies::Replies;
use table::{Member, Peer, Table};

pub use error::EndpointError;
pub use event::EndpointEvent;
pub use four_tuple::FourTuple;
pub use incoming::Incoming;
pub(crate) use options::IDLE_TIMEOUT;
pub use options::{ServerOptions, ServerStats};
pub use peer_id::PeerId;

/// Many DTLS associations over one transport, sans I/O: datagrams and time go in; datagrams, one deadline and events come
/// out. It accepts clients, connects to servers, or both.
///
/// There are four kinds of methods, as on [`Connection`]:
///
/// * **getters**: [`connection`](Self::connection), [`address`](Self::address), [`peers`](Self::peers), ...
/// * **the world in**: [`receive`](Self::receive), [`handle_drained`](Self::handle_drained),
///   [`handle_timeout`](Self::handle_timeout);
/// * **commands**: [`connect`](Self::connect), [`send`](Self::send), [`seal`](Self::seal), [`close`](Self::close), ...
/// * **the world out**: [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event),
///   [`poll_timeout`](Self::poll_timeout).
///
/// One sentence rules the caller's loop: **after any input, command or timeout, drain `poll_transmit`, then `poll_event`;
/// when nothing is left to receive, call `handle_drained`, drain again, and sleep until `poll_timeout`.**
///
/// Unknown sources cost it no memory, but for fixed pools: one of hellos in fragments, one of hellos that wait for a place,
/// and one of stateless answers. An association is made only for a source that returned a cookie, so that its address is
/// proved. Associations whose handshake is not done are limited in number and time, and by network; connected ones are
/// given up for newcomers only if they have been silent for long. A client that lost its state and connects anew from the
/// same address gets a second association, which replaces the first one only when its handshake is done (RFC 6347 section
/// 4.2.8). Peers that vanish are noticed by their silence ([`ServerOptions::idle_timeout`]).
///
/// For a datagram of a known peer one address is looked up, and nothing is allocated or copied.
///
/// ```
/// use std::sync::Arc;
/// use drystone::{Clock, Endpoint, EndpointEvent, FourTuple, Incoming, ServerOptions};
/// # use drystone::{Credential, Credentials, ServerConfig, x509::PrivateKeyDer};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
/// # let credential = Credential::new(vec![made.cert.der().clone()], &key)?;
/// # let config = Arc::new(ServerConfig::new(drystone::settings(), Credentials::single(credential))?);
/// # let transport = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// # std::net::UdpSocket::bind("127.0.0.1:0")?.send_to(b"not what a DTLS client sends", transport.local_addr()?)?;
/// let clock = Clock::new();
/// let mut endpoint = Endpoint::server(config, ServerOptions::default())?;
/// let (mut buffer, mut out) = ([0; 2048], [0; 2048]);
///
/// let (length, remote) = transport.recv_from(&mut buffer)?;
/// let mut incoming = Incoming::new(FourTuple::from(remote), &mut buffer[..length]);
/// while let Some((peer, data)) = endpoint.receive(clock.start(), &mut incoming) {
///     // The application's data, decrypted where it lay. An echo:
///     let transmit = endpoint.send(peer, data.payload, &mut out)?;
///     transport.send_to(&out[..transmit.len], transmit.ends.remote)?;
/// }
/// endpoint.handle_drained(clock.now());
/// while let Some(transmit) = endpoint.poll_transmit(clock.now(), &mut out) {
///     transport.send_to(&out[..transmit.len], transmit.ends.remote)?;
/// }
/// while let Some(event) = endpoint.poll_event() {
///     if let EndpointEvent::Connection { peer, remote, event } = event {
///         println!("{peer} at {remote}: {event:?}");
///     }
/// }
/// assert_eq!(endpoint.stats().strangers_dropped, 1);
/// # Ok(()) }
/// ```
#[doc(alias = "listener")]
#[doc(alias = "acceptor")]
#[doc(alias = "demultiplexer")]
pub struct Endpoint {
    /// What it takes to accept clients.
    acceptor: Option<Acceptor>,
    options: ServerOptions,
    table: Table<Association>,
    deadlines: Deadlines<PeerId>,
    /// Associations that had an input since their transmits were polled last, each once.
    ready: VecDeque<PeerId>,
    replies: Replies,
    events: VecDeque<EndpointEvent>,
    /// How many of the events are refused hellos, at most [`MAX_REFUSALS`].
    refusals: usize,
    /// A copy of a datagram whose source has two associations: opening destroys what does not fit the key.
    copy: Vec<u8>,
    stats: ServerStats,
    /// Bytes that half-open associations buffer of their peers' handshakes.
    half_open_bytes: HalfOpenBytes,
    /// When and at which date a datagram came last.
    latest: Start,
}

/// Refused hellos that wait to be told: what one series of datagrams can bring. More are only counted.
const MAX_REFUSALS: usize = 64;

/// A connection, and what its endpoint notes about it.
#[derive(Debug)]
struct Association {
    connection: Connection,
    /// The entry in the heap of deadlines that counts.
    armed: Option<Instant>,
    /// Bytes that it buffered of its peer's handshake when that was last counted.
    buffered: usize,
    /// Whether it stands in [`Endpoint::ready`].
    is_ready: bool,
}

impl Association {
    const fn new(connection: Connection) -> Self {
        Self { connection, armed: None, buffered: 0, is_ready: false }
    }

    /// Before each datagram of a handshake: it may buffer what the other half-open ones leave.
    fn limit_buffer(&mut self, half_open: &HalfOpenBytes) {
        if !self.connection.is_connected() {
            self.connection.limit_buffered_bytes(half_open.grant(self.buffered));
        }
    }
}

impl Member for Association {
    fn is_of_hello(&self, hello: &HelloId) -> bool {
        self.connection.is_of_hello(hello)
    }

    fn last_received(&self) -> Option<Instant> {
        self.connection.last_received().filter(|_| self.connection.is_connected())
    }
}

/// A datagram that an [`Endpoint`] has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the datagram must be sent"]
#[non_exhaustive]
pub struct EndpointTransmit {
    /// Its length in bytes, at the start of the buffer.
    pub len: usize,
    /// Where to send it, and from which of our addresses.
    pub ends: FourTuple,
    /// Whose it is; `None` for an answer to an unknown source. For [`Endpoint::datagram_too_large`].
    pub peer: Option<PeerId>,
}

impl Endpoint {
    /// An endpoint that accepts clients.
    ///
    /// # Errors
    /// [`ConfigError`] if the configuration cannot work.
    pub fn server(config: Arc<ServerConfig>, options: ServerOptions) -> Result<Self, ConfigError> {
        Ok(Self::new(Some(Acceptor::new(config)?), options))
    }

    /// An endpoint that accepts nobody, for associations that [`connect`](Self::connect) begins.
    pub fn client() -> Self {
        Self::new(None, ServerOptions::default())
    }

    fn new(acceptor: Option<Acceptor>, options: ServerOptions) -> Self {
        Self {
            replies: Replies::new(acceptor.is_some()),
            acceptor,
            options,
            table: Table::new(options.limits()),
            deadlines: Deadlines::new(),
            ready: VecDeque::new(),
            events: VecDeque::new(),
            refusals: 0,
            copy: Vec::new(),
            stats: ServerStats::default(),
            half_open_bytes: HalfOpenBytes::new(options.max_half_open_bytes),
            latest: Start { now: Instant::default(), unix: None },
        }
    }

    // ---- getters ----

    /// A peer's connection: its state, limits and counters. `None` if there is no such peer (any more).
    pub fn connection(&self, peer: PeerId) -> Option<&Connection> {
        self.table.get(peer).map(|known| &known.state.connection)
    }

    /// A peer's address. `None` if there is no such peer (any more).
    pub fn address(&self, peer: PeerId) -> Option<SocketAddr> {
        self.table.get(peer).map(|known| known.ends.remote)
    }

    /// Between which ends a peer's datagrams travel. `None` if there is no such peer (any more).
    pub(crate) fn ends(&self, peer: PeerId) -> Option<FourTuple> {
        self.table.get(peer).map(|known| known.ends)
    }

    /// All associations, half-open ones too, in no particular order.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.table.ids()
    }

    /// How many associations there are, half-open ones too.
    pub fn peer_count(&self) -> usize {
        self.table.len()
    }

    /// Bytes of heap in which half-open associations buffer parts of handshake messages, at most
    /// [`max_half_open_bytes`](ServerOptions::max_half_open_bytes).
    pub fn half_open_bytes(&self) -> usize {
        self.half_open_bytes.sum()
    }

    /// The endpoint's own counters.
    pub fn stats(&self) -> ServerStats {
        self.stats
    }

    // ---- the world in ----

    /// Takes in a datagram: call until it returns `None`. Application data is returned where it lies, decrypted, in the
    /// datagram's own buffer; between two calls the endpoint is free for other calls.
    ///
    /// Nothing that a datagram holds is an error: what is damaged, forged or unexpected is counted in
    /// [`stats`](Self::stats) and in [`Connection::stats`].
    pub fn receive<'b>(&mut self, start: Start, incoming: &mut Incoming<'b>) -> Option<(PeerId, Data<'b>)> {
        loop {
            match &mut incoming.stage {
                Stage::Fresh(bytes) => {
                    let bytes = std::mem::take(bytes);
                    incoming.stage = self.find_receiver(start, incoming.ends, bytes);
                }
                Stage::Open(id, datagram) => {
                    let id = *id;
                    let known = self.table.get_mut(id)?;
                    let is_half_open = !known.state.connection.is_connected();
                    let _span = is_half_open.then(|| trace::peer(id, known.ends.remote));
                    let data = known.state.connection.receive(start.now, datagram);
                    note_events(&mut self.events, id, known);
                    return Some((id, data?));
                }
                Stage::Opened(id, opened) => return Some((*id, opened.next()?)),
                Stage::Done => return None,
            }
        }
    }

    /// The transport has no datagram left at present: newcomers that were held back in favour of others come in. Call it
    /// before waiting.
    pub fn handle_drained(&mut self, now: Instant) {
        self.table.admission.renew_budget();
        self.admit_waiting(now);
    }

    /// Does what is due. Early calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, id)) = self.deadlines.pop_due(now) {
            let Some(known) = self.table.get_mut(id).filter(|known| known.state.armed == Some(at)) else {
                continue;
            };
            known.state.armed = None;
            let due = known.state.connection.poll_timeout();
            if due.is_some_and(|at| at <= now) {
                let _span = trace::peer(id, known.ends.remote);
                known.state.connection.handle_timeout(now);
                self.note_input(id);
            } else {
                self.deadlines.arm(id, &mut known.state.armed, due);
            }
        }
        self.admit_waiting(now);
    }

    // ---- the world out ----

    /// Writes the next datagram to the start of `out`: of a handshake, an alert, or an answer to an unknown source. Call
    /// until it returns `None`.
    ///
    /// `out` should have room for the largest [MTU](drystone_handshake::Settings::mtu) of all configurations.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> Option<EndpointTransmit> {
        if let Some(reply) = self.replies.pop(out) {
            return Some(reply);
        }
        while let Some(id) = self.ready.front().copied() {
            if let Some(known) = self.table.get_mut(id) {
                if let Some(transmit) = known.state.connection.poll_transmit(now, out) {
                    return Some(EndpointTransmit { len: transmit.len, ends: known.ends, peer: Some(id) });
                }
                known.state.is_ready = false;
            }
            self.ready.pop_front();
            self.settle(id, now);
        }
        None
    }

    /// The next event. An event of an association that precedes its packet is there before
    /// [`receive`](Self::receive) returns the packet.
    pub fn poll_event(&mut self) -> Option<EndpointEvent> {
        let event = self.events.pop_front();
        if let Some(EndpointEvent::HelloRefused { .. }) = event {
            self.refusals = self.refusals.saturating_sub(1);
        }
        event
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` for never. Known when `poll_transmit` is drained.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.table.admission.waiting.next_timeout();
        [self.deadlines.next(), waiting].into_iter().flatten().min()
    }

    // ---- shared by the parts ----

    /// An association has, or may have, something to send.
    fn note_input(&mut self, id: PeerId) {
        if let Some(known) = self.table.get_mut(id) {
            note_events(&mut self.events, id, known);
            mark_ready(&mut self.ready, id, known);
        }
    }

    /// When all that an association had to send is sent: its events are told, its deadline is armed anew, and its place is
    /// given back if it is over.
    fn settle(&mut self, id: PeerId, now: Instant) {
        let Some(known) = self.table.get_mut(id) else { return };
        note_events(&mut self.events, id, known);
        let Association { connection, armed, buffered, .. } = &mut known.state;
        let due = connection.poll_timeout();
        self.deadlines.arm(id, armed, due);
        let is_connected = connection.is_connected();
        // A failed one stays until its own deadline, to send its alert again to a peer that missed it.
        let is_over = due.is_none() && connection.is_closed();
        if !is_connected || *buffered > 0 {
            let present = if is_connected { 0 } else { connection.buffered_bytes() };
            self.half_open_bytes.note(buffered, present);
        }
        if is_connected && known.is_half_open() {
            if let Some(replaced) = self.table.establish(id, now) {
                self.replace(replaced, now);
            }
        } else if is_over {
            self.forget(id);
        }
    }

    /// Ends an association whose address belongs to a newer one.
    fn replace(&mut self, id: PeerId, now: Instant) {
        if let Some(known) = self.table.get_mut(id) {
            known.state.connection.replaced(now);
            note_events(&mut self.events, id, known);
        }
        self.forget(id);
    }

    fn forget(&mut self, id: PeerId) {
        if let Some(mut peer) = self.table.remove(id) {
            self.half_open_bytes.note(&mut peer.state.buffered, 0);
        }
        let table = &self.table;
        self.deadlines.sweep(table.len(), |id| table.get(id)?.state.armed);
    }
}

/// An association has, or may have, something to send: it stands in the line once.
#[inline]
fn mark_ready(ready: &mut VecDeque<PeerId>, id: PeerId, known: &mut Peer<Association>) {
    if !known.state.is_ready {
        known.state.is_ready = true;
        ready.push_back(id);
    }
}

/// Moves what happened to an association to the events of its endpoint.
#[inline]
fn note_events(events: &mut VecDeque<EndpointEvent>, id: PeerId, known: &mut Peer<Association>) {
    while let Some(event) = known.state.connection.poll_event() {
        push_event(events, id, known.ends.remote, event);
    }
}

#[cold]
fn push_event(events: &mut VecDeque<EndpointEvent>, peer: PeerId, remote: SocketAddr, event: Event) {
    trace::event(peer, remote, &event);
    events.push_back(EndpointEvent::Connection { peer, remote, event });
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("accepts", &self.acceptor.is_some())
            .field("peers", &self.table.len())
            .finish_non_exhaustive()
    }
}
