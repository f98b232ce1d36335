//! KeyUpdates of DTLS 1.3 while data flows, on a link that loses a fifth of everything.

use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::crypto::KeyLogLabel;
use drystone_handshake::{Misuse, ProtocolVersion};
use drystone_tests::identity::{Identity, client_config, name, server_config, settings_of};
use drystone_tests::key_log::Lines;
use drystone_tests::link::{Direction, Link, LinkSettings};
use drystone_tests::pair::{End, Pair, perfect_link};

/// How often the keys of this direction have changed on the side of this log.
fn changes(log: &Lines, direction: Direction) -> u64 {
    let numbers = log.all().into_iter().filter_map(|(label, ..)| match (label, direction) {
        (KeyLogLabel::ClientTrafficSecret(number), Direction::ToServer) => Some(number),
        (KeyLogLabel::ServerTrafficSecret(number), Direction::ToClient) => Some(number),
        _ => None,
    });
    numbers.max().unwrap_or(0)
}

fn sorted(log: &Lines) -> Vec<String> {
    let lines = log.all().into_iter();
    let mut lines: Vec<_> = lines.map(|(label, _, secret)| format!("{label} {secret:02x?}")).collect();
    lines.sort();
    lines
}

/// A connected pair with both key logs.
struct Talk {
    pair: Pair,
    logs: [Arc<Lines>; 2],
}

impl Talk {
    fn new(link: Link) -> Self {
        let logs = [Arc::new(Lines::default()), Arc::new(Lines::default())];
        let [client, server] = logs.clone().map(|log| {
            let mut settings = settings_of(ProtocolVersion::DTLS_1_3);
            settings.key_log = Some(log);
            settings
        });
        let identity = Identity::p256();
        let (client, server) = (client_config(client, identity), server_config(server, identity));
        let mut pair = Pair::new(client, server, name(), link);
        assert!(pair.connect());
        Self { pair, logs }
    }

    fn end(&mut self, direction: Direction) -> &mut End {
        match direction {
            Direction::ToServer => &mut self.pair.client,
            Direction::ToClient => &mut self.pair.server,
        }
    }

    /// The side that sends in this direction changes its keys.
    fn update(&mut self, direction: Direction, request_peer: bool) {
        let now = self.pair.now();
        self.end(direction).connection().update_keys(now, request_peer).unwrap();
        self.pair.flush();
    }

    /// A packet each way every 20 ms; how many of them arrived in each direction.
    fn chat(&mut self, time: Duration) -> [usize; 2] {
        let until = self.pair.clock.now() + time;
        while self.pair.clock.now() < until {
            for direction in Direction::BOTH {
                self.pair.send(direction, b"position").unwrap();
            }
            self.pair.run_for(Duration::from_millis(20));
        }
        [&mut self.pair.server, &mut self.pair.client].map(|end| end.received.drain(..).count())
    }

    /// How often the keys of this direction have changed, on both sides.
    fn changes(&self, direction: Direction) -> [u64; 2] {
        self.logs.each_ref().map(|log| changes(log, direction))
    }
}

/// The link's own loss, with copies, and jitter.
fn a_fifth_is_lost(seed: u64) -> Link {
    Link::new(seed, LinkSettings::lossy(0.2))
}

/// Which sides update, whether they ask for the same, and how often each direction's keys change at least.
const CASES: [(&[Direction], bool, [u64; 2]); 6] = [
    (&[Direction::ToServer], false, [1, 0]),
    (&[Direction::ToClient], false, [0, 1]),
    (&[Direction::ToServer], true, [1, 1]),
    (&[Direction::ToClient], true, [1, 1]),
    (&Direction::BOTH, false, [1, 1]),
    (&Direction::BOTH, true, [1, 1]),
];

