//! `PacketPeerDtls`: one DTLS connection with Godot's statuses. It knows nothing of the protocol itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use drystone_handshake::{
    AlertDescription, Answer, ClientConfig, CloseReason, Connected, Connection, Event, Misuse, Request,
    RequestId, Settings,
};
use drystone_x509::ServerName;

use super::connect::{ConnectError, Trust};
use super::error::{Error, PacketError};
use super::link::{Inbox, Link, ServerSide};
use super::peer::PacketPeer;
use super::status::Status;
use super::udp::PacketPeerUdp;
use crate::X509Certificate;
use crate::clock::Clock;
use crate::random::settings;

/// A DTLS connection in the manner of Godot, over a [`PacketPeerUdp`].
///
/// Nothing happens outside [`poll`](Self::poll): call it once per frame, look at
/// [`get_status`](Self::get_status), and read packets until there is none ([`PacketPeer`]).
/// Dropping the peer says goodbye to the other side.
///
/// ```
/// use std::{thread::sleep, time::Duration};
/// use drystone::{DtlsServer, PacketPeer, PacketPeerDtls, PacketPeerUdp, Status, UdpServer};
/// # use drystone::{CryptoKey, X509Certificate};
/// # let made = rcgen::generate_simple_self_signed(["game.example.org".to_owned()])?;
/// # let (mut key, mut certificate) = (CryptoKey::new(), X509Certificate::new());
/// # key.load_from_string(&made.signing_key.serialize_pem(), false)?;
/// # certificate.load_from_string(&made.cert.pem())?;
///
/// // The server's side: `key` and `certificate` were loaded from files.
/// let mut udp = UdpServer::new();
/// udp.listen(0, "127.0.0.1")?;
/// let mut dtls = DtlsServer::new();
/// dtls.setup(&key, &certificate, None)?;
///
/// // The client's side.
/// let mut socket = PacketPeerUdp::new();
/// socket.connect_to_host("127.0.0.1", udp.get_local_port())?;
/// let mut peer = PacketPeerDtls::new();
/// peer.connect_to_peer(socket, true, "game.example.org", Some(&certificate))?;
///
/// // Once per frame, on both sides:
/// let mut clients = Vec::new();
/// while peer.get_status() != Status::Connected {
///     clients.extend(dtls.accept(&mut udp));
///     clients.iter_mut().for_each(PacketPeerDtls::poll);
///     peer.poll();
///     sleep(Duration::from_millis(1));
/// }
/// peer.put_packet(b"hello")?;
/// # while clients[0].get_available_packet_count() == 0 {
/// #     udp.poll()?;
/// #     clients[0].poll();
/// # }
/// # assert_eq!(clients[0].get_packet()?, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct PacketPeerDtls {
    status: Status,
    error: Option<Error>,
    options: Options,
    /// Present while connecting and connected, and a little longer after a failure, to repeat the alert.
    link: Option<Box<Link>>,
    connected: Option<Box<Connected>>,
    inbox: Inbox,
    /// What a call-out wants to know and nobody has taken.
    request: Option<(RequestId, Box<Request>)>,
    packet_error: Option<PacketError>,
    /// Where records are sealed and flights written.
    out: Vec<u8>,
    /// The UDP peer of a connection that is over.
    released: Option<PacketPeerUdp>,
}

/// What can be set before a connection begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) handshake_deadline: Duration,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) mtu: Option<usize>,
}

/// As long as routers keep the way open for a silent pair of peers (RFC 4787 section 4.3: at least 2 minutes).
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

impl Default for Options {
    fn default() -> Self {
        Self { handshake_deadline: Duration::from_secs(30), idle_timeout: Some(IDLE_TIMEOUT), mtu: None }
    }
}

impl Options {
    /// The default settings with these options.
    pub(super) fn settings(&self) -> Settings {
        let mut settings = settings();
        settings.handshake_deadline = Some(self.handshake_deadline);
        settings.mtu = self.mtu.unwrap_or(settings.mtu);
        settings
    }
}

/// The MTU of the default settings.
const DEFAULT_MTU: usize = 1200;

/// AES-GCM's overhead, the largest: what is known before there is a connection.
const OVERHEAD: usize = 37;

/// The most bytes of plaintext in a record.
const MAX_PACKET: usize = 16_384;

