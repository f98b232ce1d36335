//! The packets of `PacketPeerDtls`: queued, refused, empty, too large, forged.

mod house;

use std::io::ErrorKind;
use std::time::Duration;

use drystone::packet_peer::Error;
use drystone::{Discard, PacketError, PacketPeer, PacketPeerDtls, Status};

use house::{House, NAME, Relay, a_moment, dial, wait_for, with_last_byte_changed};

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

/// Before a connection there is an estimate, which follows the MTU that was set.
#[test]
fn what_travels_uncut_is_known_before_the_connection() {
    let mut peer = PacketPeerDtls::new();
    assert_eq!(peer.max_unfragmented_packet_size(), 1163);
    peer.set_mtu(500);
    assert_eq!(peer.max_unfragmented_packet_size(), 463);
    peer.set_mtu(0);
    assert_eq!(peer.max_unfragmented_packet_size(), 0);
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
        (PacketError::TooLarge { length: 2, limit: 1 }, 27),
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
        // ACKs of the handshake were forged too.
        assert!(forgeries_seen(&client) >= round && forgeries_seen(house.peer()) >= round);
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
            let encrypted = ends_encrypted(genuine);
            forgeries += usize::from(encrypted);
            encrypted.then(|| with_last_byte_changed(genuine))
        });
        house.poll();
        client.poll();
        client.get_status() == Status::Connected && house.peer().get_status() == Status::Connected
    });
    assert!(forgeries >= 2);
    assert!(forgeries_seen(&client) >= 1 && forgeries_seen(house.peer()) >= 1);
}

/// Whether the last record of a datagram of the handshake is encrypted: it has a unified header (RFC 9147 section 4), and
/// stands alone or behind plaintext records.
fn ends_encrypted(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while let [22, _, _, 0, 0, _, _, _, _, _, _, high, low, following @ ..] = rest {
        rest = &following[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    rest.first().is_some_and(|first| first & 0xe0 == 0x20)
}
