//! DTLS 1.2 between our own client and server.

use core::time::Duration;

use drystone_handshake::ProtocolVersion;
use drystone_tests::identity::{Identity, client_config, name, server_config, settings};
use drystone_tests::link::Direction;
use drystone_tests::pair::{Pair, perfect_link};

#[test]
fn client_and_server_connect_and_talk() {
    let identity = Identity::p256();
    let client = client_config(settings(), identity);
    let server = server_config(settings(), identity);
    let mut pair = Pair::new(client, server, name(), perfect_link());
    assert!(pair.connect(), "{pair:?}");
    let connected = pair.client.connected.as_ref().unwrap();
    assert_eq!(connected.version, ProtocolVersion::DTLS_1_2);
    assert_eq!(connected.peer_chain, identity.chain);
    pair.server.echo = true;
    for size in [1, 100, 1100] {
        pair.send(Direction::ToServer, &vec![7; size]).unwrap();
    }
    pair.run_for(Duration::from_secs(1));
    let sizes: Vec<_> = pair.client.received.iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 100, 1100]);
}
