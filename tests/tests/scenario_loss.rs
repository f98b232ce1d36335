//! Every handshake completes, whatever single datagrams are lost.

use core::time::Duration;

use drystone_tests::link::{Direction, LinkSettings};
use drystone_tests::pair::Pair;
use drystone_tests::scenario::Variant;

/// How many datagrams each direction takes where nothing is lost.
fn undisturbed(variant: Variant) -> [u64; 2] {
    let mut pair = variant.pair(1, LinkSettings::perfect());
    assert!(pair.connect(), "{variant:?}: {pair:?}");
    Direction::BOTH.map(|direction| pair.link.statistics(direction).sent)
}

fn completes_and_echoes(pair: &mut Pair, what: &str) {
    assert!(pair.connect(), "{what}: {pair:?}");
    pair.server.echo = true;
    for packet in 0..3 {
        pair.send(Direction::ToServer, &[packet; 20]).unwrap();
    }
    pair.run_for(Duration::from_secs(1));
    let echoes: Vec<_> = pair.client.received.drain(..).collect();
    assert_eq!(echoes, [[0; 20], [1; 20], [2; 20]], "{what}");
    for end in [&pair.client, &pair.server] {
        assert!(end.events.is_empty(), "{what}: {:?}", end.events);
    }
}

fn single_losses(variant: Variant) -> Vec<(Direction, u64)> {
    let counts = undisturbed(variant);
    Direction::BOTH
        .into_iter()
        .zip(counts)
        .flat_map(|(direction, count)| (0..count).map(move |index| (direction, index)))
        .collect()
}

fn survives_every_single_loss(variant: Variant) {
    for (direction, index) in single_losses(variant) {
        let mut pair = variant.pair(1, LinkSettings::perfect());
        pair.link.drop_datagrams(direction, [index]);
        completes_and_echoes(&mut pair, &format!("{variant:?} without {direction:?} {index}"));
    }
}

fn survives_every_pair_of_losses(variant: Variant) {
    let losses = single_losses(variant);
    for (place, (first_way, first)) in losses.iter().enumerate() {
        for (second_way, second) in &losses[place + 1..] {
            let mut pair = variant.pair(1, LinkSettings::perfect());
            pair.link.drop_datagrams(*first_way, [*first]);
            pair.link.drop_datagrams(*second_way, [*second]);
            let what = format!("{variant:?} without {first_way:?} {first} and {second_way:?} {second}");
            completes_and_echoes(&mut pair, &what);
        }
    }
}

#[test]
fn a_small_handshake_survives_every_single_loss() {
    survives_every_single_loss(Variant::Small);
}

#[test]
fn an_rsa_handshake_with_an_intermediate_survives_every_single_loss() {
    survives_every_single_loss(Variant::Rsa);
}

#[test]
fn a_mutual_handshake_in_small_datagrams_survives_every_single_loss() {
    survives_every_single_loss(Variant::Mutual);
}

#[test]
fn a_small_handshake_survives_every_pair_of_losses() {
    survives_every_pair_of_losses(Variant::Small);
}

#[test]
fn an_rsa_handshake_with_an_intermediate_survives_every_pair_of_losses() {
    survives_every_pair_of_losses(Variant::Rsa);
}

#[test]
fn a_mutual_handshake_in_small_datagrams_survives_every_pair_of_losses() {
    survives_every_pair_of_losses(Variant::Mutual);
}

#[test]
fn handshakes_survive_random_loss_doubling_and_reordering() {
    for variant in Variant::ALL {
        for seed in 0..40 {
            let mut pair = variant.pair(seed, LinkSettings::lossy(0.1));
            assert!(pair.connect(), "{variant:?} seed {seed}: {pair:?}");
        }
    }
}

/// Every datagram of the handshake comes twice, the copy after a delay.
#[test]
fn handshakes_survive_doubled_datagrams() {
    for variant in Variant::ALL {
        for late_by in [0, 10, 200, 1000] {
            let link = LinkSettings {
                duplicate: 1.0,
                jitter: Duration::from_millis(20),
                late: 0.5,
                late_by: Duration::from_millis(late_by),
                ..LinkSettings::perfect()
            };
            let mut pair = variant.pair(late_by, link);
            assert!(pair.connect(), "{variant:?} late by {late_by}: {pair:?}");
            pair.run_for(Duration::from_secs(20));
            let sent = Direction::BOTH.map(|direction| pair.link.statistics(direction).sent);
            assert!(sent.iter().all(|sent| *sent < 60), "{variant:?}: {sent:?} datagrams");
        }
    }
}
