//! Client and server over real UDP sockets on loopback.

mod configs;
mod wire;

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use drystone::{
    Answer, Client, ClientConfig, ClientError, ClientEvent, CloseReason, Error, Event, Misuse,
    PeerCertificates, PeerId, PeerVerifier, Request, SendError, Server, ServerEvent, ServerOptions,
};

use configs::{configs, localhost};
use wire::Wire;

const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);
const PATIENCE: Duration = Duration::from_secs(120);

/// What happened at a server, in short.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Connected(u64),
    Packet(u64, Vec<u8>),
    Closed(u64),
    Failed(u64),
    Replaced(u64),
    Vanished(u64, Duration),
    Displaced(u64),
}

/// Polls once, echoes a packet, and says what happened.
fn serve_once(server: &mut Server, wait: Duration) -> Option<(PeerId, Seen)> {
    let (peer, payload) = match server.poll(wait).unwrap()? {
        ServerEvent::Packet(peer, packet) => (peer, packet.payload.to_vec()),
        ServerEvent::Connection(peer, event) => {
            let number = peer.number();
            let seen = match event {
                Event::Connected(_) => Seen::Connected(number),
                Event::Closed(CloseReason::Peer) => Seen::Closed(number),
                Event::Closed(CloseReason::IdleTimeout(timeout)) => Seen::Vanished(number, timeout),
                Event::Closed(CloseReason::Displaced) => Seen::Displaced(number),
                Event::Failed(_) => Seen::Failed(number),
                Event::AssociationReplaced => Seen::Replaced(number),
                other => panic!("unexpected {other:?}"),
            };
            return Some((peer, seen));
        }
        other => panic!("unexpected {other:?}"),
    };
    server.send(peer, &payload).unwrap();
    Some((peer, Seen::Packet(peer.number(), payload)))
}

fn serve_until_idle(server: &mut Server) -> Vec<Seen> {
    std::iter::from_fn(|| serve_once(server, Duration::from_millis(50))).map(|(_, seen)| seen).collect()
}

/// Client and server in turns, until the client is connected.
fn connect(client: &mut Client, server: &mut Server) -> PeerId {
    connect_while(client, server, |seen| panic!("unexpected {seen:?}"))
}

/// The same, where the server also sees this of another peer.
fn connect_after(client: &mut Client, server: &mut Server, expected: Seen) -> PeerId {
    let mut others = Vec::new();
    let peer = connect_while(client, server, |seen| others.push(seen));
    assert_eq!(others, [expected]);
    peer
}

fn connect_while(client: &mut Client, server: &mut Server, mut other: impl FnMut(Seen)) -> PeerId {
    let (mut connected, mut peer) = (false, None);
    let deadline = Instant::now() + PATIENCE;
    while !connected || peer.is_none() {
        assert!(Instant::now() < deadline);
        match serve_once(server, Duration::from_millis(2)) {
            Some((id, Seen::Connected(_))) => peer = Some(id),
            Some((_, seen)) => other(seen),
            None => {}
        }
        match client.poll(Duration::from_millis(2)).unwrap() {
            Some(ClientEvent::Connection(Event::Connected(_))) => connected = true,
            Some(other) => panic!("unexpected {other:?}"),
            None => {}
        }
    }
    peer.unwrap()
}

fn expect_packet(client: &mut Client, payload: &[u8]) {
    match client.poll(PATIENCE).unwrap() {
        Some(ClientEvent::Packet(packet)) => assert_eq!(packet.payload, payload),
        other => panic!("unexpected {other:?}"),
    }
}

