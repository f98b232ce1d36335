//! The rules of `PacketPeerDtls`, without Godot: statuses, errors and packets, over real sockets on loopback.

mod house;

use std::net::UdpSocket;
use std::sync::Arc;

use drystone::packet_peer::Error;
use drystone::x509::{CertificateError, Policy, ServerName, TrustAnchors};
use drystone::{
    AlertDescription, ClientConfig, ConnectError, Error as HandshakeError, PacketError, PacketPeer,
    PacketPeerDtls, PacketPeerUdp, Status, X509Certificate,
};

use house::{House, NAME, PATIENCE, a_moment, dial, identity, wait_for};

// ---- statuses ----

/// Not Godot's: the other side learns what is wrong.
#[test]
fn a_connection_can_be_closed_with_an_alert() {
    let mut house = House::new();
    let mut client = PacketPeerDtls::new();
    client.close_with(AlertDescription::ACCESS_DENIED);
    assert_eq!(client.get_status(), Status::Disconnected);
    client.connect_to_peer(dial(house.port()), true, NAME, Some(&house.certificate)).unwrap();
    house.settle(&mut client);
    client.close_with(AlertDescription::ACCESS_DENIED);
    assert_eq!((client.get_status(), client.error().is_none()), (Status::Disconnected, true));
    wait_for("the alert", || {
        house.poll();
        house.peer().get_status() != Status::Connected
    });
    assert_eq!(house.peer().get_status(), Status::Error);
    let error = house.peer().error().unwrap().to_string();
    assert!(error.contains("access_denied"), "{error}");
}

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
        Some(Error::Handshake(HandshakeError::AlertReceived { authenticated: true, .. }))
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
        // DTLS 1.3 counts the content type too (RFC 8449 section 4).
        assert_eq!(house.peer().get_max_packet_size(), 999);
        let refused = house.peer().put_packet(&[0; 1000]);
        assert_eq!(refused, Err(PacketError::TooLarge { length: 1000, limit: 999 }));
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
