//! Strangers before a server that speaks DTLS 1.3: no memory but a fixed pool, no asymmetric operation (threats 14, 61,
//! 62), also through sockets.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drystone::{DtlsServer, PacketPeerDtls, Server, Status, UdpServer};
use drystone_handshake::message::{AnyServerHello, ClientExtensions, ClientHello, KeyShareEntry};
use drystone_handshake::{
    CipherSuiteId, Connection, CookieSettings, Credentials, Datagram, FirstKeyShare, Gate, HandshakeType,
    NamedGroup, PartialHellos, Path, ProtocolVersion, ServerConfig, Settings, SignatureScheme, Stranger,
    Verdict,
};
use drystone_tests::alloc::measure;
use drystone_tests::clock::Clock;
use drystone_tests::counting::{counting_credential, counting_provider};
use drystone_tests::identity::{Identity, client_config, name, settings, settings_of, settings_of_both};
use drystone_tests::random::SplitMix64;
use drystone_tests::rogue::{cut, fragment_header, start};

/// When to give up waiting for an answer over loopback.
const PATIENCE: Duration = Duration::from_secs(120);

/// A group with large shares.
const NOT_OURS: NamedGroup = NamedGroup(0x0202);

const SENDER: Stranger<'_> = Stranger { id: b"client", network: b"network" };

fn server_config() -> ServerConfig {
    let credentials = Credentials::single(Identity::p256().credential());
    let mut cookies = CookieSettings::default();
    cookies.secret = Some([1; 32].into());
    ServerConfig::new(settings_of_both(), credentials).unwrap().with_cookies(cookies).unwrap()
}

/// The body of a client's hello with a share of X25519 and perhaps a large one of a group that we do not know.
fn hello(cookie: Option<&[u8]>, large: bool) -> Vec<u8> {
    let key = [9; 1216];
    let small = KeyShareEntry { group: NamedGroup::X25519, key_exchange: &key[..32] };
    let shares = [KeyShareEntry { group: NOT_OURS, key_exchange: &key }, small];
    let mut body = Vec::new();
    ClientHello {
        client_version: ProtocolVersion::DTLS_1_2,
        random: &[7; 32],
        session_id: &[],
        cookie: &[],
        cipher_suites: (&[CipherSuiteId::TLS_AES_128_GCM_SHA256]).into(),
        compression_methods: &[0],
        extensions: ClientExtensions {
            cookie,
            supported_versions: Some((&[ProtocolVersion::DTLS_1_3]).into()),
            supported_groups: Some((&[NamedGroup::X25519, NOT_OURS]).into()),
            key_share: Some(shares[usize::from(!large)..].into()),
            signature_algorithms: Some((&[SignatureScheme::ECDSA_SECP256R1_SHA256]).into()),
            ..ClientExtensions::default()
        },
    }
    .encode(&mut body)
    .unwrap();
    body
}

/// One piece of a hello in its record.
fn piece(message_seq: u16, body: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
    let header = fragment_header(
        HandshakeType::CLIENT_HELLO,
        body.len() as u32,
        message_seq,
        range.start as u32,
        range.len() as u32,
    );
    let length = (header.len() + range.len()) as u16;
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 3][..], &length.to_be_bytes(), &header, &body[range]].concat()
}

fn pieces(message_seq: u16, body: &[u8], size: usize) -> Vec<Vec<u8>> {
    let begins = (0..body.len()).step_by(size);
    begins.map(|begin| piece(message_seq, body, begin..(begin + size).min(body.len()))).collect()
}

/// The cookie of the HelloRetryRequest in this datagram.
fn cookie_of(datagram: &[u8]) -> Vec<u8> {
    let record = &cut(datagram)[0];
    let body = &record.body[12..];
    let Ok(AnyServerHello::Retry(request)) = AnyServerHello::decode(body) else { panic!("no question") };
    request.extensions.cookie.expect("a cookie").to_vec()
}

