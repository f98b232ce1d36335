//! `UdpServer`: one socket, sorted by sender into peers. It knows nothing of DTLS.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::address;
use super::error::Error;
use super::exchange::{DATAGRAMS_PER_POLL, Exchange, Limits, Until};
use super::udp::PacketPeerUdp;
use crate::endpoint::admission;
use crate::socket::MAX_DATAGRAM;

/// A UDP server in the manner of Godot: one socket, and a [`PacketPeerUdp`] for each address that sends to it.
///
/// All peers share the socket; nothing arrives for any of them but by [`poll`](Self::poll) (which
/// [`DtlsServer::accept`](super::DtlsServer::accept) calls by itself). Datagrams of unknown addresses become pending
/// peers; beyond [`max_pending_connections`](Self::max_pending_connections) they are dropped. Dropping a taken peer
/// forgets its address at once, and frees all that it held.
///
/// ```
/// use std::{thread::sleep, time::Duration};
/// use drystone::{PacketPeer, PacketPeerUdp, UdpServer};
///
/// let mut server = UdpServer::new();
/// server.listen(0, "127.0.0.1")?;
/// let mut client = PacketPeerUdp::new();
/// client.connect_to_host("127.0.0.1", server.get_local_port())?;
/// client.put_packet(b"hello")?;
///
/// let mut peer = loop {
///     server.poll()?;
///     match server.take_connection() {
///         Some(peer) => break peer,
///         None => sleep(Duration::from_millis(1)),
///     }
/// };
/// assert_eq!(peer.get_packet()?, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct UdpServer {
    exchange: Option<Arc<Exchange>>,
    received: Box<[u8]>,
    limits: Limits,
}

/// Godot's default for datagrams of strangers that wait to be taken.
const MAX_PENDING: usize = 16;

/// Handshakes that are begun in one frame: 10 ms of a core, more or less.
const NEWCOMERS_PER_FRAME: usize = 64;

impl UdpServer {
    /// A server that does not listen yet.
    pub fn new() -> Self {
        let admission = admission::Limits {
            half_open: admission::HALF_OPEN,
            half_open_per_network: admission::HALF_OPEN_PER_NETWORK,
            peers: admission::PEERS,
            peers_per_network: None,
            long_silence: admission::LONG_SILENCE,
            newcomers: NEWCOMERS_PER_FRAME,
        };
        let limits = Limits { pending: MAX_PENDING, half_open_bytes: admission::HALF_OPEN_BYTES, admission };
        Self { exchange: None, received: Box::default(), limits }
    }

    /// Listens on a port, 0 for a free one ([`get_local_port`](Self::get_local_port) says which), of one of our
    /// addresses: `"*"` means all of both families on Linux, Android and Apple's systems, else all IPv4 ones. What is sent
    /// to a peer leaves from the address that the peer called, as with [`Server::bind`](crate::Server::bind).
    ///
    /// # Errors
    /// [`Error::AlreadyInUse`] if it listens already, [`Error::CantResolve`], [`Error::CantListen`] if the port is
    /// taken or not allowed.
    pub fn listen(&mut self, port: u16, bind_address: &str) -> Result<(), Error> {
        if self.is_listening() {
            return Err(Error::AlreadyInUse("the UDP server"));
        }
        let socket = address::listen(port, bind_address)?;
        self.received = vec![0; MAX_DATAGRAM].into_boxed_slice();
        self.exchange = Some(Arc::new(Exchange::new(socket, self.limits)));
        Ok(())
    }

    /// Takes in what arrived and sorts it to the peers. Call it once per frame, before the peers' own `poll`.
    ///
    /// One call takes in at most 1,024 datagrams, so that it ends also under a flood.
    ///
    /// # Errors
    /// [`Error::Unconfigured`] before [`listen`](Self::listen), [`Error::Socket`] if the operating system's socket
    /// fails. Nothing that a peer sends is an error.
    pub fn poll(&mut self) -> Result<(), Error> {
        self.poll_some(Until::AllIsSorted, &mut { DATAGRAMS_PER_POLL })
    }

    /// Like [`poll`](Self::poll), within a budget that several calls share.
    pub(super) fn poll_some(&mut self, until: Until, budget: &mut usize) -> Result<(), Error> {
        let exchange = self.exchange.as_ref().ok_or(Error::Unconfigured("listen"))?;
        Ok(exchange.poll(&mut self.received, self.limits, until, budget)?)
    }

