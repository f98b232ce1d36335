//! A million hostile datagrams, a quarter each random, damaged, renumbered and replayed, against a live association and
//! against a server: through `Connection` and `Gate`, and through sockets. Nothing panics, no memory stays, nothing is
//! answered that need not be, and every genuine packet arrives. The seed is printed; `HOSTILITY_SEED` sets another.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env;
use std::net::UdpSocket;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant as Watch};

use drystone::{Connection, Datagram, Gate, PacketPeer, PacketPeerDtls, Path, Start, Status, Verdict};
use drystone_handshake::{ClientConfig, Discard, Event, Instant, PartialHelloSettings, ServerConfig, Stats};
use drystone_tests::alloc::{Allocations, measure};
use drystone_tests::clock::Clock;
use drystone_tests::hostile::{Class, Hostile, LONGEST};
use drystone_tests::identity::{Identity, client_config, name, server_config, settings};
use drystone_tests::link::{Direction, Fate};
use drystone_tests::pair::{Pair, perfect_link};
use drystone_tests::peers::{Host, Relay, nonblocking};

/// How many hostile datagrams each test sends.
const HOSTILE: usize = 1_000_000;

/// How many genuine packets arrive meanwhile.
const GENUINE: usize = 1_000;

/// Hostile datagrams before the memory is looked at: buffers have their size then.
const WARM_UP: usize = 20_000;