impl PacketPeerDtls {
    /// A peer that is not connected.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to connect to the server that `packet_peer` is connected to. The first hello leaves within the call.
    ///
    /// With `validate_certs` the server must prove by its certificate that it is `for_hostname` (a DNS name, or an IP
    /// address that the certificate names); trusted are the certificates in `valid_certificate`, authorities
    /// or the server's own, or without it the operating system's (feature `system-roots`). If the
    /// server presents one of these very certificates and that has no subjectAltName at all, as those that Godot makes,
    /// its common name counts. Without `validate_certs` **everybody** is trusted, also an attacker in between.
    ///
    /// An object whose earlier connection is over can be used again.
    ///
    /// # Errors
    /// [`ConnectError`] gives the UDP peer back, and nothing has changed: [`Error::AlreadyInUse`] if connecting or
    /// connected, [`Error::SocketNotConnected`], [`Error::NoHostname`], [`Error::InvalidHostname`],
    /// [`Error::NoTrustAnchors`], [`Error::Anchor`], [`Error::Config`] for options that cannot work.
    pub fn connect_to_peer(
        &mut self,
        packet_peer: PacketPeerUdp,
        validate_certs: bool,
        for_hostname: &str,
        valid_certificate: Option<&X509Certificate>,
    ) -> Result<(), ConnectError> {
        if let Err(error) = self.may_connect() {
            return Err(ConnectError::new(error, packet_peer));
        }
        let Some(remote) = packet_peer.remote() else {
            return Err(ConnectError::new(Error::SocketNotConnected, packet_peer));
        };
        let trust = Trust { validate_certs, for_hostname, valid_certificate };
        match trust.configure(self.options.settings(), remote) {
            Ok((config, name)) => self.connect_with(packet_peer, name, config),
            Err(error) => Err(ConnectError::new(error, packet_peer)),
        }
    }

    /// Like [`connect_to_peer`](Self::connect_to_peer), with a configuration that says all: which certificates to
    /// trust, one's own certificate, protocols, the MTU, the handshake's deadline. The documented way for programs
    /// that are not ports: the configuration is checked once and shared by all connections.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use drystone::x509::{Policy, ServerName};
    /// use drystone::{ClientConfig, PacketPeerDtls, PacketPeerUdp, Status, X509Certificate};
    ///
    /// # let authority = rcgen::generate_simple_self_signed(["authority".to_owned()])?.cert.pem();
    /// let mut trusted = X509Certificate::new();
    /// trusted.load_from_string(&authority)?;
    /// let config = Arc::new(ClientConfig::new(drystone::settings(), Policy::new(trusted.trust_anchors()?))?);
    ///
    /// let mut socket = PacketPeerUdp::new();
    /// socket.connect_to_host("127.0.0.1", 4433)?;
    /// let mut peer = PacketPeerDtls::new();
    /// peer.connect_with(socket, ServerName::try_from("game.example.org")?, config)?;
    /// assert_eq!(peer.get_status(), Status::Handshaking);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ConnectError`] gives the UDP peer back: [`Error::AlreadyInUse`], [`Error::SocketNotConnected`], or
    /// [`Error::Handshake`] if there are no random numbers.
    pub fn connect_with(
        &mut self,
        packet_peer: PacketPeerUdp,
        server_name: impl Into<Option<ServerName<'static>>>,
        config: Arc<ClientConfig>,
    ) -> Result<(), ConnectError> {
        if let Err(error) = self.may_connect() {
            return Err(ConnectError::new(error, packet_peer));
        }
        if !packet_peer.is_socket_connected() {
            return Err(ConnectError::new(Error::SocketNotConnected, packet_peer));
        }
        let clock = Clock::new();
        let start = clock.start();
        let connection = match Connection::client(config, server_name, start) {
            Ok(connection) => connection,
            Err(error) => return Err(ConnectError::new(error.into(), packet_peer)),
        };
        self.begin(Link::client(connection, packet_peer, clock, start.now), Inbox::default());
        self.poll();
        Ok(())
    }

    /// A server's peer, from the first datagram of its client.
    pub(super) fn accepted(udp: PacketPeerUdp, side: &ServerSide, options: Options) -> Self {
        let mut peer = Self::default();
        peer.options = options;
        let mut inbox = Inbox::default();
        match Link::server(udp, side, &mut inbox) {
            Ok(link) => {
                peer.begin(link, inbox);
                peer.poll();
            }
            Err(error) => peer.fail(error),
        }
        peer
    }

    /// A server's peer of a server that was not set up.
    pub(super) fn unconfigured() -> Self {
        let mut peer = Self::default();
        peer.error = Some(Error::Unconfigured("DtlsServer::setup"));
        peer
    }

    fn may_connect(&self) -> Result<(), Error> {
        if self.status.is_active() { Err(Error::AlreadyInUse("the DTLS peer")) } else { Ok(()) }
    }

