//! Peers that are honest and different (`drystone_tests::unusual`): every one of them connects with us.

use core::time::Duration;

use drystone_handshake::ProtocolVersion;
use drystone_handshake::crypto::Side;
use drystone_tests::identity::{name, settings_of};
use drystone_tests::link::{Link, LinkSettings};
use drystone_tests::pair::Pair;
use drystone_tests::scenario::{VERSIONS, Variant};
use drystone_tests::unusual::{Ending, Meeting};

/// How long a meeting may take: as long as the waits of a peer that doubles them, and loses often.
const LIMIT: Duration = Duration::from_secs(3_600);

/// Seeds for each side and version in the default run.
const SEEDS: u64 = 150;

fn sides() -> impl Iterator<Item = (Side, ProtocolVersion)> {
    [Side::Client, Side::Server].into_iter().flat_map(|side| VERSIONS.map(|version| (side, version)))
}

#[test]
fn every_unusual_peer_connects_where_nothing_is_lost() {
    for (side, version) in sides() {
        for seed in 0..SEEDS {
            let mut meeting = Meeting::new(seed, side, version, LinkSettings::perfect());
            let ending = meeting.run(LIMIT);
            assert_eq!(ending, Ending::Complete, "{side:?} {version} {seed}: {:?}", meeting.peer.habits);
            meeting.talk();
        }
    }
}

/// What came of many meetings, and how long the complete ones took.
#[derive(Debug, Default)]
struct Tally {
    complete: usize,
    deadline: usize,
    times: Vec<Duration>,
}

impl Tally {
    fn take(&mut self, ending: &Ending, time: Duration, what: &str) {
        match ending {
            Ending::Complete => {
                self.complete += 1;
                self.times.push(time);
            }
            Ending::Deadline => self.deadline += 1,
            Ending::Open(..) | Ending::Fault(_) => panic!("{what}: {ending:?}"),
        }
    }

    fn median(&mut self) -> Duration {
        self.times.sort_unstable();
        self.times.get(self.times.len() / 2).copied().unwrap_or_default()
    }
}

/// Our own two ends on the same links, for comparison.
fn honest(version: ProtocolVersion, meetings: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..meetings {
        let (client, server) = Variant::Small.configs_with(settings_of(version), settings_of(version));
        let mut pair = Pair::new(client, server, name(), Link::new(seed, LinkSettings::lossy(LOSS)));
        let ending = if pair.connect() { Ending::Complete } else { Ending::Deadline };
        tally.take(&ending, pair.clock.now(), "ours");
    }
    tally
}

const LOSS: f64 = 0.2;

/// `DRYSTONE_UNUSUAL_MEETINGS` sets how many there are for each side and version; 100 by default. All are complete, or end by
/// the deadline of ours like handshakes with a peer of our own kind: slow timers and small datagrams lose more often.
#[test]
fn on_a_lossy_link_they_connect_or_end_by_the_deadline() {
    let meetings = std::env::var("DRYSTONE_UNUSUAL_MEETINGS").ok().and_then(|count| count.parse().ok());
    let meetings: u64 = meetings.unwrap_or(100);
    for version in VERSIONS {
        let mut ours = honest(version, meetings);
        let (complete, deadline, median) = (ours.complete, ours.deadline, ours.median());
        println!("{version}, ours: {complete} complete in {median:?}, {deadline} by deadline");
    }
    for (side, version) in sides() {
        let mut tally = Tally::default();
        for seed in 0..meetings {
            let mut meeting = Meeting::new(seed, side, version, LinkSettings::lossy(LOSS));
            let ending = meeting.run(LIMIT);
            let what = format!("{side:?} {version} {seed}: {:?}", meeting.peer.habits);
            tally.take(&ending, meeting.time(), &what);
            if ending == Ending::Complete {
                meeting.talk();
            } else {
                println!("{what}: {ending:?}");
            }
        }
        let (complete, deadline, median) = (tally.complete, tally.deadline, tally.median());
        println!(
            "an unusual {side:?} of {version}: {complete} complete in {median:?}, {deadline} by deadline"
        );
    }
}
