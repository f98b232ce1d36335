//! `PacketPeerUdp`: a UDP socket of one's own, or a seat at a server's. It knows nothing of DTLS.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::address;
use super::error::{Error, PacketError};
use super::exchange::{DATAGRAMS_PER_POLL, Exchange, Fate};
use super::peer::PacketPeer;
use crate::endpoint::{FourTuple, PeerId};
use crate::packet_queue::PacketQueue;
use crate::socket::{self, Arrival, Datagrams, MAX_DATAGRAM, Socket};

/// The most bytes that a UDP datagram carries over IPv4.
const MAX_PACKET: usize = 65_507;

/// What every path is expected to carry without cutting: the IPv6 minimum of 1,280 bytes less its headers.
const MAX_UNFRAGMENTED: usize = 1232;

/// A UDP peer in the manner of Godot, with the names of Godot 4 (and `listen` of Godot 3). Never blocks.
///
/// Packets that were received and not read wait in a queue of 65,536 bytes, where each costs 24 bytes more than it
/// has; when it is full the newest are dropped.
///
/// ```
/// use std::{thread::sleep, time::Duration};
/// use drystone::{PacketPeer, PacketPeerUdp};
///
/// let mut there = PacketPeerUdp::new();
/// there.bind(0, "127.0.0.1")?;
/// let mut here = PacketPeerUdp::new();
/// here.set_dest_address("127.0.0.1", there.get_local_port())?;
/// here.put_packet(b"hello")?;
/// while there.get_available_packet_count() == 0 {
///     sleep(Duration::from_millis(1));
/// }
/// assert_eq!(there.get_packet()?, b"hello");
/// assert_eq!(there.get_packet_port(), here.get_local_port());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct PacketPeerUdp {
    line: Line,
    queue: PacketQueue,
    destination: Option<SocketAddr>,
    /// Whether packets may be sent to broadcast addresses.
    broadcast: bool,
    /// The sender of the packet that was read last.
    sender: Option<SocketAddr>,
    packet_error: Option<PacketError>,
}

/// What the peer is attached to.
#[derive(Default)]
enum Line {
    #[default]
    Closed,
    Own(Own),
    Seat(Seat),
}

/// A socket of its own.
struct Own {
    socket: Socket,
    connected: Option<SocketAddr>,
    received: Box<[u8]>,
    /// Where in `received` those lie that nobody has looked at.
    arrived: Option<Datagrams>,
    /// The senders of the packets in the queue.
    senders: VecDeque<SocketAddr>,
}

/// What one look at the socket brought.
enum Look {
    Datagram(Range<usize>, SocketAddr),
    Refused,
    Nothing,
}

/// A place at a server's socket; given up when dropped.
struct Seat {
    exchange: Arc<Exchange>,
    id: PeerId,
    ends: FourTuple,
    /// How long nothing authentic has come from the peer, for the server's table.
    silence: Duration,
    /// What its handshake buffers, as it was told to the server.
    buffered: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.exchange.half_open_bytes().note(&mut self.buffered, 0);
        self.exchange.forget(self.id);
    }
}

/// What the line has for the layer above.
pub(super) enum Received<'a> {
    Datagram(&'a mut [u8]),
    Nothing,
    /// An ICMP message, which anybody can forge, says that nothing listens at the other end.
    Refused,
    Failed(io::Error),
    Ended(Fate),
}