    fn begin(&mut self, mut link: Link, inbox: Inbox) {
        link.connection.set_idle_timeout(self.options.idle_timeout);
        self.link = Some(Box::new(link));
        self.status = Status::Handshaking;
        self.inbox = inbox;
        self.connected = None;
        self.request = None;
        self.released = None;
        self.error = None;
        self.packet_error = None;
    }

    /// Does all that is due: takes in what arrived (at most 1,024 datagrams), repeats what got lost, sends. Call it
    /// once per frame; a server's peer gets only what its [`UdpServer`](super::UdpServer) was polled for before.
    pub fn poll(&mut self) {
        let Some(link) = &mut self.link else { return };
        let outcome = link.run(&mut self.out, &mut self.inbox);
        self.take_events();
        if let Err(error) = outcome {
            self.end(error);
        }
        self.release_link();
    }

    fn take_events(&mut self) {
        while let Some(link) = &mut self.link
            && let Some(event) = link.poll_event()
        {
            match event {
                Event::Connected(connected) => {
                    self.status = Status::Connected;
                    self.connected = Some(connected);
                }
                Event::Closed(CloseReason::IdleTimeout(timeout)) => self.fail(Error::IdleTimeout(timeout)),
                Event::Closed(CloseReason::Displaced) => self.fail(Error::Displaced),
                Event::Closed(_) => self.status = Status::Disconnected,
                Event::Request(id, request) => self.request = Some((id, request)),
                Event::Failed(error) => {
                    let error = link.explain(error);
                    self.fail(error);
                }
                Event::AssociationReplaced => self.fail(Error::Replaced),
                // The key's limit shows when it is reached.
                _ => {}
            }
        }
    }

    /// Ends the connection for a reason beside the protocol, if it has not ended already.
    fn end(&mut self, error: Error) {
        if !self.status.is_active() {
            return;
        }
        // The server that stopped has said goodbye.
        let stopped = matches!(error, Error::ServerStopped);
        self.fail(error);
        if stopped {
            self.status = Status::Disconnected;
        }
    }

    /// Ends the connection for a reason; the first one counts.
    fn fail(&mut self, error: Error) {
        if self.status.is_error() {
            return;
        }
        self.status = if error.is_name_mismatch() { Status::ErrorHostnameMismatch } else { Status::Error };
        self.error = Some(error);
    }

    /// A connection that is over keeps its link only as long as it has an alert to repeat.
    fn release_link(&mut self) {
        let lingers = |link: &Link| link.connection.is_closed() && link.connection.poll_timeout().is_some();
        if self.status.is_active() || self.link.as_deref().is_some_and(lingers) {
            return;
        }
        if let Some(link) = self.link.take() {
            self.released = Some(link.udp);
        }
    }

    /// Says goodbye and ends the connection, or gives up the handshake. Does nothing otherwise. Packets that came
    /// before can still be read.
    pub fn disconnect_from_peer(&mut self) {
        self.close_with(AlertDescription::CLOSE_NOTIFY);
    }

    /// Ends the connection like [`disconnect_from_peer`](Self::disconnect_from_peer), but tells the other side with a fatal
    /// alert what is wrong: see [`Connection::close_with`]. Godot has no such method.
    pub fn close_with(&mut self, alert: AlertDescription) {
        if !self.status.is_active() {
            return;
        }
        if let Some(link) = &mut self.link {
            link.close_with(alert, &mut self.out);
        }
        self.status = Status::Disconnected;
        self.release_link();
    }

    /// Where it stands.
    pub fn get_status(&self) -> Status {
        self.status
    }

    /// Why it failed or could not connect, in words ([`Display`](fmt::Display)) and as Godot's number. None while all
    /// is well, and after a goodbye.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// What was negotiated, and the other side's certificates. None before the connection is made.
    pub fn connected(&self) -> Option<&Connected> {
        self.connected.as_deref()
    }

    /// What a call-out of the configuration wants to know, if it answers later ([`Poll::Pending`](std::task::Poll)): only with
    /// [`connect_with`](Self::connect_with) and [`DtlsServer::setup_with`](super::DtlsServer::setup_with). Look for it after
    /// each [`poll`](Self::poll) and hand the answer to [`answer`](Self::answer); a handshake whose request nobody answers
    /// fails at its deadline. Each is given once.
    pub fn poll_request(&mut self) -> Option<(RequestId, Box<Request>)> {
        self.request.take()
    }

