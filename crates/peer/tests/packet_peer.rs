//! The rules of `PacketPeerDtls`, without Godot: statuses, errors and packets, over real sockets on loopback.

mod house;

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drystone::packet_peer::Error;
use drystone::x509::{CertificateError, Policy, ServerName, TrustAnchors};
use drystone::{
    ClientConfig, ConnectError, Discard, Error as HandshakeError, PacketError, PacketPeer, PacketPeerDtls,
    PacketPeerUdp, Status, X509Certificate,
};

use house::{House, NAME, PATIENCE, Relay, a_moment, dial, identity, wait_for};

// ---- statuses ----

#[test]
fn statuses_follow_the_connection() {
    let mut house = House::new();
    let mut client = PacketPeerDtls::new();
    assert_eq!((client.get_status(), client.error().is_none()), (Status::Disconnected, true));
    client.poll();
    client.disconnect_from_peer();
    assert_eq!(client.get_status(), Status::Disconnected);

    client.connect_to_peer(dial(house.port()), true, NAME, Some(&house.certificate)).unwrap();
    assert_eq!(client.get_status(), Status::Handshaking);
    assert!(client.connected().is_none() && !client.connection().unwrap().is_connected());
    house.settle(&mut client);
    assert_eq!(client.get_status(), Status::Connected);
    assert_eq!(client.connected().unwrap().peer_chain, house.certificate.certificates());
    assert_eq!(house.peer().connected().unwrap().server_name.as_deref(), Some(NAME));

    client.disconnect_from_peer();
    assert_eq!((client.get_status(), client.error().is_none()), (Status::Disconnected, true));
    wait_for("the goodbye", || {
        house.poll();
        house.peer().get_status() != Status::Connected
    });
    assert_eq!((house.peer().get_status(), house.peer().error().is_none()), (Status::Disconnected, true));
    assert!(client.connection().is_none() && house.peer().connection().is_none());
}

/// The hello leaves inside the call, before any poll.
#[test]
fn connecting_sends_the_hello_at_once() {
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut client = PacketPeerDtls::new();
    let socket = dial(listener.local_addr().unwrap().port());
    client.connect_to_peer(socket, false, "", None).unwrap();
    let mut hello = [0; 2048];
    let (length, from) = listener.recv_from(&mut hello).unwrap();
    assert!(length > 100 && hello[0] == 22 && hello[13] == 1);
    assert_eq!(from.port(), client.packet_peer().unwrap().get_local_port());
}

#[test]
fn a_wrong_name_is_status_4_and_the_reason_names_both() {
    let mut house = House::new();
    let mut client = PacketPeerDtls::new();
    client.connect_to_peer(dial(house.port()), true, "other.example.org", Some(&house.certificate)).unwrap();
    house.settle(&mut client);
    assert_eq!(client.get_status() as u8, 4);
    let reason = client.error().unwrap();
    assert!(
        reason.to_string().contains("other.example.org") && reason.to_string().contains(NAME),
        "{reason}"
    );
    assert_eq!(reason.godot_code(), 27);
    // The server learns by an alert, and has the plain error.
    assert_eq!(house.peer().get_status() as u8, 3);
    assert!(matches!(
        house.peer().error(),
        Some(Error::Handshake(HandshakeError::AlertReceived { authenticated: false, .. }))
    ));
}

#[test]
fn any_other_refusal_is_status_3_with_its_reason() {
    let mut house = House::new();
    let (_, stranger) = identity();
    let mut client = PacketPeerDtls::new();
    client.connect_to_peer(dial(house.port()), true, NAME, Some(&stranger)).unwrap();
    house.settle(&mut client);
    assert_eq!(client.get_status() as u8, 3);
    let Some(Error::Handshake(HandshakeError::Certificate(error))) = client.error() else {
        panic!("{:?}", client.error());
    };
    assert!(!matches!(**error, CertificateError::NameMismatch { .. }), "{error}");
    // A certificate of another authority is refused for that, even if the name is wrong as well.
    client.connect_to_peer(dial(house.port()), true, "other.example.org", Some(&stranger)).unwrap();
    house.settle(&mut client);
    assert_eq!(client.get_status() as u8, 3);
}

