//! Five hundred peers at one `UdpServer` and `DtlsServer::accept`, all on one thread, while strangers with forged addresses
//! knock: everybody connects and is served, strangers leave no trace, and who goes is gone at once.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drystone::{
    ClientConfig, Clock, Connection, DangerouslyAcceptAnyCertificate, Datagram, Gate, PacketPeer,
    PacketPeerDtls, Path, Status, Verdict,
};
use drystone_tests::alloc::measure;
use drystone_tests::identity::{Identity, name, server_config, settings};
use drystone_tests::peers::{Host, nonblocking};
use drystone_tests::random::SplitMix64;

const CLIENTS: usize = 500;

/// Packets that each client sends, and gets back.
const ECHOES: usize = 20;

const HELLOS: usize = 100_000;

/// How many clients, and how many strangers, do something between two polls of the server: what the kernel's buffer
/// holds.
const CLIENTS_PER_POLL: usize = 20;
const STRANGERS_PER_POLL: usize = 125;

/// When to give up, if nobody gets any further.
const PATIENCE: Duration = Duration::from_secs(120);

/// A stranger's first flight, in the two forms that one has without a good cookie.
struct Hellos {
    hellos: Vec<Vec<u8>>,
    random: SplitMix64,
    sent: usize,
    answered: usize,
}

impl Hellos {
    fn new() -> Self {
        let config = ClientConfig::new(settings(), DangerouslyAcceptAnyCertificate).unwrap();
        let config = Arc::new(config);
        let elsewhere = Gate::new(&server_config(settings(), Identity::p256())).unwrap();
        let hellos = (0..16).flat_map(|_| Self::of_one_client(&config, &elsewhere)).collect();
        Self { hellos, random: SplitMix64::new(500), sent: 0, answered: 0 }
    }

    /// Without a cookie, and with one of another server.
    fn of_one_client(config: &Arc<ClientConfig>, elsewhere: &Gate) -> [Vec<u8>; 2] {
        let start = Clock::new().start();
        let mut client = Connection::client(Arc::clone(config), name(), start).unwrap();
        let mut out = [0; 2048];
        let first = client.poll_transmit(start.now, &mut out).unwrap().len;
        let mut reply = [0; Gate::MAX_REPLY];
        let verdict =
            elsewhere.answer(start, b"", &mut Datagram::new(Path::default(), &mut out[..first]), &mut reply);
        let Verdict::Reply(length) = verdict else { panic!("{verdict:?}") };
        let mut question = Datagram::new(Path::default(), &mut reply[..length]);
        assert!(client.receive(start.now, &mut question).is_none());
        let first = out[..first].to_vec();
        let second = client.poll_transmit(start.now, &mut out).unwrap().len;
        [first, out[..second].to_vec()]
    }

    /// So many strangers say hello, each from an address of its own. The server is polled between; each hello was
    /// answered with the question for a cookie, and is forgotten.
    fn knock(&mut self, server: SocketAddr, poll: impl FnOnce()) {
        let strangers: Vec<UdpSocket> = (0..STRANGERS_PER_POLL.min(HELLOS - self.sent))
            .map(|_| {
                let [a, b, c, ..] = self.random.next_u64().to_be_bytes();
                nonblocking(([127, a.max(1), b, c.clamp(1, 254)], 0).into())
            })
            .collect();
        for stranger in &strangers {
            let hello = &self.hellos[self.sent % self.hellos.len()];
            stranger.send_to(hello, server).unwrap();
            self.sent += 1;
        }
        poll();
        self.answered +=
            strangers.iter().filter(|stranger| stranger.recv(&mut [0; Gate::MAX_REPLY]).is_ok()).count();
    }
}

/// A client, and how far it is.
struct Client {
    peer: PacketPeerDtls,
    sent: usize,
    echoed: usize,
}

impl Client {
    /// One frame: sends the next packet when the one before has come back.
    fn poll(&mut self, number: usize) {
        self.peer.poll();
        assert!(!self.peer.get_status().is_error(), "{number}: {:?}", self.peer.error());
        while let Ok(packet) = self.peer.get_packet() {
            assert_eq!(packet, [number.to_be_bytes(), self.echoed.to_be_bytes()].concat());
            self.echoed += 1;
        }
        if self.peer.get_status() == Status::Connected && self.sent == self.echoed && self.sent < ECHOES {
            let packet = [number.to_be_bytes(), self.sent.to_be_bytes()].concat();
            self.peer.put_packet(&packet).unwrap();
            self.sent += 1;
        }
    }
}

/// One frame of the server: accepts, and sends back what comes.
fn serve(host: &mut Host, peers: &mut Vec<PacketPeerDtls>) {
    peers.extend(std::iter::from_fn(|| host.dtls.accept(&mut host.udp)));
    for peer in peers {
        peer.poll();
        assert!(!peer.get_status().is_error(), "{:?}", peer.error());
        while let Ok(packet) = peer.get_packet() {
            let packet = packet.to_vec();
            peer.put_packet(&packet).unwrap();
        }
    }
}

