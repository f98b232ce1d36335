//! What other threads tell a server while it waits. The server is woken by an empty datagram to its own socket, which every system
//! can send and wait for; whoever forges one wakes it, and no more.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use drystone_handshake::AlertDescription;

use crate::endpoint::PeerId;
use crate::error::SendError;
use crate::socket::any_port;

/// Bytes of packets that wait to be sent, and commands of any kind: with more the server does not keep up.
const MAX_BYTES: usize = 4 << 20;
const MAX_COMMANDS: usize = 16_384;

/// Tells a [`Server`](crate::Server) what to do from another thread, while it waits in [`poll`](crate::Server::poll): made by
/// [`Server::handle`](crate::Server::handle), and cloned as often as wanted.
///
/// What is told is done in order, at the latest when the server polls next. It can come to nothing, as a datagram can: the peer may
/// be gone by then.
///
/// ```
/// # fn run(mut server: drystone::Server, peer: drystone::PeerId) -> Result<(), Box<dyn std::error::Error>> {
/// let handle = server.handle()?;
/// std::thread::spawn(move || {
///     handle.send(peer, b"from elsewhere")?;
///     handle.stop()
/// });
/// while let Some(event) = server.poll(std::time::Duration::MAX)? {
///     if matches!(event, drystone::ServerEvent::Stopped) {
///         break;
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ServerHandle {
    shared: Weak<Commands>,
}

/// One thing that a server is told to do.
#[derive(Debug)]
pub(super) enum Command {
    Send(PeerId, Vec<u8>),
    UpdateKeys(PeerId, bool),
    Close(PeerId, AlertDescription),
    Stop,
}

/// What waits to be done, and how the server is woken. The server owns it.
#[derive(Debug)]
pub(super) struct Commands {
    queue: Mutex<Queue>,
    /// Whether the server knows that something waits.
    is_woken: AtomicBool,
    waker: UdpSocket,
    port: u16,
}

#[derive(Debug, Default)]
struct Queue {
    commands: VecDeque<Command>,
    bytes: usize,
}

impl ServerHandle {
    /// Sends one packet to a peer.
    ///
    /// # Errors
    /// [`SendError::NoSuchPeer`] if the server is gone; [`SendError::Socket`] with `WouldBlock` if 4 MiB or 16,384 commands wait
    /// already. Whether the peer is there, and takes a packet of this length, shows when it is sent.
    pub fn send(&self, peer: PeerId, packet: &[u8]) -> Result<(), SendError> {
        self.tell(Command::Send(peer, packet.to_vec()))
    }

    /// Changes the keys of what is sent to a peer: see [`Server::update_keys`](crate::Server::update_keys).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn update_keys(&self, peer: PeerId, request_peer: bool) -> Result<(), SendError> {
        self.tell(Command::UpdateKeys(peer, request_peer))
    }

    /// Sends close_notify to a peer.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn close(&self, peer: PeerId) -> Result<(), SendError> {
        self.close_with(peer, AlertDescription::CLOSE_NOTIFY)
    }

    /// Closes like [`close`](Self::close), but tells the peer with a fatal alert what is wrong.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn close_with(&self, peer: PeerId, alert: AlertDescription) -> Result<(), SendError> {
        self.tell(Command::Close(peer, alert))
    }

    /// Closes all connections; [`poll`](crate::Server::poll) then tells [`ServerEvent::Stopped`](crate::ServerEvent::Stopped).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn stop(&self) -> Result<(), SendError> {
        self.tell(Command::Stop)
    }

    fn tell(&self, command: Command) -> Result<(), SendError> {
        let shared = self.shared.upgrade().ok_or(SendError::NoSuchPeer)?;
        shared.push(command)?;
        shared.wake();
        Ok(())
    }
}

impl Commands {
    /// For the server that listens here.
    pub(super) fn new(listening: SocketAddr) -> io::Result<Self> {
        let waker = UdpSocket::bind(any_port(listening))?;
        waker.connect(reachable(listening))?;
        waker.set_nonblocking(true)?;
        let port = waker.local_addr()?.port();
        Ok(Self { queue: Mutex::default(), is_woken: AtomicBool::new(false), waker, port })
    }

    /// Whether an empty datagram from this address was sent to wake the server. It means nothing else, so that a forged one does
    /// nothing.
    pub(super) fn woke(&self, from: SocketAddr) -> bool {
        from.port() == self.port
    }

    pub(super) fn handle(self: &Arc<Self>) -> ServerHandle {
        ServerHandle { shared: Arc::downgrade(self) }
    }

    /// What waits, all of it.
    pub(super) fn take(&self) -> VecDeque<Command> {
        if !self.is_woken.swap(false, Ordering::AcqRel) {
            return VecDeque::new();
        }
        std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner)).commands
    }

    fn push(&self, command: Command) -> Result<(), SendError> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match &command {
            Command::Send(_, packet) => packet.len(),
            Command::UpdateKeys(..) | Command::Close(..) | Command::Stop => 0,
        };
        let is_stop = matches!(command, Command::Stop);
        let is_full = queue.commands.len() >= MAX_COMMANDS || queue.bytes.saturating_add(bytes) > MAX_BYTES;
        if is_full && !is_stop {
            return Err(SendError::Socket(ErrorKind::WouldBlock.into()));
        }
        queue.bytes += bytes;
        queue.commands.push_back(command);
        Ok(())
    }

    /// A server whose socket is full is awake.
    fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            let _ = self.waker.send(&[]);
        }
    }
}

/// Where a socket that listens on all addresses is reached from here.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}
