//! How connections of `PacketPeerDtls` end without the other side's word: by time, and by what the network says.

mod house;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use drystone::packet_peer::Error;
use drystone::{PacketPeer, PacketPeerDtls, Status};

use house::{House, NAME, PATIENCE, Relay, a_moment, dial, identity, wait_for, with_last_byte_changed};

/// A handshake deadline of 2 s against a black hole ends then, not before, with a reason that says so.
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
    assert!(elapsed >= Duration::from_secs(2), "{elapsed:?}");
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
    assert!(elapsed >= Duration::from_millis(1900), "{elapsed:?}");
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
    assert!(elapsed >= Duration::from_millis(1900), "{elapsed:?}");
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
    // Long enough for a loaded machine to send something in.
    let idle = Duration::from_secs(3);
    let mut house = House::with(|_, dtls| dtls.set_idle_timeout(Some(idle)));
    let mut busy = house.guest();
    let vanished = house.guest();
    while house.peers[1].get_status() == Status::Connected {
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
    assert!(begin.elapsed() >= Duration::from_millis(400), "{:?}", begin.elapsed());
}

// ---- refusals of the network ----

/// A refused port gives Error with "nothing listens there".
#[test]
#[cfg(target_os = "linux")]
fn a_refused_port_is_an_error_that_says_so() {
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, certificate) = identity();
    let mut client = PacketPeerDtls::new();
    client.connect_to_peer(dial(nobody.port()), true, NAME, Some(&certificate)).unwrap();
    wait_for("the refusal", || {
        client.poll();
        client.get_status() != Status::Handshaking
    });
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
