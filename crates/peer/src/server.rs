//! A server for many peers over one UDP socket: it waits for one thing at a time, and never longer than it is told. All
//! else is its endpoint's.

mod handle;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use drystone_handshake::{
    AlertDescription, Answer, Connection, Error, Event, Misuse, RecordNumber, RequestId, ServerConfig, Start,
};

use crate::clock::Clock;
use crate::endpoint::{Endpoint, EndpointEvent, Incoming, PeerId, ServerOptions, ServerStats};
use crate::error::{SendError, ServerError};
use crate::inbox::{Packet, range_within};
use crate::socket::{self, Arrival, Datagrams, MAX_DATAGRAM, Socket, Train, room};
use handle::{Command, Commands};

pub use handle::ServerHandle;

/// A DTLS server with its UDP socket and all its peers.
///
/// [`poll`](Self::poll) does everything that is due for all peers and waits for the next packet or event, at most as
/// long as it is told; call it again and again. A peer exists for the caller from its [`Event::Connected`] (or
/// [`Event::Failed`]) on, and is gone after [`Event::Closed`], [`Event::Failed`] or [`Event::AssociationReplaced`].
/// Dropping the server says goodbye to all peers.
///
/// How it treats unknown sources and silent peers is said at [`Endpoint`], which does all of it, and in
/// [`ServerOptions`].
///
/// For an example see [`Client`](crate::Client).
#[doc(alias = "listener")]
#[doc(alias = "acceptor")]
pub struct Server {
    endpoint: Endpoint,
    socket: Socket,
    clock: Clock,
    /// What came and was not yet handed out; packets among it lie in `received`.
    queue: VecDeque<Queued>,
    /// The peer whose event was handed out last, and its address: it may be gone.
    last: Option<(PeerId, SocketAddr)>,
    received: Box<[u8]>,
    out: Box<[u8]>,
    send_failures: u64,
    /// What other threads tell it, if it has handles.
    commands: Option<Arc<Commands>>,
}

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
    /// A [handle](ServerHandle) has stopped the server: all connections are closed.
    Stopped,
}

