//! Packet peers over loopback, all on one thread: a server with its socket, clients, and a relay that stands between
//! them. Owns the sockets of such tests; knows nothing of what they want to see.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drystone::{
    ClientConfig, CryptoKey, DtlsServer, PacketPeerDtls, PacketPeerUdp, ProtocolVersion, Settings, Status,
    UdpServer, X509Certificate,
};

use crate::identity::{Identity, client_config, name, server_config, settings_of};
use crate::link::Direction;

/// The name in the server's certificate.
const NAME: &str = "localhost";

/// The longest wait for a connection.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server of packet peers on a free port of loopback.
#[derive(Debug)]
pub struct Host {
    /// Its socket.
    pub udp: UdpServer,
    /// What makes DTLS peers.
    pub dtls: DtlsServer,
    certificate: X509Certificate,
    /// What clients are made with, if not by the certificate.
    client: Option<Arc<ClientConfig>>,
}

impl Host {
    /// A host that speaks one version, as its visitors do.
    pub fn of(version: ProtocolVersion) -> Self {
        Self::with(|| settings_of(version))
    }

    /// A host with these settings, as its visitors have them.
    pub fn with(settings: impl Fn() -> Settings) -> Self {
        let mut host = Self::new();
        let identity = Identity::p256();
        host.client = Some(client_config(settings(), identity));
        host.dtls = DtlsServer::new();
        host.dtls.setup_with(server_config(settings(), identity)).expect("random numbers");
        host
    }

    /// A host with a P-256 key, which listens.
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
        let (mut key, mut certificate) = (CryptoKey::new(), X509Certificate::new());
        key.load_from_string(&made.signing_key.serialize_pem(), false).expect("a key");
        certificate.load_from_string(&made.cert.pem()).expect("a certificate");
        let (mut udp, mut dtls) = (UdpServer::new(), DtlsServer::new());
        udp.listen(0, "127.0.0.1").expect("a free port");
        dtls.setup(&key, &certificate, None).expect("key and certificate");
        Self { udp, dtls, certificate, client: None }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.udp.get_local_port()).into()
    }

    /// A client that has sent its first hello, to the host or to a relay.
    pub fn visitor(&self, to: SocketAddr) -> PacketPeerDtls {
        let mut line = PacketPeerUdp::new();
        line.connect_to_host(&to.ip().to_string(), to.port()).expect("a socket");
        let mut client = PacketPeerDtls::new();
        client.set_handshake_deadline(PATIENCE);
        match &self.client {
            None => client.connect_to_peer(line, true, NAME, Some(&self.certificate)),
            Some(config) => client.connect_with(line, name(), Arc::clone(config)),
        }
        .expect("good arguments");
        client
    }

    /// A connected client and its peer. `between` runs before each end is polled.
    ///
    /// # Panics
    /// If they do not connect.
    pub fn connect(
        &mut self,
        to: SocketAddr,
        mut between: impl FnMut(Direction),
    ) -> (PacketPeerDtls, PacketPeerDtls) {
        let (mut client, mut peer) = (self.visitor(to), PacketPeerDtls::new());
        let begin = Instant::now();
        let connected = |peer: &PacketPeerDtls| peer.get_status() == Status::Connected;
        while !connected(&client) || !connected(&peer) {
            between(Direction::ToServer);
            peer = self.dtls.accept(&mut self.udp).unwrap_or(peer);
            peer.poll();
            between(Direction::ToClient);
            client.poll();
            assert!(begin.elapsed() < PATIENCE, "{:?}, {:?}", client.error(), peer.error());
        }
        (client, peer)
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

/// What stands between one client and the host, and can write to both in the other's name.
#[derive(Debug)]
pub struct Relay {
    front: UdpSocket,
    back: UdpSocket,
    client: Option<SocketAddr>,
    buffer: Box<[u8]>,
}

impl Relay {
    /// A relay to this host.
    pub fn new(host: &Host) -> Self {
        let [front, back] = [(); 2].map(|()| nonblocking(SocketAddr::from(([127, 0, 0, 1], 0))));
        back.connect(host.address()).expect("an address");
        Self { front, back, client: None, buffer: vec![0; 65_536].into() }
    }

    /// Where the client has to connect to.
    pub fn address(&self) -> SocketAddr {
        self.front.local_addr().expect("it is bound")
    }

    /// Hands on all that waits in one direction, shows each datagram, and says how many there were.
    pub fn pass(&mut self, direction: Direction, mut show: impl FnMut(&[u8])) -> u64 {
        let mut passed = 0;
        while let Some(length) = self.receive(direction) {
            self.send(direction, &self.buffer[..length]);
            show(&self.buffer[..length]);
            passed += 1;
        }
        passed
    }

    /// Takes one datagram out and does not hand it on.
    pub fn take(&mut self, direction: Direction) -> Option<&mut [u8]> {
        let length = self.receive(direction)?;
        Some(&mut self.buffer[..length])
    }

    /// Sends in the name of the side from which this direction leads.
    pub fn send(&self, direction: Direction, datagram: &[u8]) {
        let sent = match direction {
            Direction::ToServer => self.back.send(datagram),
            Direction::ToClient => {
                self.front.send_to(datagram, self.client.expect("the client sent something"))
            }
        };
        assert_eq!(sent.expect("loopback takes it"), datagram.len());
    }

    fn receive(&mut self, direction: Direction) -> Option<usize> {
        match direction {
            Direction::ToServer => {
                let (length, from) = self.front.recv_from(&mut self.buffer).ok()?;
                self.client = Some(from);
                Some(length)
            }
            Direction::ToClient => self.back.recv(&mut self.buffer).ok(),
        }
    }
}

/// A socket that never waits.
///
/// # Panics
/// If the address cannot be had.
pub fn nonblocking(address: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(address).expect("an address of ours");
    socket.set_nonblocking(true).expect("a socket");
    socket
}
