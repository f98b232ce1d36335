//! How a client finds the address of its server that answers: one attempt after the other, a short time apart, until one
//! is heard (RFC 8305 section 5). It knows nothing of packets and events.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use drystone_handshake::{ClientConfig, Connection, Instant};
use drystone_x509::ServerName;

use crate::clock::Clock;
use crate::error::ClientError;
use crate::socket::{Contact, Socket, Trouble, is_too_large};
use crate::trace;

/// How long an attempt is alone before the next address is tried too: the value that RFC 8305 section 8 recommends.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// How many times as long an attempt lasts that ends when the next one begins.
const ALONE: u32 = 10;

/// How a client reaches its server.
///
/// ```
/// let mut options = drystone::ClientOptions::default();
/// options.local_address = Some(([127, 0, 0, 1], 0).into());
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// The address and port of ours from which to call; port 0 takes a free one. Addresses of the server of the other
    /// family are left out. A port other than 0 has room for one attempt at a time: each address is then called for ten
    /// times [`attempt_delay`](Self::attempt_delay) before the next one. Default: `None`, which leaves both to the
    /// operating system.
    pub local_address: Option<SocketAddr>,
    /// How long one address of the server may be silent before the next one is tried too. Whichever answers first is
    /// gone on with. Default: 250 ms (RFC 8305 section 8).
    pub attempt_delay: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { local_address: None, attempt_delay: ATTEMPT_DELAY }
    }
}

/// What it takes to call the addresses of a server, and which are left.
pub(super) struct Dial {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
    options: ClientOptions,
    /// Whether all attempts share one socket, and so come one after the other.
    one_socket: bool,
    left: std::vec::IntoIter<SocketAddr>,
    /// When the next one is tried, if nothing was heard by then.
    next_at: Instant,
}

/// One address that is being called.
pub(super) struct Attempt {
    pub(super) address: SocketAddr,
    pub(super) socket: Socket,
    pub(super) connection: Connection,
    pub(super) contact: Contact,
}

impl Dial {
    /// The addresses of a server, in the order in which they are tried.
    ///
    /// # Errors
    /// [`ClientError::NoAddress`] if there is none, or none of the family that the options demand.
    pub(super) fn new(
        addresses: impl Iterator<Item = SocketAddr>,
        name: Option<ServerName<'static>>,
        config: Arc<ClientConfig>,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let fits = |address: &SocketAddr| {
            options.local_address.is_none_or(|local| local.is_ipv4() == address.is_ipv4())
        };
        let left: Vec<_> = addresses.filter(fits).collect();
        if left.is_empty() {
            return Err(ClientError::NoAddress);
        }
        let one_socket = options.local_address.is_some_and(|local| local.port() != 0);
        Ok(Self { config, name, options, one_socket, left: left.into_iter(), next_at: Instant::default() })
    }

    /// Calls the next address that the operating system can reach; none is left if that is `None`.
    ///
    /// # Errors
    /// [`ClientError::Socket`] if it can reach none of those that were left, [`ClientError::Handshake`] if the
    /// configuration has nothing to offer or there are no random bytes.
    pub(super) fn next(&mut self, clock: &Clock) -> Result<Option<Attempt>, ClientError> {
        let mut unreachable = None;
        for address in self.left.by_ref() {
            match connect(address, self.options.local_address) {
                Ok(socket) => return self.call(address, socket, clock).map(Some),
                Err(source) => unreachable = Some(ClientError::Socket { address, source }),
            }
        }
        unreachable.map_or(Ok(None), Err)
    }

    /// Calls the first address over the caller's socket, over which all others are called too.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(super) fn over(&mut self, udp: UdpSocket, clock: &Clock) -> Result<Attempt, ClientError> {
        self.one_socket = true;
        let address = self.left.next().ok_or(ClientError::NoAddress)?;
        let connected = Socket::from_std(udp).and_then(|socket| {
            socket.connect_to(socket.form_of(address))?;
            Ok(socket)
        });
        let socket = connected.map_err(|source| ClientError::Socket { address, source })?;
        self.call(address, socket, clock)
    }

    /// Whether all attempts share one socket.
    pub(super) fn has_one_socket(&self) -> bool {
        self.one_socket
    }

    /// Ends an attempt and calls the next address over its socket. False if none is left that can be reached.
    ///
    /// # Errors
    /// [`ClientError::Handshake`] as for [`next`](Self::next).
    pub(super) fn redirect(&mut self, attempt: &mut Attempt, clock: &Clock) -> Result<bool, ClientError> {
        for address in self.left.by_ref() {
            if attempt.socket.connect_to(attempt.socket.form_of(address)).is_ok() {
                attempt.connection = self.begin(address, clock)?;
                (attempt.address, attempt.contact) = (address, Contact::default());
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn call(&mut self, address: SocketAddr, socket: Socket, clock: &Clock) -> Result<Attempt, ClientError> {
        let connection = self.begin(address, clock)?;
        Ok(Attempt { address, socket, connection, contact: Contact::default() })
    }

    fn begin(&mut self, address: SocketAddr, clock: &Clock) -> Result<Connection, ClientError> {
        trace::calling(address);
        let (start, delay) = (clock.start(), self.options.attempt_delay);
        self.next_at = start.now + if self.one_socket { delay.saturating_mul(ALONE) } else { delay };
        Ok(Connection::client(Arc::clone(&self.config), self.name.clone(), start)?)
    }

    /// When the next address is to be tried, as long as one is left.
    pub(super) fn next_at(&self) -> Option<Instant> {
        (self.left.len() > 0).then_some(self.next_at)
    }

    /// An address has answered: no other is tried any more.
    pub(super) fn settle(&mut self) {
        self.left = Vec::new().into_iter();
    }
}

impl Attempt {
    /// Does what is due and sends what there is to send.
    pub(super) fn drive(&mut self, now: Instant, out: &mut [u8]) -> Result<(), Trouble> {
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        self.transmit(now, out)
    }

    /// Sends what there is to send.
    pub(super) fn transmit(&mut self, now: Instant, out: &mut [u8]) -> Result<(), Trouble> {
        while let Some(transmit) = self.connection.poll_transmit(now, out) {
            let sent = self.socket.send(out.get(..transmit.len).unwrap_or_default());
            if sent.as_ref().is_err_and(is_too_large) {
                self.connection.datagram_too_large(now, transmit.len);
                continue;
            }
            sent.or_else(|error| self.contact.on_send_error(error))?;
        }
        Ok(())
    }
}

fn connect(remote: SocketAddr, local: Option<SocketAddr>) -> io::Result<Socket> {
    let Some(local) = local else {
        return Socket::connect(remote);
    };
    let socket = Socket::bind(local)?;
    socket.connect_to(remote)?;
    Ok(socket)
}
