//! A client over a UDP socket of its own: it waits for one thing at a time, and never longer than it is told.
//! It must not know what is inside the datagrams.

mod dial;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use drystone_handshake::{
    AlertDescription, Answer, ClientConfig, Connected, Connection, Error, Event, Instant, Misuse, RequestId,
};
use drystone_x509::ServerName;

use crate::clock::Clock;
use crate::endpoint::IDLE_TIMEOUT;
use crate::error::{ClientError, SendError};
use crate::inbox::{self, Arrived, Packet};
use crate::socket::{self, Arrival, Datagrams, MAX_DATAGRAM, Train, Trouble, room};
use crate::trace;

pub use dial::ClientOptions;
use dial::{Attempt, Dial};

/// The longest wait at one socket while several addresses are being called.
const TURN: Duration = Duration::from_millis(5);

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
    /// The attempt that goes on: the one whose address was heard, before that the latest.
    attempt: Attempt,
    /// Earlier attempts at other addresses, none of which was heard.
    earlier: Vec<Attempt>,
    dial: Dial,
    clock: Clock,
    /// What came and was not yet handed out; packets among it lie in `received`.
    queue: VecDeque<Arrived>,
    received: Box<[u8]>,
    out: Box<[u8]>,
    idle_timeout: Option<Duration>,
    /// What the handshake settled, once the event is out.
    settled: Option<Box<Connected>>,
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
    /// Sends the first hello to `server` and returns without waiting. The server must prove that it is `name`; `None` for one that
    /// is recognised by its [fingerprint](crate::x509::Policy::fingerprint).
    ///
    /// If a host has several addresses (`localhost` often has two), the next one is tried at once when one refuses, and
    /// beside it when one is silent for 250 ms; the first that answers is gone on with (RFC 8305). A link-local address is
    /// given with its zone, apart from the port: `("fe80::1%eth0", 4433)`.
    ///
    /// # Errors
    /// [`ClientError::Lookup`] or [`ClientError::NoAddress`] if the host has no known address,
    /// [`ClientError::Socket`] if no address can be reached, [`ClientError::Handshake`] if the configuration has nothing to offer or there are no random bytes.
    pub fn new(
        server: impl ToSocketAddrs,
        name: impl Into<Option<ServerName<'static>>>,
        config: Arc<ClientConfig>,
    ) -> Result<Self, ClientError> {
        Self::with_options(server, name, config, ClientOptions::default())
    }

    /// Like [`new`](Self::new), with options.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_options(
        server: impl ToSocketAddrs,
        name: impl Into<Option<ServerName<'static>>>,
        config: Arc<ClientConfig>,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let addresses = server.to_socket_addrs().map_err(ClientError::Lookup)?;
        let (mut dial, clock) = (Dial::new(addresses, name.into(), config, options)?, Clock::new());
        let attempt = dial.next(&clock)?.ok_or(ClientError::NoAddress)?;
        Self::begin(attempt, dial, clock)
    }

    /// Like [`new`](Self::new), over the caller's socket, which is connected to the server's address. If there are
    /// several addresses, they are called one after the other, each for 2.5 s.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn over(
        socket: UdpSocket,
        server: impl ToSocketAddrs,
        name: impl Into<Option<ServerName<'static>>>,
        config: Arc<ClientConfig>,
    ) -> Result<Self, ClientError> {
        let addresses = server.to_socket_addrs().map_err(ClientError::Lookup)?;
        let (mut dial, clock) =
            (Dial::new(addresses, name.into(), config, ClientOptions::default())?, Clock::new());
        let attempt = dial.over(socket, &clock)?;
        Self::begin(attempt, dial, clock)
    }

    fn begin(attempt: Attempt, dial: Dial, clock: Clock) -> Result<Self, ClientError> {
        let mut client = Self {
            attempt,
            earlier: Vec::new(),
            dial,
            clock,
            queue: VecDeque::new(),
            received: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            out: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            idle_timeout: Some(IDLE_TIMEOUT),
            settled: None,
        };
        client.settle(client.clock.now())?;
        Ok(client)
    }

    /// Waits until the handshake is done, at most for `timeout`. For programs that have nothing else to do
    /// meanwhile; others call [`poll`](Self::poll) and watch for [`Event::Connected`]. Returns at once if the connection is
    /// made, also if `poll` has told so before.
    ///
    /// In DTLS 1.3 a client is connected before the server has seen its certificate: one that the server refuses shows
    /// later, as [`Event::Failed`].
    ///
    /// # Errors
    /// Why the handshake failed; [`Error::HandshakeTimeout`] also if `timeout` is over; [`ClientError::Closed`] if the
    /// connection is over; [`ClientError::Request`] if a call-out of the configuration answers later: hand the answer to
    /// [`answer`](Self::answer), and call this again.
    pub fn connected(&mut self, timeout: Duration) -> Result<Box<Connected>, ClientError> {
        if let Some(settled) = self.settled.as_ref().filter(|_| self.attempt.connection.is_connected()) {
            return Ok(settled.clone());
        }
        let deadline = self.clock.now() + timeout;
        loop {
            match self.poll(deadline - self.clock.now())? {
                Some(ClientEvent::Connection(Event::Connected(connected))) => return Ok(connected),
                Some(ClientEvent::Connection(Event::Failed(error))) => return Err(error.into()),
                Some(ClientEvent::Connection(Event::Closed(_))) => return Err(ClientError::Closed),
                Some(ClientEvent::Connection(Event::Request(id, request))) => {
                    return Err(ClientError::Request(id, request));
                }
                Some(_) | None => {}
            }
            if self.attempt.connection.is_closed() && self.queue.is_empty() {
                return Err(ClientError::Closed);
            }
            if self.clock.now() >= deadline {
                return Err(Error::HandshakeTimeout.into());
            }
        }
    }

    /// Sets the silence of the server after which the connection ends with
    /// [`CloseReason::IdleTimeout`](crate::CloseReason::IdleTimeout); `None` for never. Default: 10 minutes. Programs that
    /// are silent for longer on purpose have both sides send something now and then.
    pub fn set_idle_timeout(&mut self, timeout: Option<Duration>) {
        self.idle_timeout = timeout;
        self.attempt.connection.set_idle_timeout(timeout);
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
            if last_look || self.attempt.connection.is_closed() {
                return Ok(None);
            }
            let now = self.clock.now();
            if self.attempt.connection.poll_timeout().is_some_and(|at| at <= now) {
                self.attempt.connection.handle_timeout(now);
            }
            self.settle(now)?;
            self.drive_earlier(now);
            self.call_next_if_due(now)?;
            if self.queue.is_empty() && !self.attempt.connection.is_closed() {
                last_look = now >= deadline;
                self.wait(deadline - now)?;
            }
        }
    }

    /// How long [`poll`](Self::poll) may be left alone, if nothing arrives: for loops that wait for several things at once,
    /// and for this client's socket among them ([`AsFd`](std::os::fd::AsFd), on Windows `AsSocket`). While several addresses
    /// are called there are several sockets, and the time is short. `None` for ever.
    pub fn time_to_next_deadline(&self) -> Option<Duration> {
        if !self.queue.is_empty() {
            return Some(Duration::ZERO);
        }
        let due = [self.attempt.connection.poll_timeout(), self.dial.next_at()];
        let wait = due.into_iter().flatten().min().map(|at| at - self.clock.now());
        if self.earlier.is_empty() { wait } else { Some(wait.map_or(TURN, |wait| wait.min(TURN))) }
    }

    /// Sends one packet: one record in one datagram.
    ///
    /// # Errors
    /// [`SendError::Misuse`] if the connection is not made (or no more), or the packet is longer than
    /// [`Connection::max_payload`], or than the system lets through; [`SendError::Socket`] if the operating system does not take the datagram.
    pub fn send(&mut self, payload: &[u8]) -> Result<(), SendError> {
        let length = self.attempt.connection.send(payload, &mut self.out)?;
        self.take_events();
        match self.attempt.socket.send(self.out.get(..length).unwrap_or_default()) {
            // The server may be gone, and it may be a forgery: the packet is lost, no more.
            Err(error) if socket::is_refusal(&error) => Ok(()),
            Err(error) if socket::is_too_large(&error) => {
                self.attempt.connection.datagram_too_large(self.clock.now(), length);
                self.take_events();
                let limit = self.attempt.connection.max_unfragmented_payload();
                Err(Misuse::PayloadTooLarge { limit }.into())
            }
            sent => Ok(sent?),
        }
    }

    /// Sends several packets, each in a datagram of its own, and those of one length in few calls of the operating system (Linux,
    /// Android and Windows). How many it took: all, unless something stood in the way of the next.
    ///
    /// # Errors
    /// As [`send`](Self::send), if the first one could not be sent.
    pub fn send_many<'p>(&mut self, packets: impl IntoIterator<Item = &'p [u8]>) -> Result<usize, SendError> {
        let Attempt { socket, connection, address, .. } = &mut self.attempt;
        let mut train = Train::new(socket.max_segments(), connection.mtu());
        let mut sent = 0;
        let mut depart = |train: &mut Train, out: &[u8]| -> io::Result<()> {
            sent += train.depart(out, |bytes, segment| socket.send_train(bytes, segment, *address))?;
            Ok(())
        };
        let send_all = || {
            for packet in packets {
                if !train.takes(connection.overhead_of(packet.len()).total() + packet.len()) {
                    depart(&mut train, &self.out)?;
                }
                match connection.send(packet, room(&train, &mut self.out)) {
                    Ok(length) => train.push(length),
                    Err(misuse) => {
                        depart(&mut train, &self.out)?;
                        return Err(misuse.into());
                    }
                }
            }
            Ok(depart(&mut train, &self.out)?)
        };
        let outcome: Result<(), SendError> = send_all();
        self.take_events();
        if sent == 0 { outcome.map(|()| 0) } else { Ok(sent) }
    }

    /// Changes the keys of what is sent (DTLS 1.3), and asks the server to change its own too if `request_peer`: see
    /// [`Connection::update_keys`].
    ///
    /// # Errors
    /// [`Misuse`] if the connection is not made (or no more), or speaks DTLS 1.2.
    pub fn update_keys(&mut self, request_peer: bool) -> Result<(), Misuse> {
        self.attempt.connection.update_keys(self.clock.now(), request_peer)
        // What follows from it is due at once: the next `poll` begins with it.
    }

    /// Sends close_notify. Nothing can be sent afterwards; events that already came can still be polled.
    pub fn close(&mut self) {
        self.close_with(AlertDescription::CLOSE_NOTIFY);
    }

    /// Closes like [`close`](Self::close), but tells the server with a fatal alert what is wrong: see
    /// [`Connection::close_with`].
    pub fn close_with(&mut self, alert: AlertDescription) {
        let now = self.clock.now();
        self.earlier.clear();
        self.dial.settle();
        self.attempt.connection.close_with(now, alert);
        // The peer learns of the end by the alert or not at all: there is nothing to do about a failure.
        let _ = self.settle(now);
    }

    /// Gives the answer to an [`Event::Request`].
    ///
    /// # Errors
    /// [`Misuse`] if no such request is open or the answer is of another kind; nothing is changed then.
    pub fn answer(&mut self, id: RequestId, answer: Answer) -> Result<(), Misuse> {
        self.attempt.connection.answer(self.clock.now(), id, answer)
        // What follows from it is due at once: the next `poll` begins with it.
    }

    /// The connection: its state, limits and counters.
    pub fn connection(&self) -> &Connection {
        &self.attempt.connection
    }

    /// The address that the client talks to.
    pub fn server_addr(&self) -> SocketAddr {
        self.attempt.address
    }

    /// The client's own address.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.attempt.socket.local_addr()
    }

    /// One receive, bounded by `most` and by the earliest deadline; one at each socket while several addresses are called.
    fn wait(&mut self, most: Duration) -> Result<(), ClientError> {
        let now = self.clock.now();
        let due = [self.attempt.connection.poll_timeout(), self.dial.next_at()];
        let wait = due.into_iter().flatten().fold(most, |wait, at| wait.min(at - now));
        if self.earlier.is_empty() {
            return self.receive(wait);
        }
        let turn = wait.min(TURN);
        self.receive(turn)?;
        for place in 0..self.earlier.len() {
            let Some(earlier) = self.earlier.get_mut(place) else { break };
            if let Ok(Arrival::Datagrams(datagrams)) = earlier.socket.receive(&mut self.received, turn) {
                // The attempts of all other addresses end here.
                std::mem::swap(&mut self.attempt, earlier);
                return self.take_in(datagrams);
            }
        }
        Ok(())
    }

    fn receive(&mut self, wait: Duration) -> Result<(), ClientError> {
        let arrival = self.attempt.socket.receive(&mut self.received, self.attempt.contact.wait(wait));
        let outcome = match arrival {
            Ok(Arrival::Datagrams(datagrams)) => return self.take_in(datagrams),
            Ok(Arrival::Nothing) => {
                self.attempt.contact.on_nothing();
                Ok(())
            }
            Ok(Arrival::Refused) => self.attempt.contact.on_refusal(),
            Err(error) => self.attempt.contact.on_receive_error(error),
        };
        outcome.or_else(|trouble| self.give_up(trouble))
    }

    /// Datagrams of the attempt's address lie in `received`: it is the one that goes on.
    fn take_in(&mut self, datagrams: Datagrams) -> Result<(), ClientError> {
        let now = self.clock.now();
        self.attempt.contact.on_datagram();
        self.earlier.clear();
        self.dial.settle();
        let queue = &mut self.queue;
        for place in datagrams {
            inbox::offer(&mut self.attempt.connection, now, &mut self.received, place, |arrived| {
                queue.push_back(arrived);
            });
        }
        self.settle(now)
    }

    /// After any input: everything out, every event into the queue.
    fn settle(&mut self, now: Instant) -> Result<(), ClientError> {
        loop {
            match self.attempt.transmit(now, &mut self.out) {
                Err(trouble) => self.give_up(trouble)?,
                Ok(()) if self.attempt.connection.is_closed() && self.goes_on_elsewhere()? => {}
                Ok(()) => break,
            }
        }
        self.take_events();
        Ok(())
    }

    fn take_events(&mut self) {
        while let Some(event) = self.attempt.connection.poll_event() {
            self.queue.push_back(Arrived::Event(event));
        }
    }

    /// This attempt is over; another address may do better.
    fn give_up(&mut self, trouble: Trouble) -> Result<(), ClientError> {
        let address = self.attempt.address;
        trace::failed(address, &trouble);
        match trouble {
            _ if self.goes_on_elsewhere()? => Ok(()),
            Trouble::Refused => Err(ClientError::Refused(address)),
            Trouble::Broken(source) => Err(ClientError::Socket { address, source }),
        }
    }

    /// Leaves an attempt that is over for another one: the next address, or an earlier one that is still called. False if
    /// there is none, as soon as an address was heard.
    fn goes_on_elsewhere(&mut self) -> Result<bool, ClientError> {
        if self.dial.has_one_socket() {
            return self.dial.redirect(&mut self.attempt, &self.clock);
        }
        let next = self.dial.next(&self.clock).or_else(unless_unreachable)?;
        let Some(other) = next.or_else(|| self.earlier.pop()) else {
            return Ok(false);
        };
        self.attempt = other;
        Ok(true)
    }

    /// Calls the next address beside those that are called already, if it is time.
    fn call_next_if_due(&mut self, now: Instant) -> Result<(), ClientError> {
        if self.dial.next_at().is_none_or(|at| at > now) {
            return Ok(());
        }
        if self.dial.has_one_socket() {
            self.dial.redirect(&mut self.attempt, &self.clock)?;
        } else if let Some(next) = self.dial.next(&self.clock).or_else(unless_unreachable)? {
            self.earlier.push(std::mem::replace(&mut self.attempt, next));
        }
        self.settle(now)
    }

    /// What is due for the earlier attempts; one that is over is forgotten.
    fn drive_earlier(&mut self, now: Instant) {
        let out = &mut self.out;
        self.earlier.retain_mut(|earlier| earlier.drive(now, out).is_ok() && !earlier.connection.is_closed());
    }

    fn lend(&mut self, arrived: Arrived) -> ClientEvent<'_> {
        match arrived {
            Arrived::Event(event) => {
                if let Event::Connected(connected) = &event {
                    self.settled = Some(connected.clone());
                    self.attempt.connection.set_idle_timeout(self.idle_timeout);
                }
                ClientEvent::Connection(event)
            }
            Arrived::Packet { range, number } => {
                let payload = self.received.get_mut(range).unwrap_or_default();
                ClientEvent::Packet(Packet { payload, number })
            }
        }
    }
}

/// Addresses that cannot be reached do not matter as long as others are called.
fn unless_unreachable<T>(error: ClientError) -> Result<Option<T>, ClientError> {
    match error {
        ClientError::Socket { .. } => Ok(None),
        error => Err(error),
    }
}

socket::lend_handle!(Client, attempt.socket);

impl Drop for Client {
    fn drop(&mut self) {
        if self.attempt.connection.is_connected() {
            self.close();
        }
    }
}

impl fmt::Debug for Client {
    /// Without the buffers: they hold plaintext.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", &self.attempt.address).finish_non_exhaustive()
    }
}
