//! A server with its clients on loopback, all driven by one thread, and a relay that can forge what passes.

#![allow(dead_code, reason = "each test file uses its part")]

use std::net::{SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use drystone::{
    CryptoKey, DtlsServer, PacketPeer, PacketPeerDtls, PacketPeerUdp, Status, UdpServer, X509Certificate,
};

/// The name in the server's certificate.
pub(crate) const NAME: &str = "game.example.org";

/// Longer than anything here takes on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A self-signed certificate and its key.
pub(crate) fn identity() -> (CryptoKey, X509Certificate) {
    let (key_pem, certificate_pem) = identity_pem();
    let (mut key, mut certificate) = (CryptoKey::new(), X509Certificate::new());
    key.load_from_string(&key_pem, false).unwrap();
    certificate.load_from_string(&certificate_pem).unwrap();
    (key, certificate)
}

/// The same as texts: key and certificate.
pub(crate) fn identity_pem() -> (String, String) {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    (made.signing_key.serialize_pem(), made.cert.pem())
}

/// A UDP peer that is connected to a port of loopback.
pub(crate) fn dial(port: u16) -> PacketPeerUdp {
    let mut socket = PacketPeerUdp::new();
    socket.connect_to_host("127.0.0.1", port).unwrap();
    socket
}

/// Polls until something is so.
pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "in vain: {what}");
        sleep(Duration::from_millis(1));
    }
}

/// Lets what is on its way arrive.
pub(crate) fn a_moment() {
    sleep(Duration::from_millis(20));
}

/// A record that cannot be authentic.
pub(crate) fn with_last_byte_changed(datagram: &[u8]) -> Vec<u8> {
    let mut forged = datagram.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    forged
}

/// A server and those of its peers that were accepted.
pub(crate) struct House {
    pub(crate) udp: UdpServer,
    pub(crate) dtls: DtlsServer,
    pub(crate) peers: Vec<PacketPeerDtls>,
    pub(crate) key: CryptoKey,
    pub(crate) certificate: X509Certificate,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(|_, _| {})
    }

    /// A house whose servers are changed before they begin.
    pub(crate) fn with(change: impl FnOnce(&mut UdpServer, &mut DtlsServer)) -> Self {
        Self::listening_on("127.0.0.1", change)
    }

    /// The same, on this address of ours.
    pub(crate) fn listening_on(
        bind_address: &str,
        change: impl FnOnce(&mut UdpServer, &mut DtlsServer),
    ) -> Self {
        let (key, certificate) = identity();
        let (mut udp, mut dtls) = (UdpServer::new(), DtlsServer::new());
        change(&mut udp, &mut dtls);
        udp.listen(0, bind_address).unwrap();
        dtls.setup(&key, &certificate, None).unwrap();
        Self { udp, dtls, peers: Vec::new(), key, certificate }
    }

    pub(crate) fn port(&self) -> u16 {
        self.udp.get_local_port()
    }

    /// One frame of the server.
    pub(crate) fn poll(&mut self) {
        self.peers.extend(std::iter::from_fn(|| self.dtls.accept(&mut self.udp)));
        self.peers.iter_mut().for_each(PacketPeerDtls::poll);
    }

    /// A client that has begun to connect.
    pub(crate) fn visitor(&self) -> PacketPeerDtls {
        self.visitor_through(dial(self.port()))
    }

    /// A client that has begun to connect over this socket.
    pub(crate) fn visitor_through(&self, socket: PacketPeerUdp) -> PacketPeerDtls {
        let mut client = PacketPeerDtls::new();
        client.connect_to_peer(socket, true, NAME, Some(&self.certificate)).unwrap();
        client
    }

    /// Runs until the client and all peers are connected, or one of them is not on the way any more.
    pub(crate) fn settle(&mut self, client: &mut PacketPeerDtls) {
        wait_for("settled", || {
            self.poll();
            client.poll();
            let under_way = |peer: &PacketPeerDtls| peer.get_status() == Status::Handshaking;
            !under_way(client) && !self.peers.iter().any(under_way)
        });
    }

    /// A connected client; its peer is the last one.
    pub(crate) fn guest(&mut self) -> PacketPeerDtls {
        let mut client = self.visitor();
        self.settle(&mut client);
        assert_eq!(client.get_status(), Status::Connected, "{:?}", client.error());
        assert_eq!(self.peer().get_status(), Status::Connected, "{:?}", self.peer().error());
        client
    }

    /// The peer that was accepted last.
    pub(crate) fn peer(&mut self) -> &mut PacketPeerDtls {
        self.peers.last_mut().expect("somebody was accepted")
    }

    /// Sends a packet from a client to a peer and back.
    pub(crate) fn echo(&mut self, client: &mut PacketPeerDtls, peer: usize, packet: &[u8]) {
        client.put_packet(packet).unwrap();
        wait_for("the packet at the server", || {
            self.poll();
            self.peers[peer].get_available_packet_count() > 0
        });
        let arrived = self.peers[peer].get_packet().unwrap().to_vec();
        assert_eq!(arrived, packet);
        self.peers[peer].put_packet(&arrived).unwrap();
        wait_for("the packet at the client", || {
            client.poll();
            client.get_available_packet_count() > 0
        });
        assert_eq!(client.get_packet().unwrap(), packet);
    }
}

/// A man in the middle: clients connect to its port.
pub(crate) struct Relay {
    front: UdpSocket,
    back: UdpSocket,
    client: Option<SocketAddr>,
}

impl Relay {
    pub(crate) fn to(port: u16) -> Self {
        let [front, back] = [(); 2].map(|()| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        });
        back.connect(("127.0.0.1", port)).unwrap();
        Self { front, back, client: None }
    }

    pub(crate) fn port(&self) -> u16 {
        self.front.local_addr().unwrap().port()
    }

    /// Everything that arrived from the client since.
    pub(crate) fn sent_by_client(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 65_536];
        std::iter::from_fn(|| {
            let (length, from) = self.front.recv_from(&mut buffer).ok()?;
            self.client = Some(from);
            Some(buffer[..length].to_vec())
        })
        .collect()
    }

    /// Everything that arrived from the server since.
    pub(crate) fn sent_by_server(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 65_536];
        std::iter::from_fn(|| self.back.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec()))
            .collect()
    }

    pub(crate) fn give_server(&self, datagram: &[u8]) {
        self.back.send(datagram).unwrap();
    }

    pub(crate) fn give_client(&self, datagram: &[u8]) {
        self.front.send_to(datagram, self.client.expect("the client sent something")).unwrap();
    }

    /// Hands everything on; `before` sees each datagram and may return one that goes ahead of it.
    pub(crate) fn pump(&mut self, mut before: impl FnMut(&[u8]) -> Option<Vec<u8>>) {
        for datagram in self.sent_by_client() {
            before(&datagram).iter().for_each(|forged| self.give_server(forged));
            self.give_server(&datagram);
        }
        for datagram in self.sent_by_server() {
            before(&datagram).iter().for_each(|forged| self.give_client(forged));
            self.give_client(&datagram);
        }
    }
}