/// One thing that waits to be handed out.
enum Queued {
    Packet { peer: PeerId, range: Range<usize>, number: RecordNumber },
    Event(EndpointEvent),
    Stopped,
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
        let endpoint = Endpoint::server(config, options)?;
        let socket = Socket::bind(address).map_err(|source| ServerError::Socket { address, source })?;
        Ok(Self::new(endpoint, socket))
    }

    /// Like [`bind_with`](Self::bind_with), on the caller's socket, which is bound and not connected.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn over(
        socket: UdpSocket,
        config: Arc<ServerConfig>,
        options: ServerOptions,
    ) -> Result<Self, ServerError> {
        let endpoint = Endpoint::server(config, options)?;
        let address = socket.local_addr().unwrap_or(([0, 0, 0, 0], 0).into());
        let socket = Socket::from_std(socket).map_err(|source| ServerError::Socket { address, source })?;
        Ok(Self::new(endpoint, socket))
    }

    fn new(endpoint: Endpoint, socket: Socket) -> Self {
        Self {
            endpoint,
            socket,
            clock: Clock::new(),
            queue: VecDeque::new(),
            last: None,
            received: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            out: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            send_failures: 0,
            commands: None,
        }
    }

    /// A handle by which other threads tell this server what to do while it waits.
    ///
    /// # Errors
    /// What the operating system says: a handle has a socket of its own, to wake the server.
    pub fn handle(&mut self) -> io::Result<ServerHandle> {
        let commands = match self.commands.take() {
            Some(commands) => commands,
            None => Arc::new(Commands::new(self.local_addr()?)?),
        };
        Ok(self.commands.insert(commands).handle())
    }

    /// Does what is due for all peers and waits for the next packet or event, at most for `timeout`; zero does not
    /// wait. `None` means that `timeout` is over.
    ///
    /// # Errors
    /// What the operating system says if its socket fails. Nothing that a peer sends is an error.
    pub fn poll(&mut self, timeout: Duration) -> io::Result<Option<ServerEvent<'_>>> {
        let deadline = self.clock.now() + timeout;
        let mut last_look = false;
        self.last = None;
        loop {
            if let Some(queued) = self.queue.pop_front() {
                return Ok(Some(self.lend(queued)));
            }
            if last_look {
                return Ok(None);
            }
            let now = self.clock.now();
            self.endpoint.handle_timeout(now);
            self.obey();
            self.flush();
            if self.queue.is_empty() {
                last_look = now >= deadline;
                self.wait(deadline - now)?;
            }
        }
    }

    /// How long [`poll`](Self::poll) may be left alone, if nothing arrives: for loops that wait for several things at once,
    /// and for this server's socket among them ([`AsFd`](std::os::fd::AsFd), on Windows `AsSocket`). `None` for ever.
    pub fn time_to_next_deadline(&self) -> Option<Duration> {
        if !self.queue.is_empty() {
            return Some(Duration::ZERO);
        }
        self.endpoint.poll_timeout().map(|at| at - self.clock.now())
    }

    /// Sends one packet to a peer: one record in one datagram.
    ///
    /// # Errors
    /// [`SendError::NoSuchPeer`], [`SendError::Misuse`] if the peer is not connected or the packet is longer than
    /// [`Connection::max_payload`], or than the system lets through, [`SendError::Socket`] if the operating system does not take the datagram.
    pub fn send(&mut self, peer: PeerId, payload: &[u8]) -> Result<(), SendError> {
        let transmit = self.endpoint.send(peer, payload, &mut self.out)?;
        let sent = self.socket.answer(self.out.get(..transmit.len).unwrap_or_default(), &transmit.ends);
        let is_too_large = sent.as_ref().is_err_and(socket::is_too_large);
        if is_too_large {
            self.endpoint.datagram_too_large(self.clock.now(), peer, transmit.len);
        }
        self.flush();
        match self.endpoint.connection(peer).map(Connection::max_unfragmented_payload) {
            Some(limit) if is_too_large => Err(Misuse::PayloadTooLarge { limit }.into()),
            _ => Ok(sent?),
        }
    }

    /// Sends several packets to a peer, each in a datagram of its own, and those of one length in few calls of the operating system
    /// (Linux, Android and Windows). How many it took: all, unless something stood in the way of the next.
    ///
    /// # Errors
    /// As [`send`](Self::send), if the first one could not be sent.
    pub fn send_many<'p>(
        &mut self,
        peer: PeerId,
        packets: impl IntoIterator<Item = &'p [u8]>,
    ) -> Result<usize, SendError> {
        let connection = self.endpoint.connection(peer).ok_or(SendError::NoSuchPeer)?;
        let mut train = Train::new(self.socket.max_segments(), connection.mtu());
        let mut sent = 0;
        let outcome = self.send_trains(peer, packets, &mut train, &mut sent);
        self.flush();
        if sent == 0 { outcome.map(|()| 0) } else { Ok(sent) }
    }

    fn send_trains<'p>(
        &mut self,
        peer: PeerId,
        packets: impl IntoIterator<Item = &'p [u8]>,
        train: &mut Train,
        sent: &mut usize,
    ) -> Result<(), SendError> {
        let Self { endpoint, socket, out, .. } = self;
        let ends = endpoint.ends(peer).ok_or(SendError::NoSuchPeer)?;
        let mut depart = |train: &mut Train, out: &[u8]| -> io::Result<()> {
            *sent += train.depart(out, |bytes, segment| socket.answer_train(bytes, segment, &ends))?;
            Ok(())
        };
        for packet in packets {
            let connection = endpoint.connection(peer).ok_or(SendError::NoSuchPeer)?;
            if !train.takes(connection.overhead_of(packet.len()).total() + packet.len()) {
                depart(train, out)?;
            }
            match endpoint.send(peer, packet, room(train, out)) {
                Ok(transmit) => train.push(transmit.len),
                Err(error) => {
                    depart(train, out)?;
                    return Err(error.into());
                }
            }
        }
        Ok(depart(train, out)?)
    }

    /// Changes the keys of what is sent to a peer (DTLS 1.3), and asks the peer to change its own too if
    /// `request_peer`: see [`Connection::update_keys`].
    ///
    /// # Errors
    /// [`SendError::NoSuchPeer`], or [`SendError::Misuse`] if the peer is not connected, or speaks DTLS 1.2.
    pub fn update_keys(&mut self, peer: PeerId, request_peer: bool) -> Result<(), SendError> {
        self.endpoint.update_keys(self.clock.now(), peer, request_peer)?;
        self.flush();
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
        self.endpoint.close_with(self.clock.now(), peer, alert);
        self.flush();
    }

    /// Gives the answer to an [`Event::Request`].
    ///
    /// # Errors
    /// [`SendError::NoSuchPeer`], or [`SendError::Misuse`] if no such request is open or the answer is of another
    /// kind; nothing is changed then.
    pub fn answer(&mut self, peer: PeerId, id: RequestId, answer: Answer) -> Result<(), SendError> {
        self.endpoint.answer(self.clock.now(), peer, id, answer)?;
        self.flush();
        Ok(())
    }

    /// A peer's connection: its state, limits and counters. None if there is no such peer (any more).
    pub fn connection(&self, peer: PeerId) -> Option<&Connection> {
        self.endpoint.connection(peer)
    }

    /// A peer's address. None if there is no such peer (any more); one whose last event [`poll`](Self::poll) has given is
    /// known until the next call of it.
    pub fn address(&self, peer: PeerId) -> Option<SocketAddr> {
        let last = || self.last.filter(|(id, _)| *id == peer).map(|(_, address)| address);
        self.endpoint.address(peer).or_else(last)
    }

    /// All associations, half-open ones too, in no particular order.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.endpoint.peers()
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
        self.endpoint.half_open_bytes()
    }

    /// The server's own counters.
    pub fn stats(&self) -> ServerStats {
        let mut stats = self.endpoint.stats();
        stats.send_failures = self.send_failures;
        stats
    }

    /// Does what other threads have told it.
    fn obey(&mut self) {
        let Some(commands) = &self.commands else { return };
        for command in commands.take() {
            // What comes to nothing is lost, as a datagram may be; the socket's refusals are counted.
            match command {
                Command::Send(peer, packet) => {
                    let sent = self.send(peer, &packet);
                    self.send_failures += u64::from(matches!(sent, Err(SendError::Socket(_))));
                }
                Command::UpdateKeys(peer, request_peer) => drop(self.update_keys(peer, request_peer)),
                Command::Close(peer, alert) => self.close_with(peer, alert),
                Command::Stop => {
                    self.endpoint.close_all(self.clock.now());
                    self.flush();
                    self.queue.push_back(Queued::Stopped);
                }
            }
        }
    }

    /// One receive, bounded by `most` and by the endpoint's deadline.
    fn wait(&mut self, most: Duration) -> io::Result<()> {
        let now = self.clock.now();
        let wait = self.endpoint.poll_timeout().map_or(most, |at| most.min(at - now));
        match self.socket.receive(&mut self.received, wait)? {
            Arrival::Datagrams(datagrams) => self.take_in(datagrams, self.clock.start()),
            // A refusal concerns a datagram to some peer, one does not learn which.
            Arrival::Refused => {}
            Arrival::Nothing => self.endpoint.handle_drained(self.clock.now()),
        }
        self.flush();
        Ok(())
    }

    /// Hands the datagrams in `received` to the endpoint. An event that precedes a packet is queued before it.
    fn take_in(&mut self, datagrams: Datagrams, start: Start) {
        let (origin, ends) = (self.received.as_ptr().addr(), datagrams.ends);
        for place in datagrams {
            if place.is_empty() && self.commands.as_ref().is_some_and(|commands| commands.woke(ends.remote)) {
                continue;
            }
            let bytes = self.received.get_mut(place).unwrap_or_default();
            let mut incoming = Incoming::new(ends, bytes);
            while let Some((peer, data)) = self.endpoint.receive(start, &mut incoming) {
                queue_events(&mut self.endpoint, &mut self.queue);
                let range = range_within(origin, data.payload);
                self.queue.push_back(Queued::Packet { peer, range, number: data.number });
            }
        }
    }

    /// Sends what there is to send, and queues what happened.
    fn flush(&mut self) {
        let now = self.clock.now();
        while let Some(transmit) = self.endpoint.poll_transmit(now, &mut self.out) {
            let datagram = self.out.get(..transmit.len).unwrap_or_default();
            let Err(error) = self.socket.answer(datagram, &transmit.ends) else { continue };
            self.send_failures += 1;
            if let Some(peer) = transmit.peer
                && socket::is_too_large(&error)
            {
                self.endpoint.datagram_too_large(now, peer, transmit.len);
            }
        }
        queue_events(&mut self.endpoint, &mut self.queue);
    }

    fn lend(&mut self, queued: Queued) -> ServerEvent<'_> {
        match queued {
            Queued::Packet { peer, range, number } => {
                let payload = self.received.get_mut(range).unwrap_or_default();
                ServerEvent::Packet(peer, Packet { payload, number })
            }
            Queued::Event(EndpointEvent::Connection { peer, remote, event }) => {
                self.last = Some((peer, remote));
                ServerEvent::Connection(peer, event)
            }
            Queued::Event(EndpointEvent::HelloRefused { address, error }) => {
                ServerEvent::HelloRefused { address, error }
            }
            Queued::Stopped => ServerEvent::Stopped,
        }
    }
}

fn queue_events(endpoint: &mut Endpoint, queue: &mut VecDeque<Queued>) {
    while let Some(event) = endpoint.poll_event() {
        queue.push_back(Queued::Event(event));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.endpoint.close_all(self.clock.now());
        self.flush();
    }
}

socket::lend_handle!(Server, socket);

impl fmt::Debug for Server {
    /// Without the buffers: they hold plaintext.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.socket.local_addr().ok())
            .field("peers", &self.endpoint.peer_count())
            .finish_non_exhaustive()
    }
}