#[test]
fn without_validation_everybody_is_trusted() {
    let mut house = House::new();
    for name in ["", "any.example.org"] {
        let mut client = PacketPeerDtls::new();
        client.connect_to_peer(dial(house.port()), false, name, None).unwrap();
        house.settle(&mut client);
        assert_eq!(client.get_status(), Status::Connected, "{name:?}: {:?}", client.error());
    }
}

#[test]
fn a_configuration_says_all() {
    let mut house = House::new();
    let mut anchors = TrustAnchors::new();
    anchors.add(house.certificate.certificates()[0].clone()).unwrap();
    let mut settings = drystone::settings();
    settings.record_size_limit = Some(1000);
    let config = Arc::new(ClientConfig::new(settings, Policy::new(anchors)).unwrap());
    for _ in 0..2 {
        let mut client = PacketPeerDtls::new();
        let name = ServerName::try_from(NAME).unwrap();
        client.connect_with(dial(house.port()), name, Arc::clone(&config)).unwrap();
        house.settle(&mut client);
        assert_eq!(client.get_status(), Status::Connected, "{:?}", client.error());
        assert_eq!(house.peer().get_max_packet_size(), 1000);
        let refused = house.peer().put_packet(&[0; 1001]);
        assert_eq!(refused, Err(PacketError::TooLarge { length: 1001, limit: 1000 }));
    }
}

/// Compiles only if peers can be given to other threads.
#[test]
fn peers_can_move_to_other_threads() {
    fn movable<T: Send>() {}
    movable::<PacketPeerDtls>();
    movable::<drystone::DtlsServer>();
    movable::<drystone::UdpServer>();
}

// ---- refused at once ----

/// What is refused, and that the socket it came with still works.
fn refused(
    house: &mut House,
    validate_certs: bool,
    name: &str,
    trusted: Option<&X509Certificate>,
) -> (Error, i32) {
    let socket = dial(house.port());
    let port = socket.get_local_port();
    let mut client = PacketPeerDtls::new();
    let refusal = client.connect_to_peer(socket, validate_certs, name, trusted).unwrap_err();
    assert_eq!((client.get_status(), client.error().is_none()), (Status::Disconnected, true));
    let code = refusal.godot_code();
    let socket = refusal.into_packet_peer();
    assert_eq!(socket.get_local_port(), port);
    let mut client = house.visitor_through(socket);
    house.settle(&mut client);
    assert_eq!(client.get_status(), Status::Connected, "{:?}", client.error());
    let again = client.connect_to_peer(PacketPeerUdp::new(), validate_certs, name, trusted).unwrap_err();
    assert!(matches!(again.error(), Error::AlreadyInUse(_)), "the first reason counts");
    client.disconnect_from_peer();
    let again = client.connect_to_peer(dial(house.port()), validate_certs, name, trusted).unwrap_err();
    (error_of(again), code)
}

fn error_of(refusal: ConnectError) -> Error {
    let text = refusal.to_string();
    assert_eq!(std::error::Error::source(&refusal).unwrap().to_string(), text);
    let kind = match refusal.error() {
        Error::NoHostname => Error::NoHostname,
        Error::NoTrustAnchors => Error::NoTrustAnchors,
        Error::InvalidHostname(name) => Error::InvalidHostname(name.clone()),
        Error::SocketNotConnected => Error::SocketNotConnected,
        Error::AlreadyInUse(what) => Error::AlreadyInUse(what),
        other => panic!("{other}"),
    };
    drop(refusal.into_packet_peer());
    kind
}

#[test]
fn validation_without_a_name_is_refused_at_once() {
    let mut house = House::new();
    let certificate = house.certificate.clone();
    let (error, code) = refused(&mut house, true, "", Some(&certificate));
    assert!(matches!(error, Error::NoHostname) && code == 31, "{error}");
    assert!(error.to_string().contains("for_hostname"));
}

#[test]
#[cfg(not(feature = "system-roots"))]
fn validation_with_nothing_to_trust_is_refused_at_once() {
    let mut house = House::new();
    for trusted in [None, Some(&X509Certificate::new())] {
        let (error, code) = refused(&mut house, true, NAME, trusted);
        assert!(matches!(error, Error::NoTrustAnchors) && code == 3, "{error}");
        assert!(error.to_string().contains("valid_certificate"));
    }
}