/// Packets of one length travel together, and each arrives as its own: of other lengths, and longer than a datagram of the MTU, too.
#[test]
fn many_packets_are_sent_at_once() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let mut client = Client::new(server.local_addr().unwrap(), localhost(), client_config).unwrap();
    assert!(matches!(client.send_many([&[1][..]]), Err(SendError::Misuse(Misuse::NotConnected))));
    let peer = connect(&mut client, &mut server);
    let lengths = [[1_000; 20].as_slice(), &[999, 0, 1, 1_100, 3_000, 1_000, 1_000, 17]].concat();
    let packets: Vec<Vec<u8>> = (0..).zip(lengths).map(|(number, length)| vec![number; length]).collect();
    let slices = || packets.iter().map(Vec::as_slice);
    assert_eq!(client.send_many(slices()).unwrap(), packets.len());
    for packet in &packets {
        match server.poll(PATIENCE).unwrap() {
            Some(ServerEvent::Packet(from, received)) => {
                assert_eq!((from, &*received.payload), (peer, &packet[..]));
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(server.send_many(peer, slices()).unwrap(), packets.len());
    packets.iter().for_each(|packet| expect_packet(&mut client, packet));

    // What cannot be sent stops those behind it, and nobody before it.
    let too_long = vec![0; 20_000];
    let mixed = [&[1; 500][..], &[2; 500], &too_long, &[3; 500]];
    assert_eq!(server.send_many(peer, mixed).unwrap(), 2);
    expect_packet(&mut client, &[1; 500]);
    expect_packet(&mut client, &[2; 500]);
    assert!(matches!(
        client.send_many([&too_long[..]]),
        Err(SendError::Misuse(Misuse::PayloadTooLarge { .. }))
    ));
    assert_eq!(client.send_many([]).unwrap(), 0);
    client.close();
    assert_eq!(serve_until_idle(&mut server), [Seen::Closed(peer.number())]);
    assert!(matches!(server.send_many(peer, [&[1][..]]), Err(SendError::NoSuchPeer)));
}

/// Another thread sends, renews keys, closes and stops, while the server waits for nothing else.
#[test]
fn another_thread_tells_a_waiting_server_what_to_do() {
    for listening in ["127.0.0.1:0", "0.0.0.0:0"] {
        let (client_config, server_config) = configs();
        let mut server = Server::bind(listening.parse().unwrap(), server_config).unwrap();
        let port = server.local_addr().unwrap().port();
        let dial = || Client::new(("127.0.0.1", port), localhost(), client_config.clone()).unwrap();
        let (mut client, mut other) = (dial(), dial());
        let peer = connect(&mut client, &mut server);
        let second = connect(&mut other, &mut server);
        let handle = server.handle().unwrap();
        let elsewhere = thread::spawn(move || {
            for number in 0..100 {
                handle.send(peer, &[number]).unwrap();
                expect_packet(&mut client, &[number]);
            }
            handle.update_keys(peer, true).unwrap();
            handle.send(peer, b"renewed").unwrap();
            expect_packet(&mut client, b"renewed");
            handle.close(second).unwrap();
            handle.send(second, b"it is gone").unwrap();
            closed_by_server(&mut other);
            handle.clone().stop().unwrap();
            closed_by_server(&mut client);
            handle
        });
        loop {
            match server.poll(PATIENCE).unwrap() {
                Some(ServerEvent::Stopped) => break,
                Some(_) => {}
                None => panic!("in vain"),
            }
        }
        let handle = elsewhere.join().unwrap();
        assert_eq!(server.peers().count(), 0);
        drop(server);
        assert!(matches!(handle.send(peer, b"late"), Err(SendError::NoSuchPeer)));
    }
}

fn closed_by_server(client: &mut Client) {
    loop {
        match client.poll(PATIENCE).unwrap() {
            Some(ClientEvent::Connection(Event::Closed(CloseReason::Peer))) => return,
            Some(_) => {}
            None => panic!("in vain"),
        }
    }
}

/// A server that does not poll is told so much, and no more.
#[test]
fn what_waits_for_a_server_is_bounded() {
    let mut server = Server::bind(LOOPBACK.into(), configs().1).unwrap();
    let handle = server.handle().unwrap();
    let nobody = {
        let (client_config, server_config) = configs();
        let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
        let mut client = Client::new(server.local_addr().unwrap(), localhost(), client_config).unwrap();
        connect(&mut client, &mut server)
    };
    let full = (0..).find_map(|sent| handle.send(nobody, &[0; 10_000]).err().map(|error| (sent, error)));
    let (sent, error) = full.unwrap();
    assert_eq!(sent, (4 << 20) / 10_000);
    assert!(matches!(error, SendError::Socket(error) if error.kind() == ErrorKind::WouldBlock));
    handle.stop().unwrap();
    assert!(matches!(server.poll(PATIENCE).unwrap(), Some(ServerEvent::Stopped)));
    assert!(server.poll(Duration::ZERO).unwrap().is_none());
    handle.send(nobody, b"there is room again").unwrap();
}

#[test]
fn keys_are_renewed_from_either_side() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let mut client = Client::new(server.local_addr().unwrap(), localhost(), client_config).unwrap();
    assert!(matches!(client.update_keys(true), Err(Misuse::NotConnected)));
    let peer = connect(&mut client, &mut server);

    // Each request renews both directions: the first keys of application data are those of epoch 3.
    client.update_keys(true).unwrap();
    renewed(&mut client, &mut server, 4);
    server.update_keys(peer, true).unwrap();
    renewed(&mut client, &mut server, 5);

    client.close();
    assert_eq!(serve_until_idle(&mut server), [Seen::Closed(peer.number())]);
    assert!(matches!(server.update_keys(peer, true), Err(SendError::NoSuchPeer)));
}

/// Sends until packets leave and arrive in the epoch.
fn renewed(client: &mut Client, server: &mut Server, epoch: u64) {
    let deadline = Instant::now() + PATIENCE;
    let (mut sent_in, mut returned_in) = (0, 0);
    while (sent_in, returned_in) != (epoch, epoch) {
        assert!(Instant::now() < deadline, "sent in {sent_in}, returned in {returned_in}, wanted {epoch}");
        client.send(b"tick").unwrap();
        let echo = match server.poll(Duration::from_millis(20)).unwrap() {
            Some(ServerEvent::Packet(peer, packet)) => {
                sent_in = packet.number.epoch;
                Some(peer)
            }
            Some(other) => panic!("unexpected {other:?}"),
            None => None,
        };
        if let Some(peer) = echo {
            server.send(peer, b"tock").unwrap();
        }
        match client.poll(Duration::from_millis(20)).unwrap() {
            Some(ClientEvent::Packet(packet)) => returned_in = packet.number.epoch,
            Some(other) => panic!("unexpected {other:?}"),
            None => {}
        }
    }
    // What is still under way must not confuse the next look.
    while let Some(event) = client.poll(Duration::from_millis(20)).unwrap() {
        assert!(matches!(event, ClientEvent::Packet(_)), "{event:?}");
    }
}

#[test]
fn several_clients_talk_to_one_server_and_leave() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let address = server.local_addr().unwrap();
    let visitors: Vec<_> = (0..4_u8)
        .map(|visitor| {
            let config = Arc::clone(&client_config);
            thread::spawn(move || {
                let mut client = Client::new(address, localhost(), config).unwrap();
                client.connected(PATIENCE).unwrap();
                let largest = client.connection().max_payload();
                for size in [1, 1000, client.connection().max_unfragmented_payload(), largest] {
                    let payload = vec![visitor; size];
                    client.send(&payload).unwrap();
                    expect_packet(&mut client, &payload);
                }
                let refused = client.send(&vec![0; largest + 1]);
                assert!(matches!(refused, Err(SendError::Misuse(Misuse::PayloadTooLarge { .. }))));
            })
        })
        .collect();
    let (mut connected, mut packets, mut closed) = (0, 0, 0);
    while closed < 4 {
        match serve_once(&mut server, PATIENCE).expect("the clients went silent").1 {
            Seen::Connected(_) => connected += 1,
            Seen::Packet(..) => packets += 1,
            Seen::Closed(_) => closed += 1,
            other => panic!("unexpected {other:?}"),
        }
    }
    for visitor in visitors {
        visitor.join().unwrap();
    }
    assert_eq!((connected, packets, server.peers().count()), (4, 16, 0));
    let stats = server.stats();
    assert!(stats.accepted == 4 && stats.cookies_asked >= 4 && stats.strangers_dropped == 0, "{stats:?}");
}