impl PacketPeerUdp {
    /// A peer without a socket.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn of_server(exchange: Arc<Exchange>, id: PeerId, ends: FourTuple) -> Self {
        Self {
            line: Line::Seat(Seat { exchange, id, ends, silence: Duration::ZERO, buffered: 0 }),
            ..Self::default()
        }
    }

    /// Sends to this host from now on and receives from nobody else. The host is an IP address or a name; of a name
    /// the first address is taken, and resolving it may take seconds. A bound peer keeps its port.
    ///
    /// # Errors
    /// [`Error::Locked`] if the peer is a server's, [`Error::CantResolve`], [`Error::Socket`].
    pub fn connect_to_host(&mut self, host: &str, port: u16) -> Result<(), Error> {
        let remote = self.resolve_destination(host, port)?;
        if let Some(own) = self.open_for(remote)? {
            own.socket.connect_to(own.socket.form_of(remote))?;
            own.connected = Some(remote);
        }
        self.destination = Some(remote);
        Ok(())
    }

    /// Listens on a port, 0 for a free one, of one of our addresses (`"*"`: all, as for
    /// [`UdpServer::listen`](super::UdpServer::listen)).
    ///
    /// # Errors
    /// [`Error::Locked`] if the peer is a server's, [`Error::AlreadyInUse`] if it has a socket already,
    /// [`Error::CantResolve`], [`Error::CantListen`].
    pub fn bind(&mut self, port: u16, bind_address: &str) -> Result<(), Error> {
        match self.line {
            Line::Seat(_) => Err(Error::Locked),
            Line::Own(_) => Err(Error::AlreadyInUse("the UDP peer")),
            Line::Closed => {
                let socket = address::listen(port, bind_address)?;
                socket.set_broadcast(self.broadcast)?;
                self.line = Line::Own(Own::new(socket));
                Ok(())
            }
        }
    }

    /// Godot 3's name of [`bind`](Self::bind).
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn listen(&mut self, port: u16, bind_address: &str) -> Result<(), Error> {
        self.bind(port, bind_address)
    }

    /// Where [`put_packet`](PacketPeer::put_packet) of a peer that is not connected sends to.
    ///
    /// # Errors
    /// [`Error::Locked`] if the peer is a server's, [`Error::AlreadyInUse`] if it is connected,
    /// [`Error::CantResolve`].
    pub fn set_dest_address(&mut self, host: &str, port: u16) -> Result<(), Error> {
        if self.is_socket_connected() && !matches!(self.line, Line::Seat(_)) {
            return Err(Error::AlreadyInUse("the UDP peer"));
        }
        self.destination = Some(self.resolve_destination(host, port)?);
        Ok(())
    }

    /// Whether the peer talks to one address only: after [`connect_to_host`](Self::connect_to_host), or as a
    /// server's.
    pub fn is_socket_connected(&self) -> bool {
        self.remote().is_some()
    }

    /// Whether there is a socket that can receive.
    pub fn is_bound(&self) -> bool {
        !matches!(self.line, Line::Closed)
    }

    /// The address from which the packet came that was read last; of a connected peer the other side's. None before.
    pub fn get_packet_ip(&self) -> Option<IpAddr> {
        self.remote().or(self.sender).map(|address| address.ip().to_canonical())
    }

    /// The port from which the packet came that was read last; of a connected peer the other side's. 0 before.
    pub fn get_packet_port(&self) -> u16 {
        self.remote().or(self.sender).map_or(0, |address| address.port())
    }

    /// Our own port, 0 without a socket.
    pub fn get_local_port(&self) -> u16 {
        let address = match &self.line {
            Line::Closed => None,
            Line::Own(own) => own.socket.local_addr().ok(),
            Line::Seat(seat) => seat.exchange.socket().local_addr().ok(),
        };
        address.map_or(0, |address| address.port())
    }

    /// Closes the socket, or gives up the place at a server, which forgets the address. Unread packets are gone.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// The one address that it talks to.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        match &self.line {
            Line::Closed => None,
            Line::Own(own) => own.connected,
            Line::Seat(seat) => Some(seat.ends.remote),
        }
    }

    /// The server's table and this peer's place there.
    pub(super) fn seat(&self) -> Option<(&Exchange, PeerId)> {
        match &self.line {
            Line::Seat(seat) => Some((&seat.exchange, seat.id)),
            Line::Closed | Line::Own(_) => None,
        }
    }

    /// Waits until a packet is there. It blocks for as long as that takes; a program that has anything else to do asks
    /// [`get_available_packet_count`](PacketPeer::get_available_packet_count) instead.
    ///
    /// # Errors
    /// [`Error::Locked`] if the peer is a server's, [`Error::Unconfigured`] without a socket, [`Error::Socket`] if the
    /// operating system's socket fails.
    pub fn wait(&mut self) -> Result<(), Error> {
        if self.queue.len() > 0 {
            return Ok(());
        }
        Ok(self.own()?.wait()?)
    }

    /// Allows broadcasts, also for a socket that is made later.
    pub(super) fn broadcast(&mut self, enabled: bool) -> Result<(), Error> {
        match &self.line {
            Line::Seat(_) => return Err(Error::Locked),
            Line::Own(own) => own.socket.set_broadcast(enabled)?,
            Line::Closed => {}
        }
        self.broadcast = enabled;
        Ok(())
    }

    pub(super) fn own_socket(&mut self) -> Result<&Socket, Error> {
        Ok(&self.own()?.socket)
    }

    fn own(&mut self) -> Result<&mut Own, Error> {
        match &mut self.line {
            Line::Own(own) => Ok(own),
            Line::Seat(_) => Err(Error::Locked),
            Line::Closed => Err(Error::Unconfigured("bind")),
        }
    }

    /// Datagrams that the operating system had no room for in the socket of this peer alone.
    pub(super) fn dropped_by_system(&self) -> u64 {
        match &self.line {
            Line::Own(own) => own.socket.dropped(),
            Line::Closed | Line::Seat(_) => 0,
        }
    }

    /// What the handshake of a server's peer may buffer now.
    pub(super) fn buffer_grant(&self) -> Option<usize> {
        match &self.line {
            Line::Seat(seat) => Some(seat.exchange.half_open_bytes().grant(seat.buffered)),
            Line::Closed | Line::Own(_) => None,
        }
    }

    /// Tells the server what the handshake of this peer buffers.
    pub(super) fn note_buffered(&mut self, bytes: usize) {
        if let Line::Seat(seat) = &mut self.line {
            seat.exchange.half_open_bytes().note(&mut seat.buffered, bytes);
        }
    }

    /// Tells the server, at the next look into its mailbox, how long nothing authentic has come from this peer.
    pub(super) fn note_silence(&mut self, silence: Duration) {
        if let Line::Seat(seat) = &mut self.line {
            seat.silence = silence;
        }
    }

    /// The next datagram, where it lies.
    pub(super) fn receive(&mut self) -> Received<'_> {
        if self.queue.len() == 0 {
            match &mut self.line {
                Line::Closed => return Received::Nothing,
                Line::Own(own) => return own.receive(),
                Line::Seat(seat) => {
                    if let Err(fate) = seat.exchange.fetch(seat.id, &mut self.queue, seat.silence) {
                        return Received::Ended(fate);
                    }
                }
            }
        } else if let Line::Own(own) = &mut self.line {
            own.senders.pop_front();
        }
        self.queue.pop().map_or(Received::Nothing, Received::Datagram)
    }

    /// Throws away what has arrived so far, also what an ICMP message said of earlier sendings: none of it answers
    /// what is sent from now on.
    pub(super) fn discard_received(&mut self) {
        for _ in 0..DATAGRAMS_PER_POLL {
            match self.receive() {
                Received::Datagram(_) | Received::Refused | Received::Failed(_) => {}
                Received::Nothing | Received::Ended(_) => return,
            }
        }
    }

    /// Sends to the address that it is connected to.
    pub(super) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        match &self.line {
            Line::Own(own) if own.connected.is_some() => own.socket.send(datagram),
            Line::Seat(seat) => seat.exchange.socket().answer(datagram, &seat.ends),
            Line::Closed | Line::Own(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The socket of its own, made now if there is none; none at a server.
    fn open_for(&mut self, remote: SocketAddr) -> io::Result<Option<&mut Own>> {
        if matches!(self.line, Line::Closed) {
            let socket = Socket::bind(socket::any_port(remote))?;
            socket.set_broadcast(self.broadcast)?;
            self.line = Line::Own(Own::new(socket));
        }
        Ok(match &mut self.line {
            Line::Own(own) => Some(own),
            Line::Closed | Line::Seat(_) => None,
        })
    }

    fn resolve_destination(&self, host: &str, port: u16) -> Result<SocketAddr, Error> {
        match self.line {
            Line::Seat(_) => Err(Error::Locked),
            Line::Closed | Line::Own(_) => address::resolve(host, port),
        }
    }

    /// Brings what arrived into the queue.
    fn fill(&mut self) {
        match &mut self.line {
            Line::Closed => {}
            Line::Own(own) => own.fill(&mut self.queue),
            // What ended it shows when sending.
            Line::Seat(seat) if self.queue.len() == 0 => {
                let _ = seat.exchange.fetch(seat.id, &mut self.queue, seat.silence);
            }
            Line::Seat(_) => {}
        }
    }
}

impl Own {
    fn new(socket: Socket) -> Self {
        Self { socket, connected: None, received: Box::default(), arrived: None, senders: VecDeque::new() }
    }

    /// The next datagram, which lies in `received`, and its sender.
    fn look(&mut self) -> io::Result<Look> {
        loop {
            if let Some(datagrams) = &mut self.arrived {
                let from = datagrams.ends.remote;
                if let Some(place) = datagrams.next() {
                    return Ok(Look::Datagram(place, from));
                }
            }
            self.make_buffer();
            self.arrived = None;
            match self.socket.receive(&mut self.received, Duration::ZERO)? {
                Arrival::Datagrams(datagrams) => self.arrived = Some(datagrams),
                Arrival::Refused => return Ok(Look::Refused),
                Arrival::Nothing => return Ok(Look::Nothing),
            }
        }
    }

    /// The buffer, made when it is first needed.
    fn make_buffer(&mut self) {
        if self.received.is_empty() {
            self.received = vec![0; MAX_DATAGRAM].into_boxed_slice();
        }
    }

    /// Waits until a datagram lies in `received`.
    fn wait(&mut self) -> io::Result<()> {
        self.make_buffer();
        while self.arrived.as_ref().is_none_or(Datagrams::is_empty) {
            if let Arrival::Datagrams(datagrams) = self.socket.receive(&mut self.received, Duration::MAX)? {
                self.arrived = Some(datagrams);
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Received<'_> {
        match self.look() {
            Ok(Look::Datagram(place, _)) => {
                Received::Datagram(self.received.get_mut(place).unwrap_or_default())
            }
            Ok(Look::Nothing) => Received::Nothing,
            Ok(Look::Refused) => Received::Refused,
            Err(error) => Received::Failed(error),
        }
    }

    fn fill(&mut self, queue: &mut PacketQueue) {
        for _ in 0..DATAGRAMS_PER_POLL {
            match self.look() {
                Ok(Look::Datagram(place, from)) => {
                    if queue.push(self.received.get(place).unwrap_or_default()) {
                        self.senders.push_back(from);
                    }
                }
                Ok(Look::Refused) => {}
                Ok(Look::Nothing) | Err(_) => return,
            }
        }
    }
}

impl PacketPeer for PacketPeerUdp {
    fn get_available_packet_count(&mut self) -> usize {
        self.fill();
        let in_mailbox = self.seat().map_or(0, |(exchange, id)| exchange.waiting(id));
        self.queue.len() + in_mailbox
    }

    fn get_packet(&mut self) -> Result<&[u8], PacketError> {
        if self.queue.len() == 0 {
            self.fill();
        }
        if let Line::Own(own) = &mut self.line {
            self.sender = own.senders.pop_front().or(self.sender);
        }
        let nothing = if self.is_bound() { PacketError::Empty } else { PacketError::NotConnected };
        match self.queue.pop() {
            Some(packet) => {
                self.packet_error = None;
                Ok(packet)
            }
            None => {
                self.packet_error = Some(nothing);
                Err(nothing)
            }
        }
    }

    fn put_packet(&mut self, packet: &[u8]) -> Result<(), PacketError> {
        if packet.is_empty() {
            return Ok(());
        }
        if packet.len() > MAX_PACKET {
            return Err(PacketError::TooLarge { length: packet.len(), limit: MAX_PACKET });
        }
        if self.is_socket_connected() {
            return self.send(packet).map_err(|error| PacketError::of_send(&error));
        }
        let destination = self.destination.ok_or(PacketError::NotConnected)?;
        let own = self.open_for(destination).map_err(|error| PacketError::of_send(&error))?;
        let socket = &own.ok_or(PacketError::NotConnected)?.socket;
        socket.send_to(packet, socket.form_of(destination)).map_err(|error| PacketError::of_send(&error))
    }

    fn get_packet_error(&self) -> Option<PacketError> {
        self.packet_error
    }

    fn get_max_packet_size(&self) -> usize {
        MAX_PACKET
    }

    fn max_unfragmented_packet_size(&self) -> usize {
        MAX_UNFRAGMENTED
    }
}

impl fmt::Debug for PacketPeerUdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketPeerUdp")
            .field("local_port", &self.get_local_port())
            .field("remote", &self.remote())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    fn arrived(peer: &mut PacketPeerUdp) -> Vec<u8> {
        for _ in 0..5000 {
            if peer.get_available_packet_count() > 0 {
                return peer.get_packet().unwrap().to_vec();
            }
            sleep(Duration::from_millis(1));
        }
        panic!("nothing came");
    }

    /// Sockets for both families talk to IPv4 addresses, and tell them as such.
    #[test]
    fn a_peer_that_is_bound_everywhere_reaches_ipv4() {
        let (mut here, mut there) = (PacketPeerUdp::new(), PacketPeerUdp::new());
        here.bind(0, "*").unwrap();
        there.bind(0, "*").unwrap();
        here.set_dest_address("127.0.0.1", there.get_local_port()).unwrap();
        here.put_packet(b"once").unwrap();
        assert_eq!(arrived(&mut there), b"once");
        assert_eq!(there.get_packet_ip(), Some([127, 0, 0, 1].into()));
        here.connect_to_host("127.0.0.1", there.get_local_port()).unwrap();
        here.put_packet(b"twice").unwrap();
        assert_eq!(arrived(&mut there), b"twice");
        assert_eq!(there.get_packet_port(), here.get_local_port());
    }

    #[test]
    fn a_peer_without_a_socket_says_so() {
        let mut peer = PacketPeerUdp::new();
        assert_eq!(peer.put_packet(b"x"), Err(PacketError::NotConnected));
        assert_eq!(peer.put_packet(b""), Ok(()));
        assert_eq!(peer.get_packet(), Err(PacketError::NotConnected));
        assert_eq!(peer.get_packet_error(), Some(PacketError::NotConnected));
        assert_eq!((peer.get_packet_ip(), peer.get_packet_port(), peer.get_local_port()), (None, 0, 0));
        peer.bind(0, "127.0.0.1").unwrap();
        assert_eq!(peer.bind(0, "127.0.0.1").unwrap_err().godot_code(), 22);
        assert_eq!(peer.get_packet(), Err(PacketError::Empty));
        let limit = peer.get_max_packet_size();
        assert_eq!(
            peer.put_packet(&vec![0; limit + 1]),
            Err(PacketError::TooLarge { length: limit + 1, limit })
        );
        peer.close();
        assert!(!peer.is_bound());
    }
}