#[test]
fn what_is_no_name_is_refused_at_once() {
    let mut house = House::new();
    let certificate = house.certificate.clone();
    for validate in [true, false] {
        let (error, code) = refused(&mut house, validate, "not a name", Some(&certificate));
        assert!(matches!(&error, Error::InvalidHostname(name) if name == "not a name") && code == 31);
    }
}

#[test]
fn a_socket_that_is_not_connected_is_refused() {
    let (_, certificate) = identity();
    let mut bound = PacketPeerUdp::new();
    bound.bind(0, "127.0.0.1").unwrap();
    for socket in [PacketPeerUdp::new(), bound] {
        let port = socket.get_local_port();
        let mut client = PacketPeerDtls::new();
        let refusal = client.connect_to_peer(socket, true, NAME, Some(&certificate)).unwrap_err();
        assert!(matches!(refusal.error(), Error::SocketNotConnected) && refusal.godot_code() == 31);
        assert_eq!(refusal.into_packet_peer().get_local_port(), port);
        assert_eq!(client.get_status(), Status::Disconnected);
    }
}

#[test]
fn an_object_in_use_is_refused_and_stays_as_it_is() {
    let mut house = House::new();
    let mut client = house.visitor();
    for expected in [Status::Handshaking, Status::Connected] {
        let refusal =
            client.connect_to_peer(dial(house.port()), true, NAME, Some(&house.certificate)).unwrap_err();
        assert!(matches!(refusal.error(), Error::AlreadyInUse(_)) && refusal.godot_code() == 22);
        assert_eq!((client.get_status(), client.error().is_none()), (expected, true));
        assert!(client.take_packet_peer().is_none());
        house.settle(&mut client);
    }
    house.echo(&mut client, 0, b"untouched");
}

// ---- the same object again ----

#[test]
fn an_object_can_be_used_again() {
    let mut house = House::new();
    let (_, stranger) = identity();
    let mut client = PacketPeerDtls::new();
    let ends: [(&str, &X509Certificate, Status); 3] = [
        (NAME, &stranger, Status::Error),
        ("other.example.org", &house.certificate.clone(), Status::ErrorHostnameMismatch),
        (NAME, &house.certificate.clone(), Status::Connected),
    ];
    for (name, trusted, end) in ends {
        client.connect_to_peer(dial(house.port()), true, name, Some(trusted)).unwrap();
        assert_eq!((client.get_status(), client.error().is_none()), (Status::Handshaking, true));
        house.settle(&mut client);
        assert_eq!(client.get_status(), end);
    }
    client.disconnect_from_peer();
    client.connect_to_peer(dial(house.port()), true, NAME, Some(&house.certificate)).unwrap();
    house.settle(&mut client);
    let peer = house.peers.len() - 1;
    house.echo(&mut client, peer, b"again");
}

#[test]
fn packets_of_an_earlier_connection_do_not_show_in_the_next() {
    let mut house = House::new();
    let mut client = house.guest();
    house.peer().put_packet(b"old").unwrap();
    wait_for("the packet", || {
        client.poll();
        client.get_available_packet_count() == 1
    });
    client.disconnect_from_peer();
    client.connect_to_peer(dial(house.port()), true, NAME, Some(&house.certificate)).unwrap();
    assert_eq!(client.get_available_packet_count(), 0);
    assert_eq!(client.get_packet(), Err(PacketError::NotConnected));
}

#[test]
fn the_socket_of_a_connection_that_is_over_can_be_taken_back() {
    let mut house = House::new();
    let mut client = house.guest();
    let port = client.packet_peer().unwrap().get_local_port();
    client.disconnect_from_peer();
    let socket = client.take_packet_peer().unwrap();
    assert_eq!((socket.get_local_port(), socket.is_socket_connected()), (port, true));
    assert!(client.take_packet_peer().is_none() && client.packet_peer().is_none());
    let mut client = house.visitor_through(socket);
    house.settle(&mut client);
    let peer = house.peers.len() - 1;
    house.echo(&mut client, peer, b"over the same socket");
    // A server's peer gives its place back; that cannot be connected anywhere else.
    house.peer().disconnect_from_peer();
    let mut seat = house.peer().take_packet_peer().unwrap();
    assert_eq!(seat.get_packet_port(), port);
    assert!(matches!(seat.connect_to_host("127.0.0.1", 9), Err(Error::Locked)));
    assert!(matches!(seat.bind(0, "*"), Err(Error::Locked)));
    assert!(matches!(seat.set_dest_address("127.0.0.1", 9), Err(Error::Locked)));
}

