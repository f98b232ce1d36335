//! Associations of one endpoint: many at once, restarted ones, ended ones, in either role.

use drystone::{
    CloseReason, Endpoint, EndpointError, Event, FourTuple, Incoming, Misuse, ProtocolVersion, ServerOptions,
    Start,
};
use drystone_tests::identity::{Identity, client_config, name, settings_of};
use drystone_tests::link::LinkSettings;
use drystone_tests::star::{SERVER, Star};

use super::{SECOND, VERSIONS, address, configs};

fn star(version: ProtocolVersion, settings: LinkSettings) -> Star {
    Star::new(configs(version).1, ServerOptions::default(), settings, 7)
}

#[test]
fn many_clients_connect_and_echo_over_a_bad_network() {
    for version in VERSIONS {
        let mut star = star(version, LinkSettings::lossy(0.1));
        star.server.echo = true;
        let config = configs(version).0;
        (0..100).for_each(|number| star.connect(address(number), &config));
        let all = |star: &Star| {
            star.server.connected() == 100 && star.clients.values().all(|client| client.connected() == 1)
        };
        assert!(star.run_until(60 * SECOND, all), "{} of 100", star.server.connected());
        // Each packet is sent until its echo comes: the network loses some.
        for round in 0..20_u8 {
            for number in 0..100 {
                star.send(address(number), &[round, number as u8]);
            }
            star.run_for(SECOND / 10);
        }
        star.run_for(SECOND);
        for (number, (_, client)) in (0..100_u8).zip(&star.clients) {
            assert!(client.packets.len() > 5, "{number}: {}", client.packets.len());
            let own = client.packets[0].1[1];
            assert!(client.packets.iter().all(|(_, packet)| packet[1] == own), "another's packet");
        }
        let stats = star.server.endpoint.stats();
        assert_eq!((stats.accepted, stats.half_open_evicted, stats.peers_refused), (100, 0, 0));
    }
}

/// RFC 6347 section 4.2.8: the newer association takes the address when it is connected, and not before.
#[test]
fn a_client_that_lost_its_state_replaces_its_association_and_nobody_elses() {
    for version in VERSIONS {
        let mut star = star(version, LinkSettings::perfect());
        let config = configs(version).0;
        star.connect_all((0..10).map(address), &config);
        let old: Vec<_> = star.server.endpoint.peers().collect();
        (0..5).for_each(|number| star.connect(address(number), &config));
        star.run_for(5 * SECOND);
        assert_eq!(star.server.connected(), 10);
        let replaced =
            star.server.events.iter().filter(|(_, event)| matches!(event, Event::AssociationReplaced));
        assert_eq!(replaced.count(), 5);
        assert_eq!(star.server.endpoint.peers().filter(|id| old.contains(id)).count(), 5);
        (0..10).for_each(|number| star.send(address(number), b"still here"));
        star.run_for(SECOND);
        assert_eq!(star.server.packets.len(), 10);
    }
}

/// While a challenger's handshake goes on, the older association receives what is for it, and keeps its place if the
/// newcomer comes to nothing.
#[test]
fn a_challenger_that_vanishes_changes_nothing() {
    for version in VERSIONS {
        let mut star = star(version, LinkSettings::perfect());
        let config = configs(version).0;
        star.connect_all([address(1)], &config);
        star.run_for(SECOND);
        let old = star.clients.remove(&address(1)).expect("it is there");
        let first = star.server.peer();
        // A second client at the same address gets as far as a half-open association.
        star.connect(address(1), &config);
        assert!(star.run_until(10 * SECOND, |star| star.server.endpoint.peer_count() == 2));
        star.clients.insert(address(1), old);
        for round in 0..50 {
            star.send(address(1), &[round]);
            star.run_for(SECOND);
        }
        assert_eq!(star.server.packets.len(), 50, "in the order of arrival, each once");
        assert!(star.server.packets.iter().all(|(id, _)| *id == first));
        assert_eq!(star.server.endpoint.peer_count(), 1, "the challenger's deadline is over");
        assert!(star.server.endpoint.connection(first).is_some_and(drystone::Connection::is_connected));
    }
}

/// Application data behind the Finished that connects a challenger is the challenger's, and lies in the caller's buffer.
#[test]
fn data_in_the_datagram_that_connects_a_challenger_arrives() {
    let (client, server) = configs(ProtocolVersion::DTLS_1_3);
    let start = Star::new(server.clone(), ServerOptions::default(), LinkSettings::perfect(), 0).start();
    let mut server = Endpoint::server(server, ServerOptions::default()).unwrap();
    let begin = |server: &mut Endpoint| {
        let mut endpoint = Endpoint::client();
        let peer = endpoint.connect(start, SERVER.into(), name(), client.clone()).unwrap();
        while !endpoint.connection(peer).unwrap().is_connected() {
            datagrams(&mut endpoint, start).iter_mut().for_each(|bytes| deliver(server, start, bytes));
            datagrams(server, start).iter_mut().for_each(|bytes| deliver(&mut endpoint, start, bytes));
        }
        (endpoint, peer)
    };
    let (mut first, _) = begin(&mut server);
    datagrams(&mut first, start).iter_mut().for_each(|bytes| deliver(&mut server, start, bytes));
    datagrams(&mut server, start);
    let old = server.peers().next().unwrap();
    assert!(server.connection(old).unwrap().is_connected());

    let (mut second, peer) = begin(&mut server);
    let mut joined = datagrams(&mut second, start).concat();
    let mut out = [0; 2048];
    for packet in [&b"at once"[..], b"and more"] {
        let transmit = second.send(peer, packet, &mut out).unwrap();
        joined.extend_from_slice(&out[..transmit.len]);
    }
    let whole = joined.as_ptr_range();
    let mut incoming = Incoming::new(FourTuple::from(CLIENT), &mut joined);
    for expected in [&b"at once"[..], b"and more"] {
        let (id, data) = server.receive(start, &mut incoming).unwrap();
        assert_eq!((data.payload as &[u8], id != old), (expected, true));
        assert!(whole.contains(&data.payload.as_ptr()), "decrypted in the caller's buffer");
    }
    assert!(server.receive(start, &mut incoming).is_none());
    datagrams(&mut server, start);
    assert!(server.connection(old).is_none() && server.peer_count() == 1);
}

