//! Budgets of memory that hold for whole handshakes and for peers over sockets. What a `Connection` costs is in
//! `scenario_observation.rs`, what strangers cost in `threats_strangers.rs`; times are in `benches/`.

use core::time::Duration;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread::sleep;

use drystone::{DtlsServer, PacketPeer, PacketPeerDtls, PacketPeerUdp, Status, UdpServer};
use drystone_handshake::message::registry::NamedGroup;
use drystone_handshake::{
    ClientConfig, Connection, Datagram, Discard, Gate, Path, ServerConfig, Start, Verdict,
};
use drystone_record::{ContentType, RecordNumber};
use drystone_tests::alloc::{Allocations, measure};
use drystone_tests::clock::Clock;
use drystone_tests::identity::{Identity, client_config, name, server_config, settings};
use drystone_tests::rogue::{raw_record, start};

// ---- a whole handshake ----

/// Both ends from creating to dropping them, with the cookie, joined by function calls.
fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>, gate: &Gate, start: Start) {
    let mut client = Connection::client(Arc::clone(client), name(), start).unwrap();
    let mut association: Option<Connection> = None;
    let mut out = [0; 1500];
    for _ in 0..3 {
        while let Some(transmit) = client.poll_transmit(start.now, &mut out) {
            let bytes = &mut out[..transmit.len];
            let association = match &mut association {
                Some(association) => association,
                None => {
                    let mut reply = [0; 64];
                    let mut datagram = Datagram::new(Path::default(), bytes);
                    match gate.answer(start, b"client", &mut datagram, &mut reply) {
                        Verdict::Reply(length) => {
                            receive(&mut client, start, &mut reply[..length]);
                            continue;
                        }
                        Verdict::Accept(greeting) => association
                            .insert(Connection::server(Arc::clone(server), greeting, start).unwrap()),
                        Verdict::Drop(reason) => panic!("{reason}"),
                    }
                }
            };
            receive(association, start, bytes);
        }
        while let Some(transmit) = association.as_mut().unwrap().poll_transmit(start.now, &mut out) {
            receive(&mut client, start, &mut out[..transmit.len]);
        }
    }
    assert!(client.is_connected() && association.unwrap().is_connected());
}

fn receive(connection: &mut Connection, start: Start, bytes: &mut [u8]) {
    let mut datagram = Datagram::new(Path::default(), bytes);
    assert!(connection.receive(start.now, &mut datagram).is_none());
}

#[test]
fn a_handshake_allocates_little() {
    let identity = Identity::p256();
    for group in [NamedGroup::X25519, NamedGroup::SECP256R1] {
        let settings = || {
            let mut settings = settings();
            settings.groups = Some(vec![group]);
            settings
        };
        let (client, server) = (client_config(settings(), identity), server_config(settings(), identity));
        let gate = Gate::new(&server).unwrap();
        let start = start(&Clock::new());
        // What is made once per process.
        handshake(&client, &server, &gate, start);
        let ((), heap) = measure(|| handshake(&client, &server, &gate, start));
        println!("{group}: {} allocations, {} bytes at most", heap.count, heap.peak_bytes);
        assert_eq!(heap.live_bytes, 0);
        assert!(heap.count < MOST_ALLOCATIONS, "{group}: {heap:?}");
    }
}

/// For both ends together.
const MOST_ALLOCATIONS: u64 = 150;

// ---- packets through sockets ----

const PACKETS: u32 = 10_000;
const LARGEST: usize = 1150;

/// Two peers over loopback, and between them somebody who can forge.
struct Sockets {
    client: PacketPeerDtls,
    server: PacketPeerDtls,
    udp: UdpServer,
    relay: Relay,
}

impl Sockets {
    fn connect() -> Self {
        let identity = Identity::p256();
        let mut udp = UdpServer::new();
        udp.listen(0, "127.0.0.1").unwrap();
        let mut dtls = DtlsServer::new();
        dtls.setup_with(server_config(settings(), identity)).unwrap();
        let mut relay = Relay::to(udp.get_local_port());
        let mut socket = PacketPeerUdp::new();
        socket.connect_to_host("127.0.0.1", relay.port()).unwrap();
        let mut client = PacketPeerDtls::new();
        client.connect_with(socket, name(), client_config(settings(), identity)).unwrap();
        let server = loop_until(|| {
            relay.forward();
            client.poll();
            dtls.accept(&mut udp)
        });
        let mut sockets = Self { client, server, udp, relay };
        loop_until(|| {
            sockets.poll();
            let ends = [&sockets.client, &sockets.server];
            (ends.map(PacketPeerDtls::get_status) == [Status::Connected; 2]).then_some(())
        });
        sockets
    }