/// What an ICMP message said of an earlier attempt does not count for the next one over the same socket.
#[test]
#[cfg(target_os = "linux")]
fn an_old_refusal_does_not_end_a_new_attempt() {
    let mut house = House::new();
    let port = house.port();
    house.udp.stop();
    house.udp = drystone::UdpServer::new();
    let mut client = PacketPeerDtls::new();
    client.connect_to_peer(dial(port), true, NAME, Some(&house.certificate)).unwrap();
    client.disconnect_from_peer();
    a_moment();
    house.udp.listen(port, "127.0.0.1").unwrap();
    let mut client = house.visitor_through(client.take_packet_peer().unwrap());
    house.settle(&mut client);
    assert_eq!(client.get_status(), Status::Connected, "{:?}", client.error());
}

// ---- packets ----

#[test]
fn packets_queue_and_the_newest_are_dropped_when_full() {
    let mut house = House::new();
    let mut client = house.guest();
    for number in 0..100_u8 {
        client.put_packet(&[number; 1029]).unwrap();
        house.poll();
    }
    wait_for("a full queue", || {
        house.poll();
        house.peer().dropped_packet_count() == 38
    });
    // Godot's numbers: each packet costs 24 bytes more than it has, and 62 of these fit in 65,536.
    let peer = house.peer();
    assert_eq!(peer.get_available_packet_count(), 62);
    for number in 0..62 {
        assert_eq!(peer.get_packet().unwrap(), [number; 1029]);
        assert_eq!(
            (peer.get_packet_error(), peer.get_available_packet_count()),
            (None, 61 - usize::from(number))
        );
    }
    assert_eq!(peer.get_packet(), Err(PacketError::Empty));
    assert_eq!(peer.get_packet_error(), Some(PacketError::Empty));
    assert_eq!(peer.get_status(), Status::Connected);
    house.echo(&mut client, 0, b"there is room again");
}

#[test]
fn reading_does_not_poll() {
    let mut house = House::new();
    let mut client = house.guest();
    client.put_packet(b"waits").unwrap();
    a_moment();
    let peer = house.peer();
    assert_eq!((peer.get_available_packet_count(), peer.get_packet().is_err()), (0, true));
    house.poll();
    assert_eq!(house.peer().get_packet().unwrap(), b"waits");
}

#[test]
fn a_goodbye_is_seen_before_the_packets_are_read() {
    let mut house = House::new();
    let mut client = house.guest();
    let packets: [&[u8]; 3] = [b"first", b"second", b"third"];
    for packet in packets {
        client.put_packet(packet).unwrap();
    }
    client.disconnect_from_peer();
    wait_for("the goodbye", || {
        house.poll();
        house.peer().get_status() != Status::Connected
    });
    let peer = house.peer();
    assert_eq!((peer.get_status(), peer.get_available_packet_count()), (Status::Disconnected, 3));
    assert_eq!(peer.put_packet(b"late"), Err(PacketError::NotConnected));
    for packet in packets {
        assert_eq!(peer.get_packet(), Ok(packet));
    }
    assert_eq!(peer.get_packet(), Err(PacketError::Closed));
    assert_eq!(peer.get_packet_error().map(PacketError::godot_code), Some(27));
    peer.poll();
    assert_eq!(peer.get_status(), Status::Disconnected);
}