    /// Whether a peer waits to be taken.
    pub fn is_connection_available(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.pending() > 0)
    }

    /// The oldest pending peer, connected to its address; its first packets are in it. None if none waits.
    pub fn take_connection(&mut self) -> Option<PacketPeerUdp> {
        let exchange = self.exchange.as_ref()?;
        let (id, ends) = exchange.take()?;
        Some(PacketPeerUdp::of_server(Arc::clone(exchange), id, ends))
    }

    /// Whether it listens.
    pub fn is_listening(&self) -> bool {
        self.exchange.is_some()
    }

    /// How many peers may wait to be taken; datagrams of further unknown addresses are dropped. Default: 16.
    /// ([`DtlsServer::accept`](super::DtlsServer::accept) takes each at once, so that none is dropped for that.)
    pub fn max_pending_connections(&self) -> usize {
        self.limits.pending
    }

    /// Sets [`max_pending_connections`](Self::max_pending_connections). Zero refuses all new peers; those that wait
    /// already stay, whatever is set.
    pub fn set_max_pending_connections(&mut self, most: usize) {
        self.limits.pending = most;
    }

    /// Sets how many peers may be in a handshake. Default: 4,096. When all places are taken, the network (/24 of IPv4, /56
    /// of IPv6) with most of them gives up its oldest that had 2 s, which fails with [`Error::HandshakeEvicted`]; one with
    /// at most 8 (fewer where there are fewer than 512 places) is never given up for another network.
    ///
    /// With [`DtlsServer::accept`](super::DtlsServer::accept) a client that finds no place is let in as soon as one falls free: at
    /// most 1,024 hellos are kept for that, 4 KiB each and 2 MiB in all.
    pub fn set_max_half_open(&mut self, most: usize) {
        self.limits.admission.half_open = most;
    }

    /// Sets how many of them may be of one network, whose newcomers then take the place of its own oldest that had 2 s, or
    /// wait. Default: 64.
    pub fn set_max_half_open_per_network(&mut self, most: usize) {
        self.limits.admission.half_open_per_network = most;
    }

    /// Sets how many bytes of handshake messages all of them together may buffer, while parts of those are missing.
    /// Default: 16 MiB.
    pub fn set_max_half_open_bytes(&mut self, most: usize) {
        self.limits.half_open_bytes = most;
    }

    /// Sets how many peers there may be in all. Default: 65,536. When there are so many, a newcomer takes the place of the
    /// connected DTLS peer that has been silent for longest, if that is more than [60 s](Self::set_displaced_after), which
    /// fails with [`Error::Displaced`]. Peers that are used without DTLS are never given up.
    pub fn set_max_peers(&mut self, most: usize) {
        self.limits.admission.peers = most;
    }

    /// Sets how many peers there may be of one network. Default: none, which means a quarter of
    /// [all](Self::set_max_peers), and at least 256.
    pub fn set_max_peers_per_network(&mut self, most: Option<usize>) {
        self.limits.admission.peers_per_network = most;
    }

    /// Sets the silence beyond which a connected DTLS peer may lose its place in a full table. Default: 60 s.
    pub fn set_displaced_after(&mut self, silence: Duration) {
        self.limits.admission.long_silence = silence;
    }

    /// How many peers the server knows: pending ones, and those that were taken and not dropped.
    pub fn peer_count(&self) -> usize {
        self.exchange.as_ref().map_or(0, |exchange| exchange.peers())
    }

    /// How many datagrams were dropped since there was no room for them, or since they came from strangers and were
    /// not a DTLS client's hello. Those for which the operating system had no room in the socket's buffer count too where it
    /// tells that (Linux, Android).
    pub fn dropped_packet_count(&self) -> u64 {
        self.exchange.as_ref().map_or(0, |exchange| exchange.dropped())
    }

    /// The port that it listens on, 0 if it does not.
    pub fn get_local_port(&self) -> u16 {
        let address = self.exchange.as_ref().and_then(|exchange| exchange.socket().local_addr().ok());
        address.map_or(0, |address| address.port())
    }

    /// Stops listening. Pending peers are gone. Those that were taken can still send, which DTLS peers use to say
    /// goodbye at their next `poll`; nothing arrives for them any more. The port is free when the last one is
    /// dropped.
    pub fn stop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            exchange.stop();
        }
    }

    pub(super) fn exchange(&self) -> Option<&Exchange> {
        self.exchange.as_deref()
    }
}

impl Default for UdpServer {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for UdpServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for UdpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpServer")
            .field("port", &self.get_local_port())
            .field("peers", &self.peer_count())
            .finish_non_exhaustive()
    }
}