#[test]
fn either_side_can_say_goodbye() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let mut client = Client::new(server.local_addr().unwrap(), localhost(), client_config).unwrap();
    let peer = connect(&mut client, &mut server);
    assert_eq!(
        server.address(peer),
        Some(client.local_addr().map(|own| ([127, 0, 0, 1], own.port()).into()).unwrap())
    );
    server.close(peer);
    assert!(matches!(server.send(peer, b"late"), Err(SendError::NoSuchPeer)));
    assert!(server.connection(peer).is_none());
    assert!(matches!(
        client.poll(PATIENCE).unwrap(),
        Some(ClientEvent::Connection(Event::Closed(CloseReason::Peer)))
    ));
    assert!(matches!(client.send(b"late"), Err(SendError::Misuse(Misuse::NotConnected))));
    let begin = Instant::now();
    assert!(client.poll(PATIENCE).unwrap().is_none());
    assert!(begin.elapsed() < PATIENCE, "the end is told at once");
}

#[test]
fn dropping_either_says_goodbye() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let address = server.local_addr().unwrap();
    let mut staying = Client::new(address, localhost(), Arc::clone(&client_config)).unwrap();
    connect(&mut staying, &mut server);
    let mut leaving = Client::new(address, localhost(), client_config).unwrap();
    let peer = connect(&mut leaving, &mut server);
    let address = server.address(peer);
    drop(leaving);
    assert_eq!(serve_once(&mut server, PATIENCE), Some((peer, Seen::Closed(peer.number()))));
    assert!(server.connection(peer).is_none());
    assert!(address.is_some() && server.address(peer) == address, "known with its last event");
    assert_eq!(serve_until_idle(&mut server), []);
    assert_eq!(server.address(peer), None);
    drop(server);
    assert!(matches!(
        staying.poll(PATIENCE).unwrap(),
        Some(ClientEvent::Connection(Event::Closed(CloseReason::Peer)))
    ));
}