#[test]
fn the_largest_packet_works_and_one_byte_more_changes_nothing() {
    let mut house = House::new();
    let mut client = house.guest();
    assert_eq!(client.get_max_packet_size(), 16_384);
    let packet: Vec<u8> = (0..16_384_u32).map(|place| (place % 251) as u8).collect();
    house.echo(&mut client, 0, &packet);
    let refused = client.put_packet(&[0; 16_385]);
    assert_eq!(refused, Err(PacketError::TooLarge { length: 16_385, limit: 16_384 }));
    assert_eq!((client.get_status(), client.error().is_none()), (Status::Connected, true));
    a_moment();
    house.poll();
    assert_eq!(
        (house.peer().get_status(), house.peer().get_available_packet_count()),
        (Status::Connected, 0)
    );
    house.echo(&mut client, 0, &packet);
    let unfragmented = client.max_unfragmented_packet_size();
    assert!((1100..1200).contains(&unfragmented), "{unfragmented}");
}

#[test]
fn an_empty_packet_is_ok_in_every_state_and_sends_nothing() {
    let mut house = House::new();
    let mut relay = Relay::to(house.port());
    let mut client = PacketPeerDtls::new();
    client.put_packet(b"").unwrap();
    client.connect_to_peer(dial(relay.port()), true, NAME, Some(&house.certificate)).unwrap();
    client.put_packet(b"").unwrap();
    wait_for("connected", || {
        relay.pump(|_| None);
        house.poll();
        client.poll();
        client.get_status() == Status::Connected
    });
    a_moment();
    relay.pump(|_| None);
    client.put_packet(b"").unwrap();
    client.poll();
    a_moment();
    assert_eq!(relay.sent_by_client(), Vec::<Vec<u8>>::new());
    client.disconnect_from_peer();
    client.put_packet(b"").unwrap();
}

#[test]
fn packets_before_and_after_a_connection_are_refused() {
    let mut house = House::new();
    let mut client = house.visitor();
    for _ in 0..2 {
        assert_eq!(client.put_packet(b"early"), Err(PacketError::NotConnected));
        assert_eq!(client.get_packet(), Err(PacketError::NotConnected));
        assert_eq!(client.get_packet_error().map(PacketError::godot_code), Some(3));
        assert_eq!(client.get_available_packet_count(), 0);
        client.disconnect_from_peer();
    }
    let mut client = house.guest();
    client.disconnect_from_peer();
    assert_eq!(client.put_packet(b"late"), Err(PacketError::NotConnected));
    assert_eq!(client.get_packet(), Err(PacketError::Closed));
}

#[test]
fn numbers_are_those_of_godots_error_enum() {
    let packet_errors = [
        (PacketError::Empty, 0),
        (PacketError::NotConnected, 3),
        (PacketError::Closed, 27),
        (PacketError::TooLarge { length: 2, limit: 1 }, 31),
        (PacketError::Busy, 44),
        (PacketError::Socket(ErrorKind::PermissionDenied), 1),
    ];
    for (error, number) in packet_errors {
        assert_eq!(error.godot_code(), number, "{error}");
    }
    let second = Duration::from_secs(1);
    let errors = [
        (Error::AlreadyInUse("it"), 22),
        (Error::Locked, 23),
        (Error::SocketNotConnected, 31),
        (Error::NoHostname, 31),
        (Error::InvalidHostname(String::new()), 31),
        (Error::NoTrustAnchors, 3),
        (Error::Unconfigured("listen"), 3),
        (Error::CantResolve { host: String::new(), reason: String::new() }, 26),
        (Error::CantListen { address: ([127, 0, 0, 1], 1).into(), source: ErrorKind::AddrInUse.into() }, 20),
        (Error::Socket(ErrorKind::Other.into()), 1),
        (Error::NothingListens(([127, 0, 0, 1], 1).into()), 27),
        (Error::HandshakeTimeout(second), 27),
        (Error::IdleTimeout(second), 27),
        (Error::ClosedInHandshake, 27),
        (Error::CookieAsked, 27),
        (Error::NotAHello, 27),
        (Error::Replaced, 27),
        (Error::HandshakeEvicted, 27),
        (Error::ServerStopped, 27),
    ];
    for (error, number) in errors {
        assert_eq!(error.godot_code(), number, "{error}");
    }
}

// ---- forgeries ----

fn with_last_byte_changed(datagram: &[u8]) -> Vec<u8> {
    let mut forged = datagram.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    forged
}

fn forgeries_seen(peer: &PacketPeerDtls) -> u32 {
    peer.connection().unwrap().stats().get(Discard::AuthenticationFailed)
}

