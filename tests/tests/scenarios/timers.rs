//! The retransmission timer as callers see it.

use core::time::Duration;

use drystone_tests::identity::{Identity, client_config, name, server_config, settings};
use drystone_tests::link::{Direction, Link, LinkSettings};
use drystone_tests::pair::Pair;

#[test]
fn the_initial_timeout_can_be_changed_while_it_runs() {
    let identity = Identity::p256();
    let black_hole = Link::new(1, LinkSettings { loss_to_server: 1.0, ..LinkSettings::perfect() });
    let mut pair = Pair::new(
        client_config(settings(), identity),
        server_config(settings(), identity),
        name(),
        black_hole,
    );
    pair.flush();
    let timeout = |pair: &mut Pair| pair.client.connection().poll_timeout().unwrap().since_origin();
    assert_eq!(timeout(&mut pair), Duration::from_millis(400));
    pair.client.connection().set_initial_timeout(Duration::from_millis(100));
    assert_eq!(timeout(&mut pair), Duration::from_millis(100));
    pair.run_for(Duration::from_millis(350));
    assert_eq!(pair.link.statistics(Direction::ToServer).sent, 3, "at 0, 100 and 300 ms");
    pair.client.connection().set_initial_timeout(Duration::ZERO);
    assert_eq!(timeout(&mut pair), Duration::from_millis(304), "1 ms, doubled twice");
}