const CLIENT: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5);

/// What an endpoint has to send.
fn datagrams(endpoint: &mut Endpoint, start: Start) -> Vec<Vec<u8>> {
    let mut out = [0; 2048];
    std::iter::from_fn(|| {
        let transmit = endpoint.poll_transmit(start.now, &mut out)?;
        Some(out[..transmit.len].to_vec())
    })
    .collect()
}

/// Hands a datagram of the handshake to an endpoint, whichever of the two it is for.
fn deliver(endpoint: &mut Endpoint, start: Start, bytes: &mut [u8]) {
    let from = endpoint.peers().find_map(|id| endpoint.address(id)).filter(|known| *known == SERVER);
    let mut incoming = Incoming::new(FourTuple::from(from.unwrap_or(CLIENT)), bytes);
    assert!(endpoint.receive(start, &mut incoming).is_none());
}

#[test]
fn both_ends_close_and_are_gone() {
    for version in VERSIONS {
        let mut star = star(version, LinkSettings::perfect());
        let config = configs(version).0;
        star.connect_all((0..4).map(address), &config);
        star.run_for(SECOND);
        let now = star.now();
        star.server.endpoint.close_all(now);
        star.flush();
        assert_eq!(star.server.endpoint.peer_count(), 0);
        star.run_for(SECOND);
        for client in star.clients.values() {
            let closed = |event: &Event| matches!(event, Event::Closed(CloseReason::Peer));
            assert!(client.events.iter().any(|(_, event)| closed(event)));
            assert_eq!(client.endpoint.peer_count(), 0);
        }
    }
}

#[test]
fn silent_peers_are_gone_after_the_idle_timeout() {
    for version in VERSIONS {
        let mut options = ServerOptions::default();
        options.idle_timeout = Some(20 * SECOND);
        let mut star = Star::new(configs(version).1, options, LinkSettings::perfect(), 9);
        let config = configs(version).0;
        star.connect_all((0..8).map(address), &config);
        star.run_for(SECOND);
        (0..4).for_each(|number| drop(star.clients.remove(&address(number))));
        for _ in 0..30 {
            (4..8).for_each(|number| star.send(address(number), b"alive"));
            star.run_for(SECOND);
        }
        assert_eq!(star.server.endpoint.peer_count(), 4);
        let vanished = |event: &Event| matches!(event, Event::Closed(CloseReason::IdleTimeout(_)));
        assert_eq!(star.server.events.iter().filter(|(_, event)| vanished(event)).count(), 4);
    }
}

/// What a failed handshake leaves, to send its alert again, is in nobody's way.
#[test]
fn an_address_is_free_when_its_handshake_has_failed() {
    for version in VERSIONS {
        let mut star = star(version, LinkSettings::perfect());
        let stranger = Identity::with_intermediate(|| rcgen::KeyPair::generate().unwrap());
        star.connect(address(1), &client_config(settings_of(version), &stranger));
        star.run_for(SECOND);
        let start = star.start();
        let client = star.clients.get_mut(&address(1)).unwrap();
        assert!(matches!(client.events[..], [(_, Event::Failed(_))]), "{:?}", client.events);
        assert_eq!(client.endpoint.peer_count(), 1, "it stays until its deadline");
        client.endpoint.connect(start, SERVER.into(), name(), configs(version).0).unwrap();
        assert!(star.run_until(10 * SECOND, |star| star.server.connected() == 1), "{version}");
        assert_eq!(star.clients[&address(1)].endpoint.peer_count(), 1);
    }
}

/// What does not work says so and changes nothing.
#[test]
fn misuse_is_told() {
    let (client, server) = configs(VERSIONS[1]);
    let start = Start { now: drystone::Instant::default(), unix: None };
    let mut endpoint = Endpoint::server(server, ServerOptions::default()).unwrap();
    let peer = endpoint.connect(start, SERVER.into(), name(), client.clone()).unwrap();
    let again = endpoint.connect(start, SERVER.into(), name(), client);
    assert!(matches!(again, Err(EndpointError::AddressInUse(address)) if address == SERVER));
    let mut out = [0; 2048];
    let sent = endpoint.send(peer, b"early", &mut out);
    assert!(matches!(sent, Err(EndpointError::Misuse(Misuse::NotConnected))));
    let mut buffer = [0; 100];
    let sealed = endpoint.seal(peer, &mut buffer, 20..30);
    assert!(matches!(sealed, Err(EndpointError::Misuse(Misuse::NotConnected))));
    let updated = endpoint.update_keys(start.now, peer, true);
    assert!(matches!(updated, Err(EndpointError::Misuse(_))));
    endpoint.close(start.now, peer);
    while endpoint.poll_transmit(start.now, &mut out).is_some() {}
    assert_eq!(endpoint.peer_count(), 0);
    assert!(matches!(endpoint.send(peer, b"late", &mut out), Err(EndpointError::NoSuchPeer)));
    assert!(endpoint.connection(peer).is_none() && endpoint.address(peer).is_none());
    // Closing it again is no fault.
    endpoint.close(start.now, peer);
}