/// A loop of one's own: the caller's socket, its handle, and how long the server and the client may be left alone.
#[test]
fn a_server_over_the_callers_socket_runs_in_a_loop_of_ones_own() {
    let (client_config, server_config) = configs();
    let socket = UdpSocket::bind(SocketAddr::from(LOOPBACK)).unwrap();
    let address = socket.local_addr().unwrap();
    let mut server = Server::over(socket, server_config, ServerOptions::default()).unwrap();
    assert_eq!((server.local_addr().unwrap(), server.time_to_next_deadline()), (address, None));
    let mut client = Client::new(address, localhost(), client_config).unwrap();
    let first = client.time_to_next_deadline().unwrap();
    assert!(first <= Duration::from_millis(400), "the first retransmission: {first:?}");
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsFd;
        let of = |handle: std::os::fd::BorrowedFd<'_>| {
            SocketAddr::try_from(rustix::net::getsockname(handle).unwrap()).unwrap()
        };
        assert_eq!((of(server.as_fd()), of(client.as_fd())), (address, client.local_addr().unwrap()));
    }
    connect(&mut client, &mut server);
    client.send(b"own loop").unwrap();
    assert!(serve_once(&mut server, PATIENCE).is_some());
    expect_packet(&mut client, b"own loop");
    let idle = [server.time_to_next_deadline(), client.time_to_next_deadline()];
    assert!(idle.iter().all(Option::is_some), "the idle time-out at least");
}

#[test]
fn waiting_is_bounded() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    for wait in [Duration::ZERO, Duration::from_millis(60)] {
        let begin = Instant::now();
        assert!(server.poll(wait).unwrap().is_none());
        assert!(begin.elapsed() >= wait);
    }
    let silent = UdpSocket::bind(SocketAddr::from(LOOPBACK)).unwrap();
    let mut client = Client::new(silent.local_addr().unwrap(), localhost(), client_config).unwrap();
    let begin = Instant::now();
    let outcome = client.connected(Duration::from_millis(100));
    assert!(matches!(outcome, Err(ClientError::Handshake(Error::HandshakeTimeout))));
    assert!(begin.elapsed() >= Duration::from_millis(100));
}

#[test]
#[cfg(target_os = "linux")]
fn a_refusal_shows_and_leads_to_the_next_address() {
    let (client_config, server_config) = configs();
    let nobody = UdpSocket::bind(SocketAddr::from(LOOPBACK)).unwrap().local_addr().unwrap();
    let refused = Client::new(nobody, localhost(), Arc::clone(&client_config))
        .and_then(|mut client| client.connected(PATIENCE));
    assert!(matches!(refused, Err(ClientError::Refused(address)) if address == nobody), "{refused:?}");

    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let addresses = [nobody, server.local_addr().unwrap()];
    let mut client = Client::new(addresses.as_slice(), localhost(), client_config).unwrap();
    connect(&mut client, &mut server);
    assert_eq!(client.server_addr(), addresses[1]);
}

