//! The same seeds give the same bytes at the same instants: a failed run can be had again.

use core::time::Duration;

use drystone_tests::deterministic::{identity, settings};
use drystone_tests::identity::{client_config, name, server_config};
use drystone_tests::link::{Direction, Link, LinkSettings};
use drystone_tests::pair::Pair;

/// What one run was given.
#[derive(Clone, Copy)]
struct Seeds {
    identity: u64,
    client: u64,
    server: u64,
    link: u64,
}

const SEEDS: Seeds = Seeds { identity: 1, client: 2, server: 3, link: 4 };

/// A connection over a bad link, with some data each way, and a fingerprint of everything on the wire.
fn trace(seeds: Seeds) -> u64 {
    let identity = identity(seeds.identity);
    let client = client_config(settings(seeds.client), &identity);
    let server = server_config(settings(seeds.server), &identity);
    let link = Link::new(seeds.link, LinkSettings::lossy(0.2));
    let mut pair = Pair::new(client, server, name(), link);
    pair.server.echo = true;
    assert!(pair.connect(), "{pair:?}");
    for size in 1..50 {
        pair.send(Direction::ToServer, &vec![size; usize::from(size)]).unwrap();
    }
    pair.run_for(Duration::from_secs(1));
    assert!(!pair.client.received.is_empty());
    pair.link.trace()
}

#[test]
fn the_same_seeds_give_the_same_trace() {
    assert_eq!(trace(SEEDS), trace(SEEDS));
}

#[test]
fn every_seed_matters() {
    let others = [
        Seeds { identity: 9, ..SEEDS },
        Seeds { client: 9, ..SEEDS },
        Seeds { server: 9, ..SEEDS },
        Seeds { link: 9, ..SEEDS },
    ];
    let trace_of_seeds = trace(SEEDS);
    for (which, other) in others.into_iter().enumerate() {
        assert_ne!(trace(other), trace_of_seeds, "{which}");
    }
}
