//! The null provider is a provider: a whole handshake runs over it, and only the checked one notices a mutation.

use core::time::Duration;

use drystone_handshake::{Discard, ProtocolVersion};
use drystone_tests::identity::name;
use drystone_tests::link::Direction;
use drystone_tests::null::{self, Integrity};
use drystone_tests::pair::{Pair, perfect_link};

fn connected(integrity: Integrity) -> Pair {
    let (client, server) = null::configs(ProtocolVersion::DTLS_1_2, integrity);
    let mut pair = Pair::new(client, server, name(), perfect_link());
    assert!(pair.connect(), "{pair:?}");
    pair
}

/// The first byte of a record's payload under an explicit nonce.
const TEXT: usize = 13 + 8;

#[test]
fn a_mutation_passes_the_open_aead() {
    let mut pair = connected(Integrity::Open);
    let mut record = [0; 100];
    let length = pair.client.connection().send(b"hello", &mut record).unwrap();
    record[TEXT] = b'j';
    pair.deliver(Direction::ToServer, &mut record[..length]);
    assert_eq!(pair.server.received, [b"jello"]);
}

#[test]
fn a_mutation_does_not_pass_the_checked_aead() {
    let mut pair = connected(Integrity::Checked);
    let mut record = [0; 100];
    let length = pair.client.connection().send(b"hello", &mut record).unwrap();
    let mut mutated = record;
    mutated[TEXT] = b'j';
    pair.deliver(Direction::ToServer, &mut mutated[..length]);
    assert!(pair.server.received.is_empty());
    assert_eq!(pair.server.connection().stats().get(Discard::AuthenticationFailed), 1);
    pair.deliver(Direction::ToServer, &mut record[..length]);
    assert_eq!(pair.server.received, [b"hello"]);
    pair.run_for(Duration::from_secs(1));
    assert!(pair.client.is_connected() && pair.server.is_connected());
}