    /// Gives the answer to a request. The next [`poll`](Self::poll) sends what follows from it.
    ///
    /// # Errors
    /// [`Misuse`] if no such request is open (any more), or the answer is of another kind; nothing is changed then.
    pub fn answer(&mut self, id: RequestId, answer: Answer) -> Result<(), Misuse> {
        self.link.as_mut().ok_or(Misuse::NoSuchRequest)?.answer(id, answer)
    }

    /// The connection itself: counters, limits, exported keys. None if there is none.
    pub fn connection(&self) -> Option<&Connection> {
        self.link.as_ref().map(|link| &link.connection)
    }

    /// The UDP peer, which tells addresses and ports. None if there is none.
    pub fn packet_peer(&self) -> Option<&PacketPeerUdp> {
        self.link.as_ref().map(|link| &link.udp).or(self.released.as_ref())
    }

    /// Gives the UDP peer of a connection that is over back. None while connecting or connected.
    pub fn take_packet_peer(&mut self) -> Option<PacketPeerUdp> {
        if self.status.is_active() {
            return None;
        }
        self.link.take().map(|link| link.udp).or_else(|| self.released.take())
    }

    /// How many packets were dropped since nobody read those before them: from the queue, and from the buffer of a socket of
    /// its own where the operating system tells that (Linux, Android; of a server's socket
    /// [`UdpServer::dropped_packet_count`](super::UdpServer::dropped_packet_count) counts them).
    pub fn dropped_packet_count(&self) -> u64 {
        let by_system = self.packet_peer().map_or(0, PacketPeerUdp::dropped_by_system);
        self.inbox.dropped.saturating_add(by_system)
    }

    /// The time that [`connect_to_peer`](Self::connect_to_peer) gives the handshake. Default: 30 s.
    /// ([`connect_with`](Self::connect_with) takes it from the configuration.)
    pub fn set_handshake_deadline(&mut self, deadline: Duration) {
        self.options.handshake_deadline = deadline;
    }

    /// The silence of the other side after which the connection counts as dead; none never. Default: 120 s, as long
    /// as routers keep the way open. Games that pause longer send something now and then.
    pub fn set_idle_timeout(&mut self, timeout: Option<Duration>) {
        self.options.idle_timeout = timeout;
        if let Some(link) = &mut self.link {
            link.connection.set_idle_timeout(timeout);
        }
    }

    /// The most bytes of UDP payload per datagram of the handshake that [`connect_to_peer`](Self::connect_to_peer)
    /// begins, at least 228. Default: 1200.
    pub fn set_mtu(&mut self, mtu: usize) {
        self.options.mtu = Some(mtu);
    }

    fn read(&mut self) -> Result<(), PacketError> {
        match self.status {
            _ if self.inbox.queue.len() > 0 => Ok(()),
            Status::Connected => Err(PacketError::Empty),
            _ if self.connected.is_some() => Err(PacketError::Closed),
            _ => Err(PacketError::NotConnected),
        }
    }
}

impl PacketPeer for PacketPeerDtls {
    fn get_available_packet_count(&mut self) -> usize {
        self.inbox.queue.len()
    }

    fn get_packet(&mut self) -> Result<&[u8], PacketError> {
        self.packet_error = self.read().err();
        match self.packet_error {
            Some(error) => Err(error),
            None => self.inbox.queue.pop().map(|packet| &*packet).ok_or(PacketError::Empty),
        }
    }

    fn put_packet(&mut self, packet: &[u8]) -> Result<(), PacketError> {
        if packet.is_empty() {
            return Ok(());
        }
        match &mut self.link {
            Some(link) if self.status == Status::Connected => link.send(packet, &mut self.out),
            _ => Err(PacketError::NotConnected),
        }
    }

    fn get_packet_error(&self) -> Option<PacketError> {
        self.packet_error
    }

    fn get_max_packet_size(&self) -> usize {
        self.connection().map_or(MAX_PACKET, Connection::max_payload)
    }

    fn max_unfragmented_packet_size(&self) -> usize {
        let connected = self.connection().filter(|connection| connection.is_connected());
        let expected = self.options.mtu.unwrap_or(DEFAULT_MTU).saturating_sub(OVERHEAD).min(MAX_PACKET);
        connected.map_or(expected, Connection::max_unfragmented_payload)
    }
}

impl Drop for PacketPeerDtls {
    fn drop(&mut self) {
        self.disconnect_from_peer();
    }
}

impl fmt::Debug for PacketPeerDtls {
    /// Without the packets: they are plaintext.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketPeerDtls")
            .field("status", &self.status)
            .field("error", &self.error)
            .field("packet_peer", &self.packet_peer())
            .finish_non_exhaustive()
    }
}