#[test]
fn forged_records_kill_nothing() {
    let mut house = House::new();
    let mut relay = Relay::to(house.port());
    let mut client = house.visitor_through(dial(relay.port()));
    wait_for("connected", || {
        relay.pump(|_| None);
        house.poll();
        client.poll();
        client.get_status() == Status::Connected && house.peer().get_status() == Status::Connected
    });
    for round in 1..=100_u32 {
        let packet = round.to_be_bytes();
        client.put_packet(&packet).unwrap();
        house.peer().put_packet(&packet).unwrap();
        wait_for("the packets", || {
            relay.pump(|genuine| Some(with_last_byte_changed(genuine)));
            house.poll();
            client.poll();
            client.get_available_packet_count() > 0 && house.peer().get_available_packet_count() > 0
        });
        assert_eq!((client.get_packet(), house.peer().get_packet()), (Ok(&packet[..]), Ok(&packet[..])));
        assert_eq!((forgeries_seen(&client), forgeries_seen(house.peer())), (round, round));
    }
    assert_eq!((client.get_status(), house.peer().get_status()), (Status::Connected, Status::Connected));
}

/// Godot's handshake dies of one forged Finished, on either side.
#[test]
fn a_forged_finished_does_not_end_the_handshake() {
    let mut house = House::new();
    let mut relay = Relay::to(house.port());
    let mut client = house.visitor_through(dial(relay.port()));
    let mut forgeries = 0;
    wait_for("connected", || {
        relay.pump(|genuine| {
            // The Finished is what is encrypted, at the end of its flight.
            let encrypted = genuine.windows(5).any(|header| header == [22, 0xfe, 0xfd, 0, 1]);
            forgeries += usize::from(encrypted);
            encrypted.then(|| with_last_byte_changed(genuine))
        });
        house.poll();
        client.poll();
        client.get_status() == Status::Connected
    });
    assert!(forgeries >= 2);
    assert_eq!((forgeries_seen(&client), forgeries_seen(house.peer())), (1, 1));
}

// ---- time ----

/// A handshake deadline of 2 s against a black hole ends at 2 s with a reason that says so.
#[test]
fn a_handshake_into_a_black_hole_ends_at_its_deadline() {
    let black_hole = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (_, certificate) = identity();
    let mut client = PacketPeerDtls::new();
    client.set_handshake_deadline(Duration::from_secs(2));
    let begin = Instant::now();
    let socket = dial(black_hole.local_addr().unwrap().port());
    client.connect_to_peer(socket, true, NAME, Some(&certificate)).unwrap();
    wait_for("the deadline", || {
        client.poll();
        client.get_status() != Status::Handshaking
    });
    let elapsed = begin.elapsed();
    assert!((2000..3000).contains(&elapsed.as_millis()), "{elapsed:?}");
    assert_eq!(client.get_status(), Status::Error);
    let reason = client.error().unwrap();
    assert!(matches!(reason, Error::HandshakeTimeout(after) if after.as_secs() == 2), "{reason:?}");
    assert!(reason.to_string().starts_with("the handshake timed out after 2"), "{reason}");
    assert_eq!(reason.godot_code(), 27);
}

/// The same for a server whose client falls silent in the middle.
#[test]
fn a_handshake_of_a_client_that_vanishes_ends_at_its_deadline() {
    let mut house = House::with(|_, dtls| dtls.set_handshake_deadline(Duration::from_secs(2)));
    let mut relay = Relay::to(house.port());
    let mut client = house.visitor_through(dial(relay.port()));
    wait_for("accepted", || {
        client.poll();
        relay.pump(|_| None);
        house.poll();
        !house.peers.is_empty()
    });
    let begin = Instant::now();
    wait_for("the deadline", || {
        house.poll();
        house.peer().get_status() != Status::Handshaking
    });
    let elapsed = begin.elapsed();
    assert!((1900..3000).contains(&elapsed.as_millis()), "{elapsed:?}");
    assert!(matches!(house.peer().error(), Some(Error::HandshakeTimeout(_))), "{:?}", house.peer().error());
}

