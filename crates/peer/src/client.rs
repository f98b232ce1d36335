//! A client over a UDP socket of its own: it waits for one thing at a time, and never longer than it is told.
//! It must not know what is inside the datagrams.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use drystone_handshake::{
    Answer, ClientConfig, Connected, Connection, Error, Event, Instant, Misuse, RequestId,
};
use drystone_x509::ServerName;

use crate::clock::Clock;
use crate::error::{ClientError, SendError};
use crate::inbox::{self, Arrived, Packet};
use crate::socket::{self, Arrival, Contact, MAX_DATAGRAM, Socket, Trouble};

/// A DTLS client with its UDP socket.
///
/// [`poll`](Self::poll) does everything that is due and waits for the next packet or event, at most as long as it is
/// told; call it again and again. Dropping the client says goodbye to the server.
///
/// ```
/// use std::{sync::Arc, thread, time::Duration};
/// use drystone::{Client, ClientConfig, ClientEvent, Event, Server, ServerEvent};
/// # use drystone::{Credential, Credentials, ServerConfig, x509::{Policy, PrivateKeyDer, ServerName, TrustAnchors}};
/// # fn configs() -> Result<(ClientConfig, ServerConfig), Box<dyn std::error::Error>> {
/// #     let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// #     let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
/// #     let mut anchors = TrustAnchors::new();
/// #     anchors.add(made.cert.der().clone())?;
/// #     let credential = Credential::new(vec![made.cert.der().clone()], &key)?;
/// #     Ok((
/// #         ClientConfig::new(drystone::settings(), Policy::new(anchors))?,
/// #         ServerConfig::new(drystone::settings(), Credentials::single(credential))?,
/// #     ))
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (client_config, server_config) = configs()?;
///
/// let mut server = Server::bind(([127, 0, 0, 1], 0).into(), Arc::new(server_config))?;
/// let address = server.local_addr()?;
/// let echo = thread::spawn(move || -> std::io::Result<()> {
///     let mut copy = Vec::new();
///     loop {
///         match server.poll(Duration::from_secs(5))? {
///             Some(ServerEvent::Packet(peer, packet)) => {
///                 copy.clear();
///                 copy.extend_from_slice(packet.payload);
///                 server.send(peer, &copy).map_err(std::io::Error::other)?;
///             }
///             Some(ServerEvent::Connection(_, Event::Closed(_))) | None => return Ok(()),
///             Some(_) => {}
///         }
///     }
/// });
///
/// let mut client = Client::new(address, ServerName::try_from("localhost")?, Arc::new(client_config))?;
/// let connected = client.connected(Duration::from_secs(5))?;
/// println!("{}, {}", connected.version, connected.cipher_suite);
/// client.send(b"hello")?;
/// if let Some(ClientEvent::Packet(packet)) = client.poll(Duration::from_secs(5))? {
///     assert_eq!(packet.payload, b"hello");
/// }
/// client.close();
/// # echo.join().unwrap()?;
/// # Ok(()) }
/// ```
pub struct Client {
    connection: Connection,
    socket: Socket,
    clock: Clock,
    dial: Dial,
    /// What came and was not yet handed out; packets among it lie in `received`.
    queue: VecDeque<Arrived>,
    received: Box<[u8]>,
    out: Box<[u8]>,
}

/// What it takes to try an address.
struct Dial {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    address: SocketAddr,
    /// Further addresses of the host, to be tried when this one refuses.
    others: std::vec::IntoIter<SocketAddr>,
    /// What came from this address.
    contact: Contact,
}

/// What [`Client::poll`] brings.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// A packet from the server.
    Packet(Packet<'a>),
    /// Something happened to the connection.
    Connection(Event),
}

