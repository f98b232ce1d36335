//! Every handshake completes, whatever single datagrams are lost, in both versions.

use core::time::Duration;

use drystone_handshake::{FirstKeyShare, ProtocolVersion};
use drystone_tests::identity::{name, settings_of};
use drystone_tests::link::{Direction, Link, LinkSettings};
use drystone_tests::pair::Pair;
use drystone_tests::scenario::{VERSIONS, Variant};

/// What is tried against every loss.
#[derive(Clone, Copy, Debug)]
struct Case {
    version: ProtocolVersion,
    variant: Variant,
    cookie: bool,
    /// The first hello has the largest share.
    large_share: bool,
}

impl Case {
    /// Each version as it comes; DTLS 1.3 also without a cookie, and with a first hello of two datagrams or more.
    fn all(variant: Variant) -> Vec<Self> {
        let mut cases = Vec::new();
        for version in VERSIONS {
            cases.push(Self { version, variant, cookie: true, large_share: false });
        }
        let version = ProtocolVersion::DTLS_1_3;
        for (cookie, large_share) in [(false, false), (true, true), (false, true)] {
            cases.push(Self { version, variant, cookie, large_share });
        }
        cases
    }

    fn pair(self) -> Pair {
        let mut of_client = settings_of(self.version);
        if self.large_share {
            of_client.first_key_share = FirstKeyShare::Preferred;
        }
        let (client, server) = self.variant.configs_with(of_client, settings_of(self.version));
        let link = LinkSettings { mtu: self.variant.mtu(), ..LinkSettings::perfect() };
        let pair = Pair::new(client, server, name(), Link::new(1, link));
        if self.cookie { pair } else { pair.without_cookie() }
    }

    /// The longest that a handshake takes with so many losses. The first timeout is 400 ms, the second 800 ms; the rest is
    /// round trips of 60 ms. Without a cookie a server may send only three bytes for each that it has received, so that
    /// one expiry may not be enough to send what was lost.
    fn limit(self, losses: usize) -> Duration {
        let limits = if self.cookie { [1100, 2000] } else { [2500, 4500] };
        Duration::from_millis(limits[losses - 1])
    }

    /// The datagrams of each direction where nothing is lost: with what comes after the handshake.
    fn datagrams(self) -> Vec<(Direction, u64)> {
        let mut pair = self.pair();
        assert!(pair.connect(), "{self:?}: {pair:?}");
        pair.run_for(Duration::from_secs(1));
        Direction::BOTH
            .into_iter()
            .flat_map(|direction| {
                let count = pair.link.statistics(direction).sent;
                (0..count).map(move |index| (direction, index))
            })
            .collect()
    }
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

/// Each datagram is lost once: whoever misses it has it after one timeout, or two where one of the retransmissions
/// depends on the other.
fn survives_every_single_loss(variant: Variant) {
    for case in Case::all(variant) {
        for (direction, index) in case.datagrams() {
            let mut pair = case.pair();
            pair.link.drop_datagrams(direction, [index]);
            let what = format!("{case:?} without {direction:?} {index}");
            assert!(pair.connect(), "{what}: {pair:?}");
            let took = pair.clock.now();
            assert!(took <= case.limit(1), "{what}: {took:?}");
            completes_and_echoes(&mut pair, &what);
        }
    }
}

fn survives_every_pair_of_losses(variant: Variant) {
    for case in Case::all(variant) {
        let losses = case.datagrams();
        for (place, (first_way, first)) in losses.iter().enumerate() {
            for (second_way, second) in &losses[place + 1..] {
                let mut pair = case.pair();
                pair.link.drop_datagrams(*first_way, [*first]);
                pair.link.drop_datagrams(*second_way, [*second]);
                let what = format!("{case:?} without {first_way:?} {first} and {second_way:?} {second}");
                assert!(pair.connect(), "{what}: {pair:?}");
                let took = pair.clock.now();
                assert!(took <= case.limit(2), "{what}: {took:?}");
                completes_and_echoes(&mut pair, &what);
            }
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
    for (version, variant) in everything() {
        for seed in 0..40 {
            let mut pair = variant.pair_of(version, seed, LinkSettings::lossy(0.1));
            assert!(pair.connect(), "{version} {variant:?} seed {seed}: {pair:?}");
        }
    }
}

fn everything() -> impl Iterator<Item = (ProtocolVersion, Variant)> {
    VERSIONS.into_iter().flat_map(|version| Variant::ALL.map(|variant| (version, variant)))
}

/// Every datagram of the handshake comes twice, ACKs too, the copy after a delay.
#[test]
fn handshakes_survive_doubled_datagrams() {
    for (version, variant) in everything() {
        for late_by in [0, 10, 200, 1000] {
            let link = LinkSettings {
                duplicate: 1.0,
                jitter: Duration::from_millis(20),
                late: 0.5,
                late_by: Duration::from_millis(late_by),
                ..LinkSettings::perfect()
            };
            let mut pair = variant.pair_of(version, late_by, link);
            assert!(pair.connect(), "{version} {variant:?} late by {late_by}: {pair:?}");
            pair.run_for(Duration::from_secs(20));
            let sent = Direction::BOTH.map(|direction| pair.link.statistics(direction).sent);
            assert!(sent.iter().all(|sent| *sent < 80), "{version} {variant:?}: {sent:?} datagrams");
        }
    }
}
