//! The shortest whole DTLS 1.3 handshakes.

use core::time::Duration;

use drystone_handshake::{NamedGroup, ProtocolVersion};
use drystone_tests::identity::{Identity, client_config, name, server_config, settings_of_both};
use drystone_tests::link::Direction;
use drystone_tests::pair::{Pair, perfect_link};
use drystone_tests::scenario::Variant;

/// Connects, echoes a packet, and waits until everything is acknowledged.
fn meet(mut pair: Pair) -> NamedGroup {
    assert!(pair.connect(), "{:?} {:?}", pair.client.events, pair.server.events);
    pair.server.echo = true;
    pair.send(Direction::ToServer, b"hello").expect("connected");
    pair.run_for(Duration::from_secs(10));
    assert_eq!(pair.client.received.pop_front().as_deref(), Some(&b"hello"[..]));
    for end in [&mut pair.client, &mut pair.server] {
        let stats = end.connection().stats().clone();
        assert_eq!(stats.total(), 0, "nothing is dropped on a perfect link: {stats:?}");
    }
    let [client, server] =
        [&pair.client, &pair.server].map(|end| end.connected.as_ref().expect("connected").clone());
    assert_eq!((client.version, server.version), (ProtocolVersion::DTLS_1_3, ProtocolVersion::DTLS_1_3));
    assert_eq!((client.group, client.cipher_suite), (server.group, server.cipher_suite));
    client.group
}

fn pair() -> Pair {
    let identity = Identity::p256();
    let client = client_config(settings_of_both(), identity);
    Pair::new(client, server_config(settings_of_both(), identity), name(), perfect_link())
}

#[test]
fn with_a_cookie_the_hybrid_group_costs_no_round_trip() {
    assert_eq!(meet(pair()), NamedGroup::X25519MLKEM768);
}

#[test]
fn without_a_cookie_the_server_asks_for_the_share() {
    assert_eq!(meet(pair().without_cookie()), NamedGroup::X25519MLKEM768);
}

#[test]
fn chains_small_datagrams_and_client_certificates() {
    for variant in Variant::ALL {
        let (client, server) = variant.configs_with(settings_of_both(), settings_of_both());
        meet(Pair::new(client, server, name(), perfect_link()));
    }
}