struct Asked {
    verdict: Verdict,
    reply: [u8; Gate::MAX_REPLY],
    allocations: u64,
}

fn ask(gate: &Gate, from: Stranger<'_>, partial: &mut PartialHellos, datagram: &mut [u8]) -> Asked {
    let start = start(&Clock::new());
    let mut reply = [0; Gate::MAX_REPLY];
    let mut datagram = Datagram::new(Path::default(), datagram);
    let (verdict, heap) = measure(|| gate.answer_or_hold(start, from, &mut datagram, partial, &mut reply));
    Asked { verdict, reply, allocations: heap.count }
}

#[test]
fn threat_61_a_hello_of_1_3_without_a_good_cookie_costs_no_allocation() {
    let gate = Gate::new(&server_config()).unwrap();
    let mut partial = gate.partial_hellos();
    let mut datagrams = Vec::new();
    for large in [false, true] {
        for cookie in [None, Some(&[5; 57][..])] {
            let body = hello(cookie, large);
            datagrams.push(piece(0, &body, 0..body.len()));
            datagrams.extend(pieces(0, &body, 200));
        }
    }
    let mut replies = 0;
    for datagram in &mut datagrams {
        let asked = ask(&gate, SENDER, &mut partial, datagram);
        assert_eq!(asked.allocations, 0, "{:?}", asked.verdict);
        replies += usize::from(matches!(asked.verdict, Verdict::Reply(_) | Verdict::Refuse { .. }));
    }
    // Four wholes; one in pieces without a cookie; two refused at their first piece. Each alert frees nothing.
    assert!(replies >= 7, "{replies}");
}

#[test]
fn threat_61_no_datagram_makes_the_gate_of_1_3_allocate_or_panic() {
    let gate = Gate::new(&server_config()).unwrap();
    let mut partial = gate.partial_hellos();
    let mut random = SplitMix64::new(1361);
    let good: Vec<_> = [hello(None, true), hello(Some(&[5; 57]), true), hello(None, false)]
        .iter()
        .flat_map(|body| {
            let mut all = pieces(0, body, 400);
            all.push(piece(0, body, 0..body.len()));
            all
        })
        .collect();
    for round in 0..200_000_u32 {
        let mut datagram = good[random.below(good.len() as u64) as usize].clone();
        for _ in 0..random.below(4) {
            let place = random.below(datagram.len() as u64) as usize;
            datagram[place] = random.next_u64() as u8;
        }
        if random.below(4) == 0 {
            datagram.truncate(1 + random.below(datagram.len() as u64) as usize);
        }
        let id = [random.next_u64() as u8];
        let from = Stranger { id: &id, network: &id };
        let asked = ask(&gate, from, &mut partial, &mut datagram);
        assert_eq!(asked.allocations, 0, "round {round}: {:?}", asked.verdict);
        assert!(!matches!(asked.verdict, Verdict::Accept(_)), "no cookie was right");
    }
}

#[test]
fn threat_62_the_gate_of_1_3_does_no_asymmetric_operation() {
    let (provider, groups) = counting_provider();
    let (credential, signatures) = counting_credential(Identity::p256());
    let mut settings = settings_of_both();
    settings.provider = provider;
    let config = ServerConfig::new(settings, Credentials::single(credential)).unwrap();
    let gate = Gate::new(&config).unwrap();
    let mut partial = gate.partial_hellos();
    let mut cookie = Vec::new();
    for mut datagram in pieces(0, &hello(None, true), 700) {
        let asked = ask(&gate, SENDER, &mut partial, &mut datagram);
        if let Verdict::Reply(length) = asked.verdict {
            cookie = cookie_of(&asked.reply[..length]);
        }
    }
    // Also the good one costs nothing yet: the association will.
    let body = hello(Some(&cookie), true);
    let asked = ask(&gate, SENDER, &mut partial, &mut piece(1, &body, 0..300));
    assert!(matches!(asked.verdict, Verdict::Accept(_)), "{:?}", asked.verdict);
    assert_eq!((groups.get(), signatures.get()), (0, 0));
}