/// All connect and echo, and spoofed hellos meanwhile leave the peer table as it was.
#[test]
fn five_hundred_peers_are_served_while_strangers_knock() {
    let begin = Instant::now();
    let mut host = Host::new();
    // A handshake that is 2 s old would make room for another, and here it is the machine that takes its time.
    host.udp.set_max_half_open(CLIENTS);
    host.udp.set_max_half_open_per_network(CLIENTS);
    host.dtls.set_handshake_deadline(PATIENCE);
    let (server, mut hellos) = (host.address(), Hellos::new());
    let mut peers = Vec::with_capacity(CLIENTS);
    let mut clients: Vec<Client> = Vec::with_capacity(CLIENTS);
    while clients.len() < CLIENTS {
        clients.push(Client { peer: host.visitor(server), sent: 0, echoed: 0 });
        if clients.len().is_multiple_of(CLIENTS_PER_POLL) {
            serve(&mut host, &mut peers);
        }
    }
    let (mut connected_after, mut most) = (None, 0);
    let (mut progress, mut moved) = (0, begin);
    while hellos.sent < HELLOS || clients.iter().any(|client| client.echoed < ECHOES) {
        for (group, some) in clients.chunks_mut(CLIENTS_PER_POLL).enumerate() {
            for (place, client) in some.iter_mut().enumerate() {
                client.poll(group * CLIENTS_PER_POLL + place);
            }
            hellos.knock(server, || serve(&mut host, &mut peers));
            // Nobody is in the table but those who were accepted.
            assert_eq!(host.udp.peer_count(), peers.len());
            most = most.max(peers.len());
        }
        if connected_after.is_none() && clients.iter().all(|client| client.sent > 0) {
            connected_after = Some((begin.elapsed(), hellos.sent));
        }
        let so_far = hellos.sent + clients.iter().map(|client| client.sent + client.echoed).sum::<usize>();
        if so_far > progress {
            (progress, moved) = (so_far, Instant::now());
        }
        assert!(moved.elapsed() < PATIENCE, "nobody gets any further");
    }
    let (after, knocked) = connected_after.unwrap();
    println!(
        "{CLIENTS} peers connected after {:.1} s and {knocked} spoofed hellos; {ECHOES} echoes each and {} hellos after {:.1} s",
        after.as_secs_f64(),
        hellos.sent,
        begin.elapsed().as_secs_f64(),
    );
    // All strangers were heard, and all in vain.
    assert_eq!((hellos.sent, hellos.answered), (HELLOS, HELLOS));
    assert!(knocked > HELLOS / 20 && knocked < HELLOS, "they were to knock before and after: {knocked}");
    assert_eq!((peers.len(), most, host.udp.peer_count()), (CLIENTS, CLIENTS, CLIENTS));
    // There was room for everybody.
    assert_eq!(host.udp.dropped_packet_count(), 0);
    leave(&mut host, peers);
}

/// Dropping a peer frees it at once, from the table and from the heap.
fn leave(host: &mut Host, peers: Vec<PacketPeerDtls>) {
    let mut least = i64::MAX;
    for (left, peer) in (0..peers.len()).rev().zip(peers) {
        let ((), heap) = measure(|| drop(peer));
        assert_eq!(host.udp.peer_count(), left);
        least = least.min(-heap.live_bytes);
    }
    println!("dropping a peer freed at least {least} bytes");
    assert!(least > 500, "{least}");
}

/// Strangers cost no memory either.
#[test]
fn spoofed_hellos_cost_no_memory() {
    let mut host = Host::new();
    let (server, mut hellos) = (host.address(), Hellos::new());
    let (client, peer) = host.connect(server, |_| {});
    let mut asked = 0;
    while asked < 1_000 {
        hellos.knock(server, || {
            let (accepted, heap) = measure(|| host.dtls.accept(&mut host.udp));
            assert!(accepted.is_none());
            assert_eq!(heap.count, 0, "{heap:?}");
        });
        asked = hellos.answered;
    }
    assert_eq!((host.udp.peer_count(), hellos.answered), (1, hellos.sent));
    assert_eq!((client.get_status(), peer.get_status()), (Status::Connected, Status::Connected));
}

/// All that a peer held is free when it is dropped: a hundred that come and go leave the heap as it was.
#[test]
fn peers_that_come_and_go_leave_nothing() {
    let mut host = Host::new();
    let server = host.address();
    let come_and_go = |host: &mut Host| {
        let (mut client, mut peer) = host.connect(server, |_| {});
        client.put_packet(b"hello").unwrap();
        host.udp.poll().unwrap();
        peer.poll();
        assert_eq!(peer.get_packet().unwrap(), b"hello");
        // One is left with the other's goodbye unread.
        drop(client);
        drop(peer);
        // The goodbye is a stranger's now.
        host.udp.poll().unwrap();
        assert_eq!(host.udp.peer_count(), 0);
    };
    (0..3).for_each(|_| come_and_go(&mut host));
    let ((), heap) = measure(|| (0..100).for_each(|_| come_and_go(&mut host)));
    assert_eq!(heap.live_bytes, 0, "{heap:?}");
}