impl Client {
    /// Sends the first hello to `server` and returns without waiting. The server must prove that it is `name`.
    ///
    /// If a host has several addresses (`localhost` often has two), the next one is tried when one refuses at once;
    /// one that stays silent is waited for until the handshake's deadline.
    ///
    /// # Errors
    /// [`ClientError::Lookup`] or [`ClientError::NoAddress`] if the host has no known address,
    /// [`ClientError::Socket`] if no address can be reached, [`ClientError::Handshake`] if the configuration has nothing to offer or there are no random bytes.
    pub fn new(
        server: impl ToSocketAddrs,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> Result<Self, ClientError> {
        let mut others =
            server.to_socket_addrs().map_err(ClientError::Lookup)?.collect::<Vec<_>>().into_iter();
        let clock = Clock::new();
        let address = others.next().ok_or(ClientError::NoAddress)?;
        let mut dial = Dial { config, name, address, others, contact: Contact::default() };
        let (socket, connection) = dial.first_that_opens(&clock)?;
        let mut client = Self {
            connection,
            socket,
            clock,
            dial,
            queue: VecDeque::new(),
            received: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            out: vec![0; MAX_DATAGRAM].into_boxed_slice(),
        };
        client.settle(client.clock.now())?;
        Ok(client)
    }

    /// Waits until the handshake is done, at most for `timeout`. For programs that have nothing else to do
    /// meanwhile; others call [`poll`](Self::poll) and watch for [`Event::Connected`].
    ///
    /// # Errors
    /// Why the handshake failed; [`Error::HandshakeTimeout`] also if `timeout` is over.
    pub fn connected(&mut self, timeout: Duration) -> Result<Box<Connected>, ClientError> {
        let deadline = self.clock.now() + timeout;
        loop {
            match self.poll(deadline - self.clock.now())? {
                Some(ClientEvent::Connection(Event::Connected(connected))) => return Ok(connected),
                Some(ClientEvent::Connection(Event::Failed(error))) => return Err(error.into()),
                Some(ClientEvent::Connection(Event::Closed(_))) => return Err(ClientError::Closed),
                Some(_) | None => {}
            }
            if self.connection.is_closed() && self.queue.is_empty() {
                return Err(ClientError::Closed);
            }
            if self.clock.now() >= deadline {
                return Err(Error::HandshakeTimeout.into());
            }
        }
    }

    /// Does what is due and waits for the next packet or event, at most for `timeout`; zero does not wait.
    ///
    /// `None` means that `timeout` is over, or that the connection is: then it comes at once
    /// ([`Connection::is_closed`]).
    ///
    /// # Errors
    /// [`ClientError::Refused`] if nothing listens at any of the server's addresses, [`ClientError::Socket`] if the
    /// operating system's socket fails. Failed handshakes are events.
    pub fn poll(&mut self, timeout: Duration) -> Result<Option<ClientEvent<'_>>, ClientError> {
        let deadline = self.clock.now() + timeout;
        let mut last_look = false;
        loop {
            if let Some(arrived) = self.queue.pop_front() {
                return Ok(Some(self.lend(arrived)));
            }
            if last_look || self.connection.is_closed() {
                return Ok(None);
            }
            let now = self.clock.now();
            if self.connection.poll_timeout().is_some_and(|at| at <= now) {
                self.connection.handle_timeout(now);
            }
            self.settle(now)?;
            if self.queue.is_empty() && !self.connection.is_closed() {
                last_look = now >= deadline;
                self.wait(deadline - now)?;
            }
        }
    }