#[test]
fn no_address_is_an_error() {
    let (client_config, _) = configs();
    let nowhere: &[SocketAddr] = &[];
    assert!(matches!(Client::new(nowhere, localhost(), client_config), Err(ClientError::NoAddress)));
}

#[test]
fn strangers_cost_nothing_and_get_no_more_than_they_send() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let mut stranger = Wire::new(server.local_addr().unwrap(), Arc::clone(&client_config));
    for datagram in
        [&b""[..], b"x", &[22; 13], &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], &[0; 1500]]
    {
        stranger.send_raw(datagram);
    }
    assert_eq!(serve_until_idle(&mut server), []);
    assert_eq!((server.stats().accepted, server.stats().strangers_dropped), (0, 5));
    assert_eq!(stranger.receive_raw(Duration::from_millis(20)), None);

    let hello = stranger.flush();
    assert_eq!(serve_until_idle(&mut server), []);
    let answer = stranger.receive_raw(PATIENCE).unwrap();
    assert!(answer.len() <= hello);
    assert_eq!((server.stats().accepted, server.stats().cookies_asked, server.peers().count()), (0, 1, 0));
}

/// Threat 59 of docs/threats.md: the number of half-open associations is capped, who finds no place is let in when one falls
/// free, the oldest makes room when it had its time, and those that are connected are not given up for strangers. (The
/// policy itself is tested in simulated time.)
#[test]
fn threat_59_half_open_associations_are_capped() {
    let (client_config, server_config) = configs();
    let mut options = ServerOptions::default();
    options.max_half_open = 3;
    let mut server = Server::bind_with(LOOPBACK.into(), server_config, options).unwrap();
    let address = server.local_addr().unwrap();
    let mut client = Client::new(address, localhost(), Arc::clone(&client_config)).unwrap();
    connect(&mut client, &mut server);

    let mut crowd: Vec<_> = (0..7).map(|_| Wire::new(address, Arc::clone(&client_config))).collect();
    for stranger in &mut crowd {
        stranger.flush();
        assert_eq!(serve_until_idle(&mut server), []);
        stranger.receive_one();
        stranger.flush();
        assert_eq!(serve_until_idle(&mut server), []);
        assert!(server.peers().count() <= 1 + 3);
    }
    let stats = server.stats();
    assert!(stats.accepted - 1 - stats.half_open_evicted == 3, "{stats:?}");
    assert!(stats.hellos_kept >= 4 && stats.peers_refused == 0, "{stats:?}");
    // None of them says anything more, and those before them get old: all have had a place in the end.
    while server.stats().accepted < 8 {
        assert_eq!(serve_until_idle(&mut server), []);
        assert_eq!(server.peers().count(), 1 + 3);
    }
    assert_eq!(server.stats().half_open_evicted, 4);
    // The last ones can still finish, and the established one was never in danger.
    for stranger in &mut crowd[4..] {
        stranger.run_until_connected(|| serve_until_idle(&mut server));
    }
    client.send(b"still here").unwrap();
    serve_until_idle(&mut server);
    expect_packet(&mut client, b"still here");
}

/// A piece of a Certificate message of 16,000 bytes, the client's third message.
fn piece_of_certificate(record: u8, offset: u16) -> Vec<u8> {
    const CERTIFICATE: u8 = 11;
    let length = [16_000_u32.to_be_bytes(), u32::from(offset).to_be_bytes(), 1_000_u32.to_be_bytes()];
    let [length, offset, size] = length.map(|[_, a, b, c]| [a, b, c]);
    let header = [&[CERTIFICATE][..], &length, &[0, 2], &offset, &size].concat();
    let record = [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, record][..], &1_012_u16.to_be_bytes()].concat();
    [&record[..], &header, &[0x30; 1_000]].concat()
}