#[test]
fn the_pool_is_one_fixed_piece_of_memory() {
    let gate = Gate::new(&server_config()).unwrap();
    let (partial, heap) = measure(|| gate.partial_hellos());
    assert!(heap.live_bytes <= 256 * 1024, "{heap:?}");
    let ((), heap) = measure(|| drop(partial));
    assert!(heap.live_bytes < 0);
    let credentials = Credentials::single(Identity::p256().credential());
    let gate = Gate::new(&ServerConfig::new(settings(), credentials).unwrap()).unwrap();
    let (_, heap) = measure(|| gate.partial_hellos());
    assert_eq!(heap.count, 0, "a server of 1.2 alone has none");
}

fn client_of(address: std::net::SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    socket
}

/// Sends a hello in pieces; what the server answers, which is polled meanwhile.
fn converse(socket: &UdpSocket, pieces: &[Vec<u8>], mut poll: impl FnMut()) -> Vec<u8> {
    let begun = Instant::now();
    let mut buffer = [0; 2048];
    while begun.elapsed() < PATIENCE {
        for piece in pieces {
            socket.send(piece).unwrap();
            poll();
        }
        if let Ok(length) = socket.recv(&mut buffer) {
            return buffer[..length].to_vec();
        }
    }
    panic!("no answer")
}

#[test]
fn threat_14_a_server_asks_for_a_cookie_by_a_hello_in_pieces() {
    let mut server = Server::bind("127.0.0.1:0".parse().unwrap(), Arc::new(server_config())).unwrap();
    let socket = client_of(server.local_addr().unwrap());
    let pieces = pieces(0, &hello(None, true), 600);
    let answer = converse(&socket, &pieces, || drop(server.poll(Duration::ZERO).unwrap()));
    assert!(!cookie_of(&answer).is_empty());
    assert_eq!(server.stats().accepted, 0);
    let second = piece(1, &hello(Some(&cookie_of(&answer)), true), 0..600);
    socket.send(&second).unwrap();
    let begun = Instant::now();
    while server.stats().accepted == 0 && begun.elapsed() < PATIENCE {
        drop(server.poll(Duration::from_millis(5)).unwrap());
    }
    assert_eq!(server.stats().accepted, 1, "the first piece has the cookie");
}

/// A door of a `DtlsServer`: the next client that it lets in.
type Door = fn(&mut UdpServer, &mut DtlsServer) -> Option<PacketPeerDtls>;

const DOORS: [(&str, Door); 2] = [("accept", |udp, dtls| dtls.accept(udp)), ("take_connection", take)];

/// Godot's own way, where the first datagram of an address makes a peer before the gate has seen it.
fn take(udp: &mut UdpServer, dtls: &mut DtlsServer) -> Option<PacketPeerDtls> {
    udp.poll().unwrap();
    Some(dtls.take_connection(udp.take_connection()?)).filter(|peer| peer.get_status().is_active())
}

/// A server of packet peers, and the socket of a client.
fn two_servers() -> (UdpServer, DtlsServer, UdpSocket) {
    let (mut udp, mut dtls) = (UdpServer::new(), DtlsServer::new());
    udp.listen(0, "127.0.0.1").unwrap();
    dtls.setup_with(Arc::new(server_config())).unwrap();
    let socket = client_of(([127, 0, 0, 1], udp.get_local_port()).into());
    (udp, dtls, socket)
}