    /// Sends one packet: one record in one datagram.
    ///
    /// # Errors
    /// [`SendError::Misuse`] if the connection is not made (or no more), or the packet is longer than
    /// [`Connection::max_payload`]; [`SendError::Socket`] if the operating system does not take the datagram.
    pub fn send(&mut self, payload: &[u8]) -> Result<(), SendError> {
        let length = self.connection.send(payload, &mut self.out)?;
        self.take_events();
        match self.socket.send(self.out.get(..length).unwrap_or_default()) {
            // The server may be gone, and it may be a forgery: the packet is lost, no more.
            Err(error) if socket::is_refusal(&error) => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// Changes the keys of what is sent (DTLS 1.3), and asks the server to change its own too if `request_peer`: see
    /// [`Connection::update_keys`].
    ///
    /// # Errors
    /// [`Misuse`] if the connection is not made (or no more), or speaks DTLS 1.2.
    pub fn update_keys(&mut self, request_peer: bool) -> Result<(), Misuse> {
        self.connection.update_keys(self.clock.now(), request_peer)
        // What follows from it is due at once: the next `poll` begins with it.
    }

    /// Says goodbye. Nothing can be sent afterwards; events that already came can still be polled.
    pub fn close(&mut self) {
        let now = self.clock.now();
        self.connection.close(now);
        // The peer learns of the end by the goodbye or not at all: there is nothing to do about a failure.
        let _ = self.settle(now);
    }

    /// Gives the answer to an [`Event::Request`].
    ///
    /// # Errors
    /// [`Misuse`] if no such request is open or the answer is of another kind; nothing is changed then.
    pub fn answer(&mut self, id: RequestId, answer: Answer) -> Result<(), Misuse> {
        self.connection.answer(self.clock.now(), id, answer)
        // What follows from it is due at once: the next `poll` begins with it.
    }

    /// The connection: its state, limits and counters.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The address that the client talks to.
    pub fn server_addr(&self) -> SocketAddr {
        self.dial.address
    }

    /// The client's own address.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// One receive, bounded by `most` and by the connection's own deadline.
    fn wait(&mut self, most: Duration) -> Result<(), ClientError> {
        let now = self.clock.now();
        let wait = self.connection.poll_timeout().map_or(most, |at| most.min(at - now));
        let arrival = self.socket.receive(&mut self.received, self.dial.contact.wait(wait));
        let now = self.clock.now();
        let outcome = match arrival {
            Ok(Arrival::Datagrams(datagrams)) => {
                self.dial.contact.on_datagram();
                let queue = &mut self.queue;
                for place in datagrams {
                    inbox::offer(&mut self.connection, now, &mut self.received, place, |arrived| {
                        queue.push_back(arrived);
                    });
                }
                return self.settle(now);
            }
            Ok(Arrival::Nothing) => {
                self.dial.contact.on_nothing();
                Ok(())
            }
            Ok(Arrival::Refused) => self.dial.contact.on_refusal(),
            Err(error) => self.dial.contact.on_receive_error(error),
        };
        outcome.or_else(|trouble| self.give_up(trouble))
    }

    /// This attempt is over; refused, the host's next address may do better.
    fn give_up(&mut self, trouble: Trouble) -> Result<(), ClientError> {
        match trouble {
            Trouble::Refused => self.dial_next(),
            Trouble::Broken(source) => Err(ClientError::Socket { address: self.dial.address, source }),
        }
    }

    /// After any input: everything out, every event into the queue.
    fn settle(&mut self, now: Instant) -> Result<(), ClientError> {
        while let Some(transmit) = self.connection.poll_transmit(now, &mut self.out) {
            let sent = self.socket.send(self.out.get(..transmit.len).unwrap_or_default());
            if let Err(trouble) = sent.or_else(|error| self.dial.contact.on_send_error(error)) {
                return self.give_up(trouble);
            }
        }
        self.take_events();
        Ok(())
    }

    fn take_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            self.queue.push_back(Arrived::Event(event));
        }
    }

    /// The present address refuses: begins anew with the host's next one.
    fn dial_next(&mut self) -> Result<(), ClientError> {
        let refused = ClientError::Refused(self.dial.address);
        self.dial.address = self.dial.others.next().ok_or(refused)?;
        (self.socket, self.connection) = self.dial.first_that_opens(&self.clock)?;
        self.settle(self.clock.now())
    }

    fn lend(&mut self, arrived: Arrived) -> ClientEvent<'_> {
        match arrived {
            Arrived::Event(event) => ClientEvent::Connection(event),
            Arrived::Packet { range, number } => {
                let payload = self.received.get_mut(range).unwrap_or_default();
                ClientEvent::Packet(Packet { payload, number })
            }
        }
    }
}

impl Dial {
    /// A socket and a connection to the present address or the first later one that the operating system can reach.
    fn first_that_opens(&mut self, clock: &Clock) -> Result<(Socket, Connection), ClientError> {
        let socket = loop {
            match Socket::connect(self.address) {
                Ok(socket) => break socket,
                Err(source) => {
                    let unreachable = ClientError::Socket { address: self.address, source };
                    self.address = self.others.next().ok_or(unreachable)?;
                }
            }
        };
        let connection = Connection::client(Arc::clone(&self.config), self.name.clone(), clock.start())?;
        Ok((socket, connection))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.connection.is_connected() {
            self.close();
        }
    }
}

impl fmt::Debug for Client {
    /// Without the buffers: they hold plaintext.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", &self.dial.address).finish_non_exhaustive()
    }
}