/// Whoever has proved an address may send pieces of its certificates; all together make a server hold what its options say.
#[test]
fn threat_05_half_open_associations_together_buffer_what_the_options_say() {
    const MOST: usize = 40_000;
    let (client_config, server_config) = configs::asking_configs_12();
    let mut options = ServerOptions::default();
    options.max_half_open_bytes = MOST;
    let mut server = Server::bind_with(LOOPBACK.into(), server_config, options).unwrap();
    let address = server.local_addr().unwrap();
    let mut crowd: Vec<_> = (0..8).map(|_| Wire::new(address, Arc::clone(&client_config))).collect();
    for stranger in &mut crowd {
        stranger.flush();
        assert_eq!(serve_until_idle(&mut server), []);
        stranger.receive_one();
        stranger.flush();
        assert_eq!(serve_until_idle(&mut server), []);
        for piece in 0..14 {
            stranger.send_raw(&piece_of_certificate(10 + piece, 1_000 + 1_000 * u16::from(piece)));
            serve_until_idle(&mut server);
            assert!(server.half_open_bytes() <= MOST, "{} bytes", server.half_open_bytes());
        }
    }
    assert_eq!((server.peers().count(), server.stats().accepted), (8, 8));
    assert!(server.half_open_bytes() > MOST * 9 / 10, "{} bytes", server.half_open_bytes());
    // An honest client needs none of it, and what its association holds is not counted once it is connected.
    let mut client = Client::new(address, localhost(), client_config).unwrap();
    let before = server.half_open_bytes();
    connect(&mut client, &mut server);
    assert_eq!(server.half_open_bytes(), before);
    // Associations that go take theirs along.
    let half_open: Vec<_> = server.peers().collect();
    for peer in half_open {
        server.close(peer);
    }
    assert_eq!(server.half_open_bytes(), 0);
}

/// Rule 9 (RFC 6347 section 4.2.8): a client that lost its state connects anew from the same address. The old
/// association works until the new one is proved, and ends then.
#[test]
fn a_client_that_lost_its_state_connects_again_from_the_same_address() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let mut old = Wire::new(server.local_addr().unwrap(), Arc::clone(&client_config));
    old.run_until_connected(|| serve_until_idle(&mut server));

    let mut new = old.again(client_config);
    new.flush();
    assert_eq!(serve_until_idle(&mut server), []);
    new.receive_one();
    new.flush();
    assert_eq!(serve_until_idle(&mut server), []);
    assert_eq!(server.peers().count(), 2);
    // Half-way: the old one still lives.
    old.send(b"from the old one");
    assert_eq!(serve_until_idle(&mut server), [Seen::Packet(1, b"from the old one".to_vec())]);
    new.run_until_connected(|| serve_until_idle(&mut server));
    assert_eq!(server.peers().count(), 1);
    old.send(b"too late");
    new.send(b"from the new one");
    assert_eq!(serve_until_idle(&mut server), [Seen::Packet(2, b"from the new one".to_vec())]);
}

/// The same, seen from the server's events.
#[test]
fn the_end_of_a_replaced_association_is_told() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let mut old = Wire::new(server.local_addr().unwrap(), Arc::clone(&client_config));
    let mut seen = Vec::new();
    old.run_until_connected(|| seen.extend(serve_until_idle(&mut server)));
    let mut new = old.again(client_config);
    new.run_until_connected(|| seen.extend(serve_until_idle(&mut server)));
    assert_eq!(seen, [Seen::Connected(1), Seen::Connected(2), Seen::Replaced(1)]);
}

/// A hello that comes twice belongs to the association that it began.
#[test]
fn a_repeated_hello_begins_nothing() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let mut client = Wire::new(server.local_addr().unwrap(), client_config);
    client.flush();
    serve_until_idle(&mut server);
    client.receive_one();
    let hello = client.take_datagrams().concat();
    for _ in 0..3 {
        client.send_raw(&hello);
        serve_until_idle(&mut server);
    }
    client.run_until_connected(|| serve_until_idle(&mut server));
    client.send_raw(&hello);
    assert_eq!(serve_until_idle(&mut server), []);
    assert_eq!((server.stats().accepted, server.peers().count()), (1, 1));
}

