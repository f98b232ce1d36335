//! The shortest whole DTLS 1.3 handshake.

use drystone_handshake::message::registry::ProtocolVersion;
use drystone_tests::identity::{Identity, client_config, name, server_config, settings_of};
use drystone_tests::link::Direction;
use drystone_tests::pair::{Pair, perfect_link};

#[test]
fn data_flows_both_ways() {
    let settings = || settings_of(ProtocolVersion::DTLS_1_3);
    let identity = Identity::p256();
    let client = client_config(settings(), identity);
    let mut pair =
        Pair::new(client, server_config(settings(), identity), name(), perfect_link()).without_cookie();
    assert!(pair.connect(), "{:?} {:?}", pair.client.events, pair.server.events);
    for end in [&pair.client, &pair.server] {
        let connected = end.connected.as_ref().expect("connected");
        assert_eq!(connected.version, ProtocolVersion::DTLS_1_3);
    }
    pair.server.echo = true;
    pair.send(Direction::ToServer, b"hello").expect("connected");
    pair.run_for(core::time::Duration::from_secs(10));
    assert_eq!(pair.client.received.pop_front().as_deref(), Some(&b"hello"[..]));
    assert_eq!(pair.client.connection().stats().total(), 0, "{:?}", pair.client.connection().stats());
    assert_eq!(pair.server.connection().stats().total(), 0, "{:?}", pair.server.connection().stats());
}