#[test]
fn threat_14_both_doors_of_a_dtls_server_ask_by_a_hello_in_pieces() {
    for (name, door) in DOORS {
        let (mut udp, mut dtls, socket) = two_servers();
        let mut peers: Vec<PacketPeerDtls> = Vec::new();
        let pieces = pieces(0, &hello(None, true), 600);
        let answer = converse(&socket, &pieces, || peers.extend(door(&mut udp, &mut dtls)));
        assert!(peers.is_empty(), "{name}");
        socket.send(&piece(1, &hello(Some(&cookie_of(&answer)), true), 0..600)).unwrap();
        let begun = Instant::now();
        while peers.is_empty() && begun.elapsed() < PATIENCE {
            peers.extend(door(&mut udp, &mut dtls));
        }
        assert_eq!(peers[0].get_status(), Status::Handshaking, "{name}");
    }
}

/// Cuts the first fragment of a hello before its cookie ends, wherever either version has it: the gate learns of the
/// cookie only from the whole, as with clients that put it behind large key shares.
fn cut_before_cookie(datagram: &[u8]) -> Vec<Vec<u8>> {
    const HEADERS: usize = 13 + 12;
    const CUT: usize = 50;
    let begins_hello = datagram[0] == 22 && datagram[13] == 1 && datagram[19..22] == [0; 3];
    if !begins_hello || datagram.len() <= HEADERS + CUT {
        return vec![datagram.to_vec()];
    }
    let part = |offset: usize, payload: &[u8]| {
        let mut part = [&datagram[..HEADERS], payload].concat();
        part[11..13].copy_from_slice(&(payload.len() as u16 + 12).to_be_bytes());
        part[19..22].copy_from_slice(&(offset as u32).to_be_bytes()[1..]);
        part[22..25].copy_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
        part
    };
    let (first, rest) = datagram[HEADERS..].split_at(CUT);
    vec![part(0, first), part(CUT, rest)]
}

fn receive(connection: &mut Connection, now: drystone_handshake::Instant, bytes: &mut [u8]) {
    let mut datagram = Datagram::new(Path::default(), bytes);
    while connection.receive(now, &mut datagram).is_some() {}
}

fn client_connection(settings: Settings, start: drystone_handshake::Start) -> Connection {
    Connection::client(client_config(settings, Identity::p256()), name(), start).unwrap()
}

/// Lets a client meet a server behind this gate, without loss and without time; how many pieces were held.
fn meet(
    gate: &Gate,
    partial: &mut PartialHellos,
    start: drystone_handshake::Start,
    settings: Settings,
    cut: fn(&[u8]) -> Vec<Vec<u8>>,
) -> usize {
    let config = Arc::new(server_config());
    let mut client = client_connection(settings, start);
    let mut server: Option<Connection> = None;
    let (mut out, mut reply, mut held) = ([0; 2048], [0; Gate::MAX_REPLY], 0);
    for _ in 0..10 {
        while let Some(transmit) = client.poll_transmit(start.now, &mut out) {
            for mut bytes in cut(&out[..transmit.len]) {
                let mut datagram = Datagram::new(Path::default(), &mut bytes);
                if server.is_none() {
                    match gate.answer_or_hold(start, SENDER, &mut datagram, partial, &mut reply) {
                        Verdict::Hold => held += 1,
                        Verdict::Reply(length) => receive(&mut client, start.now, &mut reply[..length]),
                        Verdict::Accept(greeting) => {
                            let begun = Connection::server(Arc::clone(&config), greeting, start);
                            server = Some(begun.unwrap());
                        }
                        verdict => panic!("{verdict:?}"),
                    }
                }
                if let Some(server) = &mut server {
                    assert!(server.receive(start.now, &mut datagram).is_none());
                }
            }
        }
        while let Some(transmit) =
            server.as_mut().and_then(|server| server.poll_transmit(start.now, &mut out))
        {
            receive(&mut client, start.now, &mut out[..transmit.len]);
        }
    }
    let server = server.expect("let in");
    assert!(client.is_connected(), "{:?}", client.error());
    assert!(server.is_connected(), "{:?}", server.error());
    held
}