#[test]
fn without_cookies_a_hello_is_answered_at_once() {
    let (client_config, server_config) = configs();
    let mut options = ServerOptions::default();
    options.cookies = false;
    options.max_peers = 1;
    let mut server = Server::bind_with(LOOPBACK.into(), server_config, options).unwrap();
    let address = server.local_addr().unwrap();
    let mut client = Client::new(address, localhost(), Arc::clone(&client_config)).unwrap();
    connect(&mut client, &mut server);
    assert_eq!((server.stats().cookies_asked, server.stats().accepted), (0, 1));
    // The table is full: the second one waits until there is room.
    let mut second = Client::new(address, localhost(), client_config).unwrap();
    serve_until_idle(&mut server);
    assert!(second.poll(Duration::from_millis(20)).unwrap().is_none());
    assert!(server.stats().hellos_kept >= 1);
    client.close();
    let peer = connect_after(&mut second, &mut server, Seen::Closed(1));
    assert_eq!(peer.number(), 2);
}

/// Rule 9 without cookies: a client that was killed and comes back on its port is let in, and the association that it had
/// lives until the new one is connected.
#[test]
fn without_cookies_too_a_client_that_lost_its_state_connects_again() {
    let (client_config, server_config) = configs();
    let mut options = ServerOptions::default();
    options.cookies = false;
    let mut server = Server::bind_with(LOOPBACK.into(), server_config, options).unwrap();
    let mut old = Wire::new(server.local_addr().unwrap(), Arc::clone(&client_config));
    let hello = old.take_datagrams().concat();
    old.send_raw(&hello);
    assert_eq!(serve_until_idle(&mut server), []);
    // Copies begin nothing, before it is connected and after.
    old.send_raw(&hello);
    let mut seen = Vec::new();
    old.run_until_connected(|| seen.extend(serve_until_idle(&mut server)));
    old.send_raw(&hello);
    assert_eq!((serve_until_idle(&mut server), server.stats().accepted), (vec![], 1));

    let mut new = old.again(client_config);
    new.flush();
    assert_eq!((serve_until_idle(&mut server), server.peers().count()), (vec![], 2));
    old.send(b"from the old one");
    assert_eq!(serve_until_idle(&mut server), [Seen::Packet(1, b"from the old one".to_vec())]);
    new.run_until_connected(|| seen.extend(serve_until_idle(&mut server)));
    let replaced = [Seen::Connected(1), Seen::Connected(2), Seen::Replaced(1)];
    assert!(seen.iter().all(|seen| replaced.contains(seen)), "{seen:?}");
    assert_eq!(seen.len(), 3);
}

/// Must show 6, with short times: a peer that vanished is gone after the idle time-out.
#[test]
fn a_peer_that_vanished_is_noticed() {
    let (client_config, server_config) = configs();
    let mut options = ServerOptions::default();
    assert_eq!(options.idle_timeout, Some(Duration::from_secs(600)));
    let timeout = Duration::from_millis(300);
    options.idle_timeout = Some(timeout);
    let mut server = Server::bind_with(LOOPBACK.into(), server_config, options).unwrap();
    let mut vanishing = Wire::new(server.local_addr().unwrap(), client_config);
    let mut seen = Vec::new();
    vanishing.run_until_connected(|| seen.extend(serve_until_idle(&mut server)));
    drop(vanishing);
    while server.peers().count() > 0 {
        seen.extend(serve_until_idle(&mut server));
    }
    assert_eq!(seen, [Seen::Connected(1), Seen::Vanished(1, timeout)]);
}

#[test]
fn a_server_that_vanished_is_noticed() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let mut client = Client::new(server.local_addr().unwrap(), localhost(), client_config).unwrap();
    connect(&mut client, &mut server);
    let timeout = Duration::from_millis(100);
    client.set_idle_timeout(Some(timeout));
    let ended = loop {
        match client.poll(PATIENCE).unwrap() {
            Some(ClientEvent::Connection(Event::Closed(reason))) => break reason,
            Some(ClientEvent::Packet(_)) | None => {}
            Some(other) => panic!("unexpected {other:?}"),
        }
    };
    assert_eq!(ended, CloseReason::IdleTimeout(timeout));
    assert!(matches!(client.connected(PATIENCE), Err(ClientError::Closed)));
    // It said so: the server need not wait for its own.
    assert_eq!(serve_until_idle(&mut server), [Seen::Closed(1)]);
}

