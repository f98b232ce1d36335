//! `DtlsServer`: makes DTLS peers of UDP peers. It knows no socket.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use drystone_handshake::{Credential, Credentials, Gate, ServerConfig};

use super::dtls::{Options, PacketPeerDtls};
use super::error::Error;
use super::exchange::{DATAGRAMS_PER_POLL, Doorman, Guard, Until};
use super::link::ServerSide;
use super::udp::PacketPeerUdp;
use super::udp_server::UdpServer;
use crate::clock::Clock;
use crate::{CryptoKey, X509Certificate};

/// A DTLS server in the manner of Godot, beside a [`UdpServer`].
///
/// There are two ways to get peers. [`accept`](Self::accept) is the one for new programs: strangers are asked for a
/// cookie from the receive buffer, so that they cost no memory, and every peer that it returns is a client on its
/// way in. [`take_connection`](Self::take_connection) is Godot's own: every second object is spent on the cookie.
///
/// ```
/// use std::{thread::sleep, time::Duration};
/// use drystone::{CryptoKey, DtlsServer, PacketPeer, PacketPeerDtls, UdpServer, X509Certificate};
///
/// # let folder = std::env::temp_dir().join(format!("drystone-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem())?;
/// # std::fs::write(folder.join("certificate.pem"), made.cert.pem())?;
/// let (mut key, mut certificate) = (CryptoKey::new(), X509Certificate::new());
/// key.load(folder.join("key.pem"), false)?;
/// certificate.load(folder.join("certificate.pem"))?;
/// # std::fs::remove_dir_all(&folder)?;
/// let mut udp = UdpServer::new();
/// udp.listen(0, "*")?; // or 4433: 0 takes a free port
/// let mut dtls = DtlsServer::new();
/// dtls.setup(&key, &certificate, None)?;
///
/// let mut peers: Vec<PacketPeerDtls> = Vec::new();
/// loop {
///     while let Some(peer) = dtls.accept(&mut udp) {
///         peers.push(peer);
///     }
///     for peer in &mut peers {
///         peer.poll();
///         while let Ok(packet) = peer.get_packet() {
///             println!("{} bytes", packet.len());
///         }
///     }
///     peers.retain(|peer| peer.get_status().is_active());
///     sleep(Duration::from_millis(16));
/// #   break;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct DtlsServer {
    side: Option<ServerSide>,
    options: Options,
}

impl DtlsServer {
    /// A server that is not set up.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the server its private key and its certificate, and the certificates between that one and an authority
    /// that clients trust: in `chain`, or behind the certificate in its own file.
    ///
    /// # Errors
    /// [`Error::AlreadyInUse`] if it was set up before; [`Error::Incomplete`] if the key is missing or only a public
    /// one, or there is no certificate; [`Error::Credential`] if they cannot be used or do not belong together;
    /// [`Error::Config`] for options that cannot work.
    pub fn setup(
        &mut self,
        key: &CryptoKey,
        certificate: &X509Certificate,
        chain: Option<&X509Certificate>,
    ) -> Result<(), Error> {
        if self.is_set_up() {
            return Err(Error::AlreadyInUse("the DTLS server"));
        }
        let key = key.private_key().ok_or(Error::Incomplete("`key` holds no private key"))?;
        let mut certificates = certificate.certificates().to_vec();
        if certificates.is_empty() {
            return Err(Error::Incomplete("`certificate` holds no certificate"));
        }
        for certificate in chain.map(X509Certificate::certificates).unwrap_or_default() {
            // Chain files often begin with the leaf.
            if !certificates.contains(certificate) {
                certificates.push(certificate.clone());
            }
        }
        let credential = Credential::new(certificates, key)?;
        let config = ServerConfig::new(self.options.settings(), Credentials::single(credential))?;
        self.setup_with(Arc::new(config))
    }

    /// Like [`setup`](Self::setup), with a configuration that says all: several credentials, client certificates,
    /// protocols, cookies.
    ///
    /// # Errors
    /// [`Error::AlreadyInUse`] if it was set up before; [`Error::Config`] if there are no random numbers for cookies.
    pub fn setup_with(&mut self, config: Arc<ServerConfig>) -> Result<(), Error> {
        if self.is_set_up() {
            return Err(Error::AlreadyInUse("the DTLS server"));
        }
        let (gate, clock) = (Gate::new(&config)?, Clock::new());
        self.side = Some(ServerSide { config, doorman: Doorman::new(gate, clock), clock });
        Ok(())
    }

    /// Whether it was set up.
    pub fn is_set_up(&self) -> bool {
        self.side.is_some()
    }

    /// Polls the UDP server and returns the next client that has proved its address, with status
    /// [`Handshaking`](super::Status::Handshaking). None if there is none at the moment, or the server is not set up
    /// or does not listen. Call it until it returns none, once per frame, before polling the peers: what arrived
    /// behind a client's hello is taken in only by the next call.
    ///
    /// From the first call on the UDP server lets nothing in but hellos with a good cookie, and takes a client back
    /// that connects anew from its old address: the old peer then fails with [`Error::Replaced`] as soon as the new
    /// one is connected.
    pub fn accept(&mut self, server: &mut UdpServer) -> Option<PacketPeerDtls> {
        let side = self.side.as_ref()?;
        server.exchange()?.guard(&side.doorman, Guard::Everybody);
        let mut budget = DATAGRAMS_PER_POLL;
        loop {
            // A broken socket shows when the caller polls the UDP server itself; what arrived before is still taken.
            let _ = server.poll_some(Until::SomebodyIsPending, &mut budget);
            let peer = PacketPeerDtls::accepted(server.take_connection()?, side, self.options);
            if peer.get_status().is_active() {
                return Some(peer);
            }
        }
    }

    /// Godot's own way: makes a DTLS peer of a UDP peer, which [`UdpServer::take_connection`] returned (or which is
    /// bound and connected to the client).
    ///
    /// If its first packet is a hello with a good cookie, the peer is
    /// [`Handshaking`](super::Status::Handshaking). Otherwise the client is asked for a cookie and the peer is spent,
    /// with status [`Error`](super::Status::Error): drop it, the client comes again as a new connection. Before
    /// [`setup`](Self::setup) the peer is [`Disconnected`](super::Status::Disconnected).
    ///
    /// Strangers cost a pending place of the UDP server each: [`accept`](Self::accept) does better.
    pub fn take_connection(&mut self, packet_peer: PacketPeerUdp) -> PacketPeerDtls {
        let Some(side) = &self.side else { return PacketPeerDtls::unconfigured() };
        if let Some((exchange, _)) = packet_peer.seat() {
            exchange.guard(&side.doorman, Guard::KnownAddresses);
        }
        PacketPeerDtls::accepted(packet_peer, side, self.options)
    }

    /// The time that clients get for the handshake. Default: 30 s. Set it before [`setup`](Self::setup).
    pub fn set_handshake_deadline(&mut self, deadline: Duration) {
        self.options.handshake_deadline = deadline;
    }

    /// The silence of a client after which its connection counts as dead; none never. Default: 120 s. For peers
    /// accepted from now on.
    pub fn set_idle_timeout(&mut self, timeout: Option<Duration>) {
        self.options.idle_timeout = timeout;
    }

    /// The most bytes of UDP payload per datagram, at least 228. Default: 1200. Set it before [`setup`](Self::setup).
    pub fn set_mtu(&mut self, mtu: usize) {
        self.options.mtu = Some(mtu);
    }
}

impl fmt::Debug for DtlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsServer").field("is_set_up", &self.is_set_up()).finish_non_exhaustive()
    }
}
