//! A path that carries less than the settings say: found out by flights that got through only when they were cut smaller, or
//! told by the transport. Senders hear of it.

use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::{
    ClientConfig, Connection, Credentials, Event, Misuse, ProtocolVersion, ServerConfig, Settings,
};
use drystone_tests::identity::{Identity, name, settings_of};
use drystone_tests::link::{Direction, Link, LinkSettings};
use drystone_tests::pair::{End, Pair};
use drystone_tests::scenario::VERSIONS;

/// A pair whose path carries `path` bytes; both ends present RSA chains, so that both have flights larger than that.
fn pair(version: ProtocolVersion, path: usize, change: impl Fn(&mut Settings)) -> Pair {
    let rsa = Identity::rsa_chain();
    let settings = || {
        let mut settings = settings_of(version);
        change(&mut settings);
        settings
    };
    let client = ClientConfig::new(settings(), rsa.policy()).unwrap();
    let client = client.with_credentials(Credentials::single(rsa.credential()));
    let server = ServerConfig::new(settings(), Credentials::single(rsa.credential())).unwrap();
    let asks = drystone_handshake::ClientAuth::Require(Arc::new(rsa.policy()));
    let link = LinkSettings { path_mtu: Some(path), ..LinkSettings::perfect() };
    Pair::new(Arc::new(client), Arc::new(server.with_client_auth(asks)), name(), Link::new(1, link))
}

fn reduced(end: &End) -> Option<(usize, usize)> {
    end.events.iter().rev().find_map(|event| match event {
        Event::MtuReduced { mtu, max_payload } => Some((*mtu, *max_payload)),
        _ => None,
    })
}

fn is_limited(connection: &mut Connection) {
    let limit = connection.max_payload();
    assert_eq!(limit, connection.max_unfragmented_payload());
    let mut out = [0; 2048];
    assert_eq!(connection.send(&vec![0; limit + 1], &mut out), Err(Misuse::PayloadTooLarge { limit }));
    assert!(connection.send(&vec![0; limit], &mut out).is_ok_and(|length| length <= connection.mtu()));
}

#[test]
fn a_path_that_made_flights_shrink_limits_packets_and_is_told() {
    for version in VERSIONS {
        let mut pair = pair(version, 600, |_| ());
        assert!(pair.connect(), "{version}");
        pair.run_for(Duration::from_secs(20));
        for end in [&mut pair.client, &mut pair.server] {
            let connection = end.connection();
            assert_eq!(connection.mtu(), 508, "{version}");
            is_limited(connection);
            let max_payload = connection.max_payload();
            assert_eq!(reduced(end), Some((508, max_payload)), "{version}");
        }
        pair.echoes();
    }
}

/// The next flights begin with the size that got through.
#[test]
fn a_size_that_got_through_is_kept_for_the_flights_that_follow() {
    for version in VERSIONS {
        let mut narrow = pair(version, 600, |_| ());
        assert!(narrow.connect());
        let lost = |direction| narrow.link.statistics(direction).oversize;
        // Three transmissions of the server's flight, and of the client's, each in at most three datagrams that are too large.
        assert!(lost(Direction::ToClient) <= 3 * 3 + 3, "{version}: {}", lost(Direction::ToClient));
        assert!(lost(Direction::ToServer) <= 3 * 3 + 3, "{version}: {}", lost(Direction::ToServer));
    }
}

#[test]
fn who_asks_for_ip_fragments_is_told_and_not_limited() {
    for version in VERSIONS {
        let mut pair = pair(version, 600, |settings| settings.ip_fragmentation = true);
        assert!(pair.connect());
        pair.run_for(Duration::from_secs(20));
        let connection = pair.client.connection();
        assert_eq!((connection.mtu(), connection.max_payload()), (508, 16_384));
        let unfragmented = connection.max_unfragmented_payload();
        assert_eq!(reduced(&pair.client), Some((508, unfragmented)));
    }
}

#[test]
fn nothing_is_told_of_a_path_that_carries_the_mtu() {
    for version in VERSIONS {
        let mut pair = pair(version, 1200, |_| ());
        assert!(pair.connect());
        pair.run_for(Duration::from_secs(20));
        for end in [&mut pair.client, &mut pair.server] {
            assert_eq!((end.connection().mtu(), end.connection().max_payload()), (1200, 16_384));
            assert_eq!(reduced(end), None);
        }
    }
}

/// A server that is not there yet is no narrow path.
#[test]
fn a_server_that_comes_late_says_nothing_of_the_path() {
    for version in VERSIONS {
        let mut pair = pair(version, 1200, |_| ());
        pair.link.drop_datagrams(Direction::ToServer, 0..5);
        assert!(pair.connect(), "{version}");
        pair.run_for(Duration::from_secs(20));
        assert_eq!((pair.client.connection().mtu(), reduced(&pair.client)), (1200, None), "{version}");
    }
}

/// EMSGSIZE, in the handshake: the flight is cut anew and sent at once, not when its timer expires.
#[test]
fn a_datagram_that_the_transport_refuses_is_cut_anew_at_once() {
    for version in VERSIONS {
        let mut pair = pair(version, 600, |_| ());
        let told = |end: &mut End, now, limit: usize| {
            let Some(connection) = &mut end.connection else { return };
            if connection.mtu() > limit {
                connection.datagram_too_large(now, connection.mtu());
            }
        };
        let mut steps = 0;
        while !(pair.client.is_connected() && pair.server.is_connected()) {
            let now = pair.now();
            told(&mut pair.client, now, 600);
            told(&mut pair.server, now, 600);
            pair.flush();
            assert!(pair.step(Duration::from_secs(60)), "{version}");
            steps += 1;
            assert!(steps < 1_000);
        }
        assert!(pair.clock.now() < Duration::from_secs(1), "{version}: {:?}", pair.clock.now());
        pair.run_for(Duration::from_secs(5));
        for end in [&mut pair.client, &mut pair.server] {
            assert_eq!(end.connection().mtu(), 508);
            is_limited(end.connection());
            assert!(reduced(end).is_some());
        }
    }
}

/// EMSGSIZE for a packet: the sizes fall step by step, and not below the least.
#[test]
fn sizes_fall_step_by_step() {
    for version in VERSIONS {
        let mut pair = pair(version, 65_507, |settings| settings.mtu = 1_400);
        pair.link.set_settings(LinkSettings { mtu: 1_400, ..LinkSettings::perfect() });
        assert!(pair.connect());
        pair.run_for(Duration::from_secs(5));
        let now = pair.now();
        let connection = pair.client.connection();
        // A packet that IP should have fragmented: the MTU holds for it from now on.
        assert!(connection.max_payload() > 10_000);
        connection.datagram_too_large(now, 1_401);
        is_limited(connection);
        pair.flush();
        assert_eq!(reduced(&pair.client), Some((1_400, pair.client.connection().max_payload())));
        let connection = pair.client.connection();
        for (refused, expected) in
            [(1_401, 1_400), (1_400, 1_232), (1_300, 1_232), (1_232, 508), (400, 228), (228, 228), (1, 228)]
        {
            connection.datagram_too_large(now, refused);
            assert_eq!(connection.mtu(), expected, "{refused}");
        }
        is_limited(connection);
        // The caller knows better.
        connection.set_mtu(1_000);
        assert_eq!(connection.mtu(), 1_000);
        is_limited(connection);
        pair.flush();
        pair.echoes();
    }
}