    fn poll(&mut self) {
        self.relay.forward();
        self.client.poll();
        self.udp.poll().unwrap();
        self.server.poll();
    }

    /// Packets of many sizes, each way. A queue has no memory before its first packet, and grows to twice what waits in
    /// it: so a few of the largest go first.
    fn exchange(&mut self) -> Allocations {
        let packet = [7; LARGEST];
        for _ in 0..3 {
            self.both_ways(&packet);
        }
        let ((), heap) = measure(|| {
            for number in 0..PACKETS {
                self.both_ways(&packet[..1 + (number as usize * 37) % LARGEST]);
            }
        });
        heap
    }

    fn both_ways(&mut self, packet: &[u8]) {
        self.client.put_packet(packet).unwrap();
        self.wait_for(packet, |sockets| &mut sockets.server);
        self.server.put_packet(packet).unwrap();
        self.wait_for(packet, |sockets| &mut sockets.client);
    }

    fn wait_for(&mut self, packet: &[u8], end: fn(&mut Self) -> &mut PacketPeerDtls) {
        for _ in 0..10_000 {
            self.poll();
            if let Ok(received) = end(self).get_packet() {
                assert_eq!(received, packet);
                return;
            }
        }
        panic!("a packet is lost on loopback");
    }
}

fn loop_until<T>(mut step: impl FnMut() -> Option<T>) -> T {
    for _ in 0..5_000 {
        if let Some(done) = step() {
            return done;
        }
        sleep(Duration::from_millis(1));
    }
    panic!("no connection")
}

/// Forwards datagrams between a client and a server.
struct Relay {
    front: UdpSocket,
    back: UdpSocket,
    client: Option<SocketAddr>,
}

impl Relay {
    fn to(port: u16) -> Self {
        let socket = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let (front, back) = (socket(), socket());
        back.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        Self { front, back, client: None }
    }

    fn port(&self) -> u16 {
        self.front.local_addr().unwrap().port()
    }

    fn forward(&mut self) {
        let mut buffer = [0; 2048];
        while let Some((length, from)) = arrived(self.front.recv_from(&mut buffer)) {
            self.client = Some(from);
            self.back.send(&buffer[..length]).unwrap();
        }
        while let Some(length) = arrived(self.back.recv(&mut buffer)) {
            self.front.send_to(&buffer[..length], self.client.unwrap()).unwrap();
        }
    }

    fn forge(&self, sequence: u64) {
        let content_type = [ContentType::APPLICATION_DATA, ContentType::HANDSHAKE][sequence as usize % 2];
        let number = RecordNumber { epoch: 1, sequence: 50_000 + sequence };
        let record = raw_record(content_type, number, &[7; 64]);
        self.back.send(&record).unwrap();
        self.front.send_to(&record, self.client.unwrap()).unwrap();
    }
}

fn arrived<T>(received: std::io::Result<T>) -> Option<T> {
    match received {
        Ok(received) => Some(received),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn packets_through_sockets_allocate_nothing() {
    let mut sockets = Sockets::connect();
    let heap = sockets.exchange();
    assert_eq!(heap, Allocations::default());
}

#[test]
fn after_a_hundred_forgeries_packets_through_sockets_still_allocate_nothing() {
    let mut sockets = Sockets::connect();
    for sequence in 0..100 {
        sockets.relay.forge(sequence);
        let ((), heap) = measure(|| sockets.poll());
        assert_eq!(heap, Allocations::default());
    }
    for end in [&sockets.client, &sockets.server] {
        let forged = end.connection().unwrap().stats().get(Discard::AuthenticationFailed);
        assert_eq!(forged, 100);
    }
    let heap = sockets.exchange();
    assert_eq!(heap, Allocations::default());
}