/// Must show 6: a full table lets a newcomer in, and the silent one whose place that was is told.
#[test]
fn a_silent_peer_gives_way_in_a_full_table() {
    let (client_config, server_config) = configs();
    let mut options = ServerOptions::default();
    (options.max_peers, options.displaced_after) = (1, Duration::ZERO);
    let mut server = Server::bind_with(LOOPBACK.into(), server_config, options).unwrap();
    let address = server.local_addr().unwrap();
    let mut silent = Client::new(address, localhost(), Arc::clone(&client_config)).unwrap();
    connect(&mut silent, &mut server);
    let mut newcomer = Client::new(address, localhost(), client_config).unwrap();
    connect_after(&mut newcomer, &mut server, Seen::Displaced(1));
    assert_eq!((server.stats().silent_displaced, server.peers().count()), (1, 1));
    assert!(matches!(
        silent.poll(PATIENCE).unwrap(),
        Some(ClientEvent::Connection(Event::Closed(CloseReason::Peer)))
    ));
}

#[test]
fn connected_returns_at_once_if_the_connection_is_made() {
    let (client_config, server_config) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let mut client = Client::new(server.local_addr().unwrap(), localhost(), client_config).unwrap();
    connect(&mut client, &mut server);
    // `poll` has taken the event, and no time is given.
    for _ in 0..2 {
        let connected = client.connected(Duration::ZERO).unwrap();
        assert_eq!(connected.peer_chain.len(), 1);
    }
    client.close();
    assert!(matches!(client.connected(PATIENCE), Err(ClientError::Closed)));
}

/// Answers later.
#[derive(Debug)]
struct LateVerifier;

impl PeerVerifier for LateVerifier {
    fn verify(&self, _: &PeerCertificates<'_>) -> Poll<Result<(), drystone::VerifyError>> {
        Poll::Pending
    }
}

/// A call-out that answers later is not lost in `connected`.
#[test]
fn connected_hands_requests_out_and_goes_on_after_the_answer() {
    let (_, server_config) = configs();
    let config = Arc::new(ClientConfig::new(drystone::settings(), LateVerifier).unwrap());
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let mut client = Client::new(server.local_addr().unwrap(), localhost(), config).unwrap();
    let serving = thread::spawn(move || serve_once(&mut server, PATIENCE));
    let (id, request) = match client.connected(PATIENCE) {
        Err(ClientError::Request(id, request)) => (id, request),
        other => panic!("unexpected {other:?}"),
    };
    assert!(matches!(*request, Request::PeerVerification { .. }));
    client.answer(id, Answer::PeerVerification(Ok(()))).unwrap();
    client.connected(PATIENCE).unwrap();
    while client.poll(Duration::from_millis(20)).unwrap().is_some() {}
    assert!(matches!(serving.join().unwrap(), Some((_, Seen::Connected(1)))));
}

#[test]
fn a_failed_handshake_is_told_to_both_sides() {
    let (_, server_config) = configs();
    let (distrustful, _) = configs();
    let mut server = Server::bind(LOOPBACK.into(), server_config).unwrap();
    let address = server.local_addr().unwrap();
    let visit = thread::spawn(move || {
        let mut client = Client::new(address, localhost(), distrustful).unwrap();
        client.connected(PATIENCE).map(drop)
    });
    let failed = serve_once(&mut server, PATIENCE).map(|(_, seen)| seen);
    let outcome = visit.join().unwrap();
    assert!(matches!(&outcome, Err(ClientError::Handshake(Error::Certificate(_)))), "{outcome:?}");
    assert_eq!(failed, Some(Seen::Failed(1)));
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let (_, server_config) = configs();
    let server = Server::bind(LOOPBACK.into(), Arc::clone(&server_config)).unwrap();
    let address = server.local_addr().unwrap();
    match Server::bind(address, server_config) {
        Err(drystone::ServerError::Socket { address: taken, source }) => {
            assert_eq!((taken, source.kind()), (address, ErrorKind::AddrInUse));
        }
        other => panic!("unexpected {other:?}"),
    }
}