/// An idle time-out ends in time with a reason that says so, and the other side is told.
#[test]
fn a_vanished_server_is_noticed() {
    let mut house = House::new();
    let mut client = house.guest();
    client.set_idle_timeout(Some(Duration::from_secs(2)));
    let begin = Instant::now();
    wait_for("the time-out", || {
        client.poll();
        client.get_status() != Status::Connected
    });
    let elapsed = begin.elapsed();
    assert!((1900..3000).contains(&elapsed.as_millis()), "{elapsed:?}");
    assert_eq!(client.get_status(), Status::Error);
    let reason = client.error().unwrap();
    assert_eq!(reason.to_string(), "nothing came from the peer for 2s: it has vanished");
    wait_for("the goodbye", || {
        house.poll();
        house.peer().get_status() == Status::Disconnected
    });
}

#[test]
fn a_vanished_client_is_noticed_and_a_busy_one_stays() {
    let idle = Duration::from_millis(600);
    let mut house = House::with(|_, dtls| dtls.set_idle_timeout(Some(idle)));
    let mut busy = house.guest();
    let vanished = house.guest();
    let begin = Instant::now();
    while begin.elapsed() < 3 * idle {
        house.echo(&mut busy, 0, b"here");
        a_moment();
    }
    assert!(matches!(house.peers[1].error(), Some(Error::IdleTimeout(after)) if *after == idle));
    assert_eq!(
        (house.peers[0].get_status(), house.peers[1].get_status()),
        (Status::Connected, Status::Error)
    );
    drop(vanished);
}

/// What others send does not count as a sign of life: only the peer can send what authenticates.
#[test]
fn forgeries_do_not_keep_a_connection_alive() {
    let idle = Duration::from_millis(600);
    let mut house = House::with(|_, dtls| dtls.set_idle_timeout(Some(idle)));
    let mut relay = Relay::to(house.port());
    let mut client = house.visitor_through(dial(relay.port()));
    wait_for("connected", || {
        relay.pump(|_| None);
        house.poll();
        client.poll();
        client.get_status() == Status::Connected && house.peer().get_status() == Status::Connected
    });
    client.put_packet(b"the last one").unwrap();
    a_moment();
    let packet = relay.sent_by_client().pop().unwrap();
    relay.give_server(&packet);
    house.poll();
    assert_eq!(house.peer().get_packet().unwrap(), b"the last one");
    let begin = Instant::now();
    wait_for("the time-out", || {
        relay.give_server(&packet);
        relay.give_server(&with_last_byte_changed(&packet));
        house.poll();
        house.peer().get_status() == Status::Error
    });
    assert!((400..3000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
}

// ---- refusals of the network ----

/// A refused port gives Error with "nothing listens there".
#[test]
#[cfg(target_os = "linux")]
fn a_refused_port_is_an_error_at_once() {
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, certificate) = identity();
    let mut client = PacketPeerDtls::new();
    let begin = Instant::now();
    client.connect_to_peer(dial(nobody.port()), true, NAME, Some(&certificate)).unwrap();
    wait_for("the refusal", || {
        client.poll();
        client.get_status() != Status::Handshaking
    });
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(client.get_status(), Status::Error);
    let reason = client.error().unwrap();
    assert_eq!(reason.to_string(), format!("nothing listens there ({nobody})"));
    assert_eq!(reason.godot_code(), 27);
}

/// ICMP messages can be forged: once something came from the peer they end nothing.
#[test]
#[cfg(target_os = "linux")]
fn a_refusal_after_the_first_answer_ends_nothing() {
    let mut house = House::new();
    let mut relay = Relay::to(house.port());
    let relay_port = relay.port();
    let mut client = house.visitor_through(dial(relay_port));
    wait_for("connected", || {
        relay.pump(|_| None);
        house.poll();
        client.poll();
        client.get_status() == Status::Connected && house.peer().get_status() == Status::Connected
    });
    drop(relay);
    for _ in 0..50 {
        client.put_packet(b"anybody there?").unwrap();
        client.poll();
    }
    assert_eq!((client.get_status(), client.error().is_none()), (Status::Connected, true));
    // The way is open again.
    let back = UdpSocket::bind(("127.0.0.1", relay_port)).unwrap();
    back.set_read_timeout(Some(PATIENCE)).unwrap();
    client.put_packet(b"still here").unwrap();
    assert!(back.recv(&mut [0; 2048]).unwrap() > 10);
}