fn seed() -> u64 {
    let seed = env::var("HOSTILITY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0xd75_7043);
    println!("HOSTILITY_SEED={seed}");
    seed
}

/// How often each class of datagrams was dropped for which reason.
#[derive(Default)]
struct Tally(BTreeMap<Class, Reasons>);

#[derive(Default)]
struct Reasons {
    sent: u64,
    answered: u64,
    dropped: BTreeMap<Discard, u64>,
}

impl Tally {
    /// Room for everything, so that counting does not move the heap.
    fn new() -> Self {
        let dropped = || Discard::ALL.iter().map(|reason| (*reason, 0)).collect();
        let reasons = || Reasons { dropped: dropped(), ..Reasons::default() };
        Self(Class::ALL.into_iter().map(|class| (class, reasons())).collect())
    }

    fn of(&mut self, class: Class) -> &mut Reasons {
        self.0.get_mut(&class).unwrap()
    }

    /// Adds what was counted between two looks.
    fn add(&mut self, class: Class, sent: u64, before: &Stats, after: &Stats) {
        let reasons = self.of(class);
        reasons.sent += sent;
        for ((reason, before), (_, after)) in before.iter().zip(after.iter()) {
            *reasons.dropped.get_mut(&reason).unwrap() += u64::from(after - before);
        }
    }

    fn sent(&self) -> u64 {
        self.0.values().map(|reasons| reasons.sent).sum()
    }

    /// That a class reached the code it aims at, at least this often.
    fn expect(&self, class: Class, reasons: &[Discard], at_least: u64) {
        for reason in reasons {
            let count = self.0[&class].dropped[reason];
            assert!(count >= at_least, "{class:?} gave {reason:?} only {count} times");
        }
    }

    fn print(&self, what: &str) {
        for (class, reasons) in &self.0 {
            let dropped: BTreeMap<_, _> = reasons.dropped.iter().filter(|(_, count)| **count > 0).collect();
            println!("{what}, {class:?}: {} sent, {} answered, {dropped:?}", reasons.sent, reasons.answered);
        }
    }
}

/// What reaches an association: whatever its keys do not fit, whatever was there before, whatever is not encrypted.
/// `renumbered` is what becomes of a genuine record with another number.
fn expect_association(tally: &Tally, renumbered: &[Discard]) {
    let at_least = tally.sent() / 1_000;
    tally.expect(Class::Random, &[Discard::UnknownRecordType, Discard::Truncated], at_least / 10);
    tally.expect(Class::Mutated, &[Discard::AuthenticationFailed, Discard::PlaintextAfterKeys], at_least);
    tally.expect(
        Class::Mutated,
        &[Discard::Truncated, Discard::UnexpectedContentType, Discard::MalformedFragment],
        at_least,
    );
    tally.expect(Class::Renumbered, renumbered, at_least);
    tally.expect(Class::Replayed, &[Discard::Replayed, Discard::TooOld], at_least / 2);
}

fn report(what: &str, begin: Watch, heap: Allocations) {
    println!("{what}: {:.1} s, {heap:?}", begin.elapsed().as_secs_f64());
    // Through sockets time is the machine's: a slow one comes to the end of the time in which a last flight is kept.
    assert!(heap.live_bytes <= 0, "memory stays");
}

// ---- without sockets ----

/// Client and server of a live association, a gate before further clients, and simulated time.
struct House {
    clock: Clock,
    client: Connection,
    server: Connection,
    gate: Gate,
    client_config: Arc<ClientConfig>,
    server_config: Arc<ServerConfig>,
    /// Somebody who writes to the client, and somebody who writes to the server.
    to_client: Hostile,
    to_server: Hostile,
    datagram: Vec<u8>,
    out: Vec<u8>,
    association: Tally,
    strangers: Tally,
    genuine: usize,
    /// Whether newcomers connect meanwhile, and how many did.
    welcoming: bool,
    newcomers: usize,
    newcomer: Option<Newcomer>,
}

/// Another client on its way in.
struct Newcomer {
    client: Connection,
    server: Option<Connection>,
}

impl House {
    fn new(seed: u64) -> Self {
        let identity = Identity::p256();
        let configs = (client_config(settings(), identity), server_config(settings(), identity));
        let mut pair = Pair::new(Arc::clone(&configs.0), Arc::clone(&configs.1), name(), perfect_link());
        let flights = Rc::new(RefCell::new([Vec::new(), Vec::new()]));
        let passing = Rc::clone(&flights);
        pair.link.add_hook(move |datagram| {
            passing.borrow_mut()[usize::from(datagram.direction == Direction::ToServer)]
                .push(datagram.bytes.clone());
            Fate::Pass
        });
        assert!(pair.connect());
        let [to_client, to_server] = flights.take();
        Self {
            clock: pair.clock,
            client: pair.client.connection.take().unwrap(),
            server: pair.server.connection.take().unwrap(),
            gate: Gate::new(&configs.1).unwrap(),
            client_config: configs.0,
            server_config: configs.1,
            to_client: Hostile::new(seed, to_client),
            to_server: Hostile::new(seed + 1, to_server),
            datagram: Vec::with_capacity(2 * LONGEST),
            out: vec![0; 2 * LONGEST],
            association: Tally::new(),
            strangers: Tally::new(),
            genuine: 0,
            welcoming: false,
            newcomers: 0,
            newcomer: None,
        }
    }

    fn start(&self) -> Start {
        Start { now: Instant::from_origin(self.clock.now()), unix: Some(self.clock.unix()) }
    }

    /// Hostile datagrams by class in turns: a quarter to the client, a quarter to its peer at the server, and half from
    /// strangers to the gate. Meanwhile genuine packets go both ways, and newcomers connect.
    fn endure(&mut self, count: usize) {
        for number in 0..count {
            self.clock.advance(Duration::from_micros(10));
            let class = Class::ALL[number % 4];
            match number / 4 % 4 {
                0 => self.attack_association(class, Direction::ToClient),
                1 => self.attack_association(class, Direction::ToServer),
                _ => self.attack_gate(class),
            }
            if number % (HOSTILE / GENUINE) == 0 {
                let to_server = self.genuine.is_multiple_of(2);
                self.exchange(if to_server { Direction::ToServer } else { Direction::ToClient });
            }
            if self.welcoming && number % 100 == 0 {
                self.welcome();
            }
        }
    }

    fn attack_association(&mut self, class: Class, direction: Direction) {
        let now = self.start().now;
        let (hostile, connection) = match direction {
            Direction::ToClient => (&mut self.to_client, &mut self.client),
            Direction::ToServer => (&mut self.to_server, &mut self.server),
        };
        hostile.make(class, &mut self.datagram);
        let before = connection.stats().clone();
        let mut datagram = Datagram::new(Path::default(), &mut self.datagram);
        assert!(connection.receive(now, &mut datagram).is_none(), "{class:?} was taken for application data");
        // Each datagram got as far as a counter, moved nothing else, and was not answered.
        assert!(connection.stats().total() > before.total(), "{class:?} was not counted");
        assert!(connection.poll_event().is_none() && connection.is_connected());
        assert!(connection.poll_transmit(now, &mut self.out).is_none());
        self.association.add(class, 1, &before, connection.stats());
    }

    fn attack_gate(&mut self, class: Class) {
        self.to_server.make(class, &mut self.datagram);
        let (start, length) = (self.start(), self.datagram.len());
        let mut datagram = Datagram::new(Path::default(), &mut self.datagram);
        let reasons = self.strangers.of(class);
        reasons.sent += 1;
        match self.gate.answer(start, b"a stranger", &mut datagram, &mut self.out) {
            Verdict::Drop(reason) => *reasons.dropped.get_mut(&reason).unwrap() += 1,
            Verdict::Reply(reply) | Verdict::Refuse { length: reply, .. } => {
                assert!(reply <= length, "amplified");
                reasons.answered += 1;
            }
            Verdict::Hold => panic!("{class:?} was held"),
            Verdict::Accept(_) => panic!("{class:?} was taken for a client"),
        }
    }

    /// One genuine packet, which must arrive.
    fn exchange(&mut self, direction: Direction) {
        let now = self.start().now;
        let (hostile, from, to) = match direction {
            Direction::ToServer => (&mut self.to_server, &mut self.client, &mut self.server),
            Direction::ToClient => (&mut self.to_client, &mut self.server, &mut self.client),
        };
        let packet = self.genuine.to_be_bytes();
        let length = from.send(&packet, &mut self.out).unwrap();
        self.datagram.clear();
        self.datagram.extend_from_slice(&self.out[..length]);
        let mut datagram = Datagram::new(Path::default(), &mut self.datagram);
        assert_eq!(to.receive(now, &mut datagram).expect("a genuine packet is lost").payload, packet);
        hostile.saw(&self.out[..length]);
        self.genuine += 1;
    }

    /// One flight each way of the newcomer's handshake; the next one comes when this one has talked and left.
    fn welcome(&mut self) {
        let start = self.start();
        let newcomer = self.newcomer.get_or_insert_with(|| {
            let client = Connection::client(Arc::clone(&self.client_config), name(), start).unwrap();
            Newcomer { client, server: None }
        });
        newcomer.travel(start, &self.gate, &self.server_config);
        if newcomer.talks(start.now) {
            self.newcomers += 1;
            self.newcomer = None;
        }
    }
}

impl Newcomer {
    fn travel(&mut self, start: Start, gate: &Gate, config: &Arc<ServerConfig>) {
        let (mut out, mut reply) = ([0; LONGEST], [0; Gate::MAX_REPLY]);
        while let Some(transmit) = self.client.poll_transmit(start.now, &mut out) {
            let mut datagram = Datagram::new(Path::default(), &mut out[..transmit.len]);
            if self.server.is_none() {
                match gate.answer(start, b"a newcomer", &mut datagram, &mut reply) {
                    Verdict::Reply(length) => receive(&mut self.client, start.now, &mut reply[..length]),
                    Verdict::Accept(greeting) => {
                        let server = Connection::server(Arc::clone(config), greeting, start);
                        self.server = Some(server.unwrap());
                    }
                    verdict => panic!("{verdict:?}"),
                }
            }
            if let Some(server) = &mut self.server {
                assert!(server.receive(start.now, &mut datagram).is_none());
            }
        }
        if let Some(server) = &mut self.server {
            while let Some(transmit) = server.poll_transmit(start.now, &mut out) {
                receive(&mut self.client, start.now, &mut out[..transmit.len]);
            }
        }
    }

    /// Whether both are connected, and a packet arrives.
    fn talks(&mut self, now: Instant) -> bool {
        let Some(server) = self.server.as_mut().filter(|server| server.is_connected()) else { return false };
        assert!(matches!(server.poll_event(), Some(Event::Connected(_))));
        let mut out = [0; 64];
        let length = self.client.send(b"hello", &mut out).unwrap();
        let mut datagram = Datagram::new(Path::default(), &mut out[..length]);
        assert_eq!(server.receive(now, &mut datagram).unwrap().payload, b"hello");
        true
    }
}

fn receive(connection: &mut Connection, now: Instant, bytes: &mut [u8]) {
    assert!(connection.receive(now, &mut Datagram::new(Path::default(), bytes)).is_none());
}

/// A million hostile datagrams through `Connection` and `Gate`.
#[test]
fn an_association_and_a_gate_endure_a_million_hostile_datagrams() {
    let begin = Watch::now();
    let mut house = House::new(seed());
    house.endure(WARM_UP);
    (house.association, house.strangers, house.genuine) = (Tally::new(), Tally::new(), 0);
    let ((), heap) = measure(|| house.endure(HOSTILE));
    house.association.print("association");
    house.strangers.print("gate");
    report("through Connection", begin, heap);
    assert_eq!(heap.count, 0, "hostile datagrams cost memory");
    assert_eq!(house.association.sent() + house.strangers.sent(), HOSTILE as u64);
    assert_eq!(house.genuine, GENUINE);
    // The number of a record of DTLS 1.2 is looked at before it is opened.
    let renumbered =
        [Discard::AuthenticationFailed, Discard::FutureEpoch, Discard::Replayed, Discard::TooOld];
    expect_association(&house.association, &renumbered);
    let (strangers, at_least) = (&house.strangers, HOSTILE as u64 / 10_000);
    for class in Class::ALL {
        strangers.expect(class, &[Discard::NotBeforeCookie], at_least);
    }
    strangers.expect(Class::Mutated, &[Discard::MalformedHello], at_least);
    for class in [Class::Mutated, Class::Replayed] {
        assert!(strangers.0[&class].answered >= at_least, "{class:?} reached no cookie");
    }
}

/// The server stays open for others.
#[test]
fn newcomers_connect_amid_hostile_datagrams() {
    let mut house = House::new(seed() + 2);
    house.endure(WARM_UP);
    house.welcoming = true;
    let ((), heap) = measure(|| {
        house.endure(HOSTILE / 20);
        house.newcomer = None;
    });
    println!("{} newcomers connected, {heap:?}", house.newcomers);
    assert!(house.newcomers >= 100, "{}", house.newcomers);
    assert_eq!(heap.live_bytes, 0, "memory stays");
}

// ---- through sockets ----

/// Hostile datagrams between two polls: as many as the kernel's buffers hold.
const BATCH: usize = 40;

/// A `PacketPeerDtls` at a `UdpServer` with `DtlsServer`, and a relay between them that can write to both in the
/// other's name.
struct Site {
    host: Host,
    peer: PacketPeerDtls,
    client: PacketPeerDtls,
    relay: Relay,
    strangers: Vec<UdpSocket>,
    to_client: Hostile,
    to_server: Hostile,
    datagram: Vec<u8>,
    association: Tally,
    /// Datagrams of strangers by class: sent, answered.
    knocks: [[u64; 2]; 4],
    /// Datagrams of strangers that were neither dropped nor answered.
    held: u64,
    genuine: usize,
}

impl Site {
    /// A connected client and its peer.
    fn new(seed: u64) -> Self {
        let mut host = Host::new();
        let mut relay = Relay::new(&host);
        let mut flights = [Vec::new(), Vec::new()];
        let (client, peer) = host.connect(relay.address(), |direction| {
            let flights = &mut flights[usize::from(direction == Direction::ToServer)];
            relay.pass(direction, |datagram| flights.push(datagram.to_vec()));
        });
        let [to_client, to_server] = flights;
        Self {
            host,
            peer,
            client,
            relay,
            strangers: (1..=64).map(|last| nonblocking(([127, 0, 0, last], 0).into())).collect(),
            to_client: Hostile::new(seed, to_client),
            to_server: Hostile::new(seed + 1, to_server),
            datagram: Vec::with_capacity(2 * LONGEST),
            association: Tally::new(),
            knocks: [[0; 2]; 4],
            held: 0,
            genuine: 0,
        }
    }

    /// As for `House`: by class in turns, a quarter to the client, a quarter to its peer, half from strangers.
    fn endure(&mut self, count: usize) {
        for batch in 0..count / BATCH {
            let class = Class::ALL[batch % 4];
            match batch / 4 % 4 {
                0 => self.attack_client(class),
                1 => self.attack_server(class),
                _ => self.knock(class, batch),
            }
            if batch % (HOSTILE / BATCH / GENUINE) == 0 {
                self.exchange();
            }
        }
    }

    /// Lets the queues between the server and its peer, two that change places, grow to what the largest batch needs.
    fn grow_queues(&mut self) {
        for _ in 0..2 {
            for _ in 0..BATCH {
                self.relay.send(Direction::ToServer, &[0; LONGEST]);
            }
            self.poll_server();
        }
    }

    /// In the name of the server.
    fn attack_client(&mut self, class: Class) {
        for _ in 0..BATCH {
            self.to_client.make(class, &mut self.datagram);
            self.relay.send(Direction::ToClient, &self.datagram);
        }
        let before = self.client.connection().unwrap().stats().clone();
        self.client.poll();
        let after = self.client.connection().expect("it lives").stats();
        assert!(after.total() - before.total() >= BATCH as u64, "some never arrived");
        self.association.add(class, BATCH as u64, &before, after);
        assert_eq!(self.relay.pass(Direction::ToServer, |_| ()), 0, "the client answered");
    }

    /// In the name of the client. The server answers hellos with the question for a cookie, which the client gets.
    fn attack_server(&mut self, class: Class) {
        for _ in 0..BATCH {
            self.to_server.make(class, &mut self.datagram);
            self.relay.send(Direction::ToServer, &self.datagram);
        }
        let before = self.peer.connection().unwrap().stats().clone();
        self.poll_server();
        let after = self.peer.connection().expect("it lives").stats().clone();
        let answered = self.relay.pass(Direction::ToClient, |_| ());
        assert!(after.total() - before.total() + answered >= BATCH as u64, "some never arrived");
        self.association.add(class, BATCH as u64, &before, &after);
        self.association.of(class).answered += answered;
        // Questions, and alerts for hellos that nothing can come of.
        let heard = |client: &PacketPeerDtls| {
            let stats = client.connection().unwrap().stats();
            stats.get(Discard::PlaintextAfterKeys) + stats.get(Discard::StaleAlert)
        };
        let before = heard(&self.client);
        self.client.poll();
        assert_eq!(u64::from(heard(&self.client) - before), answered);
    }

    fn knock(&mut self, class: Class, number: usize) {
        let stranger = number % self.strangers.len();
        let before = self.host.udp.dropped_packet_count();
        for _ in 0..BATCH {
            self.to_server.make(class, &mut self.datagram);
            self.strangers[stranger].send_to(&self.datagram, self.host.address()).unwrap();
        }
        self.poll_server();
        let mut answered = 0;
        while self.strangers[stranger].recv(&mut [0; 64]).is_ok() {
            answered += 1;
        }
        // A damaged hello may be a piece of one, and is held then.
        let held = (BATCH as u64).checked_sub(self.host.udp.dropped_packet_count() - before + answered);
        self.held += held.expect("each is dropped, answered or held");
        let knocks = &mut self.knocks[class as usize];
        *knocks = [knocks[0] + BATCH as u64, knocks[1] + answered];
    }

    fn poll_server(&mut self) {
        assert!(self.host.dtls.accept(&mut self.host.udp).is_none(), "somebody was let in");
        self.peer.poll();
        assert_eq!(self.host.udp.peer_count(), 1);
    }

    /// One genuine packet, in turns each way, which must arrive.
    fn exchange(&mut self) {
        let packet = self.genuine.to_be_bytes();
        let arrived = if self.genuine.is_multiple_of(2) {
            self.client.put_packet(&packet).unwrap();
            let hostile = &mut self.to_server;
            self.relay.pass(Direction::ToServer, |datagram| hostile.saw(datagram));
            self.poll_server();
            self.peer.get_packet()
        } else {
            self.peer.put_packet(&packet).unwrap();
            let hostile = &mut self.to_client;
            self.relay.pass(Direction::ToClient, |datagram| hostile.saw(datagram));
            self.client.poll();
            self.client.get_packet()
        };
        assert_eq!(arrived, Ok(&packet[..]), "a genuine packet is lost");
        self.genuine += 1;
    }
}

/// A million hostile datagrams through sockets.
#[test]
fn packet_peers_and_their_server_endure_a_million_hostile_datagrams() {
    let begin = Watch::now();
    let mut site = Site::new(seed() + 1);
    site.endure(WARM_UP);
    site.grow_queues();
    (site.association, site.knocks, site.held, site.genuine) = (Tally::new(), [[0; 2]; 4], 0, 0);
    let ((), heap) = measure(|| site.endure(HOSTILE));
    site.association.print("association");
    println!("strangers by class, [sent, answered]: {:?}, {} held", site.knocks, site.held);
    report("through sockets", begin, heap);
    // A replayed hello with its good cookie costs a copy of the cookie for as long as it is looked at, and one of the
    // whole hello if the pool holds the rest of it.
    let hello = PartialHelloSettings::default().place_bytes as u64;
    assert!(heap.peak_bytes <= 64 + hello && heap.count < HOSTILE as u64 / 500, "{heap:?}");
    let knocks: u64 = site.knocks.iter().map(|[sent, _]| sent).sum();
    assert_eq!(site.association.sent() + knocks, HOSTILE as u64);
    assert!(site.held < knocks / 100, "{} held: most of them never arrived", site.held);
    assert_eq!(site.genuine, GENUINE);
    // That of a record of DTLS 1.3 afterwards (RFC 9147 section 4.5.1).
    expect_association(&site.association, &[Discard::AuthenticationFailed, Discard::UnknownEpoch]);
    for class in [Class::Mutated, Class::Replayed] {
        assert!(site.knocks[class as usize][1] > 100, "{class:?} reached no cookie");
    }
    assert_eq!((site.client.get_status(), site.peer.get_status()), (Status::Connected, Status::Connected));
    assert_eq!((site.client.dropped_packet_count(), site.peer.dropped_packet_count()), (0, 0));
}