#[test]
fn threat_14_hellos_whose_cookie_comes_late_connect_in_both_versions() {
    for settings in
        [settings_of(ProtocolVersion::DTLS_1_2), settings_of(ProtocolVersion::DTLS_1_3), settings_of_both()]
    {
        let gate = Gate::new(&server_config()).unwrap();
        let mut partial = gate.partial_hellos();
        let held = meet(&gate, &mut partial, start(&Clock::new()), settings, cut_before_cookie);
        assert!(held >= 2, "both hellos came in pieces");
    }
}

/// During the flood clients whose hello fits a datagram connect, and as soon as it has stopped one whose hello is larger.
#[test]
fn threat_61_a_million_first_fragments_from_everywhere() {
    let gate = Gate::new(&server_config()).unwrap();
    let mut partial = gate.partial_hellos();
    let mut clock = Clock::new();
    let mut first = pieces(0, &hello(None, true), 1100).swap_remove(0);
    let mut reply = [0; Gate::MAX_REPLY];
    let whole = |datagram: &[u8]| vec![datagram.to_vec()];
    for number in 0..1_000_000_u32 {
        let address = number.wrapping_mul(0x9e37_79b9).to_be_bytes();
        let from = Stranger { id: &address, network: &address[..3] };
        let now = start(&clock);
        let mut datagram = Datagram::new(Path::default(), &mut first);
        let verdict = gate.answer_or_hold(now, from, &mut datagram, &mut partial, &mut reply);
        assert!(matches!(verdict, Verdict::Hold), "{verdict:?}");
        if number % 100 == 0 {
            clock.advance(Duration::from_millis(1));
        }
        if number % 50_000 == 0 {
            meet(&gate, &mut partial, now, settings_of(ProtocolVersion::DTLS_1_2), whole);
            meet(&gate, &mut partial, now, settings_of_both(), whole);
        }
    }
    let mut large = settings_of_both();
    large.first_key_share = FirstKeyShare::Preferred;
    let held = meet(&gate, &mut partial, start(&clock), large, whole);
    assert!(held >= 1, "its first hello came in pieces");
}

/// A client over a socket whose hellos are cut, until it is connected; the server is polled meanwhile.
fn connect_cut(socket: &UdpSocket, mut poll: impl FnMut()) {
    let clock = drystone::Clock::new();
    let mut client = client_connection(settings_of(ProtocolVersion::DTLS_1_3), clock.start());
    let (begun, mut buffer) = (Instant::now(), [0; 2048]);
    while !client.is_connected() && begun.elapsed() < PATIENCE {
        while let Some(transmit) = client.poll_transmit(clock.now(), &mut buffer) {
            for part in cut_before_cookie(&buffer[..transmit.len]) {
                socket.send(&part).unwrap();
                poll();
            }
        }
        poll();
        if let Ok(length) = socket.recv(&mut buffer) {
            receive(&mut client, clock.now(), &mut buffer[..length]);
        }
        if client.poll_timeout().is_some_and(|at| at <= clock.now()) {
            client.handle_timeout(clock.now());
        }
    }
    assert!(client.is_connected(), "{:?}", client.error());
}

#[test]
fn threat_14_a_server_lets_in_by_a_cookie_that_comes_late() {
    let mut server = Server::bind("127.0.0.1:0".parse().unwrap(), Arc::new(server_config())).unwrap();
    let socket = client_of(server.local_addr().unwrap());
    connect_cut(&socket, || drop(server.poll(Duration::ZERO).unwrap()));
    assert_eq!(server.stats().accepted, 1);
}

#[test]
fn threat_14_a_dtls_server_lets_in_by_a_cookie_that_comes_late() {
    for (name, door) in DOORS {
        let (mut udp, mut dtls, socket) = two_servers();
        let mut peers: Vec<PacketPeerDtls> = Vec::new();
        connect_cut(&socket, || {
            peers.extend(door(&mut udp, &mut dtls));
            peers.iter_mut().for_each(PacketPeerDtls::poll);
        });
        assert_eq!(peers.len(), 1, "{name}");
    }
}