#[test]
fn data_flows_while_keys_change_on_a_lossy_link() {
    for seed in 0..10 {
        for (sides, request_peer, least) in CASES {
            let mut talk = Talk::new(a_fifth_is_lost(seed));
            talk.pair.run_for(Duration::from_secs(5));
            for direction in sides {
                talk.update(*direction, request_peer);
            }
            for second in 0..10 {
                // 50 packets were sent each way: fewer than half would be 4 standard deviations and more.
                let arrived = talk.chat(Duration::from_secs(1));
                let what = format!("seed {seed}, {sides:?}, {request_peer}, second {second}: {arrived:?}");
                assert!(arrived.iter().all(|count| *count >= 25), "{what}");
            }
            for (direction, least) in Direction::BOTH.into_iter().zip(least) {
                let [client, server] = talk.changes(direction);
                let what = format!("seed {seed}, {sides:?}, {request_peer}, {direction:?}");
                assert_eq!(client, server, "{what}: both sides know the newest keys");
                assert!(client >= least && client <= 2 * least, "{what}: {client}");
            }
            assert!(talk.pair.client.events.is_empty() && talk.pair.server.events.is_empty());
        }
    }
}

#[test]
fn a_hundred_updates_in_a_row() {
    for request_peer in [false, true] {
        let mut talk = Talk::new(a_fifth_is_lost(8));
        let mut rounds = 0;
        while talk.changes(Direction::ToServer)[0] < 100 {
            talk.update(Direction::ToServer, request_peer);
            talk.chat(Duration::from_millis(100));
            rounds += 1;
            assert!(rounds < 2000, "{:?}", talk.changes(Direction::ToServer));
        }
        talk.pair.link.set_settings(LinkSettings::perfect());
        talk.pair.run_for(Duration::from_secs(60));
        // The last ones may be under way still.
        let arrived = talk.chat(Duration::from_secs(1));
        assert!(arrived.iter().all(|count| *count >= 49), "nothing is lost any more: {arrived:?}");
        assert_eq!(sorted(&talk.logs[0]), sorted(&talk.logs[1]), "every key on both sides");
        let of_server = talk.changes(Direction::ToClient)[0];
        assert_eq!(of_server > 0, request_peer, "{of_server}");
    }
}

/// Calls before the ACK count as one.
#[test]
fn requests_merge() {
    let mut talk = Talk::new(perfect_link());
    // The handshake's last flight is acknowledged before.
    talk.pair.run_for(Duration::from_secs(1));
    for _ in 0..10 {
        talk.update(Direction::ToServer, false);
    }
    talk.chat(Duration::from_secs(2));
    assert_eq!(talk.changes(Direction::ToServer), [1, 1], "all of them are one");
    assert_eq!(talk.changes(Direction::ToClient), [0, 0]);
}

#[test]
fn dtls_1_2_has_no_key_update() {
    let settings = || settings_of(ProtocolVersion::DTLS_1_2);
    let identity = Identity::p256();
    let (client, server) = (client_config(settings(), identity), server_config(settings(), identity));
    let mut pair = Pair::new(client, server, name(), perfect_link());
    let now = pair.now();
    assert_eq!(pair.client.connection().update_keys(now, false), Err(Misuse::NotConnected));
    assert!(pair.connect());
    let now = pair.now();
    assert_eq!(pair.client.connection().update_keys(now, false), Err(Misuse::NoKeyUpdate));
}

/// A flight that did not get through is cut to the new size when it is sent again.
#[test]
fn flights_are_cut_anew_when_the_mtu_changes() {
    for version in drystone_tests::scenario::VERSIONS {
        let identity = Identity::rsa_chain();
        let (client, server) =
            (client_config(settings_of(version), identity), server_config(settings_of(version), identity));
        let link = LinkSettings { path_mtu: Some(300), ..LinkSettings::perfect() };
        let mut pair = Pair::new(client, server, name(), Link::new(1, link));
        pair.client.connection().set_mtu(300);
        let met = pair.run_until(Duration::from_secs(5), |pair| pair.server.connection.is_some());
        assert!(met, "{version}: {pair:?}");
        pair.flush();
        assert!(pair.link.statistics(Direction::ToClient).oversize > 0, "{version}");
        pair.server.connection().set_mtu(300);
        assert!(pair.connect(), "{version}: {pair:?}");
        assert!(pair.clock.now() < Duration::from_secs(2), "{version}: {:?}", pair.clock.now());
    }
}
