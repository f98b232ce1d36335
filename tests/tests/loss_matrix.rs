//! The loss matrix: handshakes over a bad network in simulated time, thousands per cell, in both versions.
//!
//! Loss is independent per datagram and direction; round trip 60 ms +- 30 ms, 2 % of the datagrams arrive twice, 5 %
//! come 30 ms late. A run counts if both sides are connected and three packets have come back within 30 s; every
//! failure must be the handshake's deadline and nothing else.
//!
//! Time is simulated and no message's length is random, so that the same seeds give the same table: it is compared
//! with a committed snapshot. A change of timers, packing or messages changes it, on purpose: set
//! `DRYSTONE_UPDATE_SNAPSHOTS=1`, look at the difference, and explain it in the commit.
//!
//! `DRYSTONE_LOSS_HANDSHAKES` sets the handshakes per cell (default 200).

use core::fmt::Write;
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use drystone_handshake::{
    ClientAuth, ClientConfig, Credentials, Error, Event, NamedGroup, ProtocolVersion, ServerConfig, Settings,
};
use drystone_tests::identity::{Identity, name, settings_of};
use drystone_tests::link::{Direction, Link, LinkSettings};
use drystone_tests::pair::Pair;

/// Percent of datagrams lost in each direction.
const LOSSES: [u32; 5] = [0, 5, 10, 20, 30];

/// Both sides connected and everything echoed within this.
const LIMIT: Duration = Duration::from_secs(30);

const PACKETS: usize = 3;

struct Case {
    name: &'static str,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    mtu: usize,
    /// Of 10,000 handshakes, how many must succeed, per loss.
    least: [u64; 5],
}

/// The cases of a version with X25519 alone, so that the versions differ in nothing else.
fn cases(version: ProtocolVersion) -> [Case; 3] {
    let plain = || {
        let mut settings = settings_of(version);
        settings.groups = Some(vec![NamedGroup::X25519]);
        settings
    };
    let [ed25519, rsa] = [Identity::ed25519_chain(), Identity::rsa_chain()];
    [
        Case::new("Ed25519 chain, MTU 1200", ed25519, plain, 1200, false, LEAST),
        Case::new("RSA-2048 chain, MTU 512", rsa, plain, 512, false, LEAST),
        Case::new("mutual RSA-2048 chains, MTU 256", rsa, plain, 256, true, LEAST_IN_SMALL_DATAGRAMS),
    ]
}

/// What two ends of DTLS 1.3 do that are told nothing: the second hello takes two datagrams.
fn hybrid_case() -> Case {
    let settings = || settings_of(ProtocolVersion::DTLS_1_3);
    Case::new("hybrid group, Ed25519, MTU 1200", Identity::ed25519_chain(), settings, 1200, false, LEAST)
}

const LEAST: [u64; 5] = [10_000, 10_000, 9_998, 9_960, 9_700];
const LEAST_IN_SMALL_DATAGRAMS: [u64; 5] = [10_000, 10_000, 9_998, 9_960, 9_500];

impl Case {
    fn new(
        name: &'static str,
        identity: &Identity,
        settings: impl Fn() -> Settings,
        mtu: usize,
        mutual: bool,
        least: [u64; 5],
    ) -> Self {
        let settings = || -> Settings {
            let mut settings = settings();
            settings.mtu = mtu;
            settings
        };
        let credentials = || Credentials::single(identity.credential());
        let mut client = ClientConfig::new(settings(), identity.policy()).expect("a client");
        let mut server = ServerConfig::new(settings(), credentials()).expect("a server");
        if mutual {
            client = client.with_credentials(credentials());
            server = server.with_client_auth(ClientAuth::Require(Arc::new(identity.policy())));
        }
        Self { name, client: Arc::new(client), server: Arc::new(server), mtu, least }
    }
}

/// What became of one handshake.
struct Run {
    /// When both were connected; `None` if not in time.
    connected_after: Option<Duration>,
    datagrams: usize,
}

#[test]
fn loss_matrix_of_dtls_1_2() {
    loss_matrix("12", "DTLS 1.2", &cases(ProtocolVersion::DTLS_1_2));
}

#[test]
fn loss_matrix_of_dtls_1_3() {
    let mut cases = Vec::from(cases(ProtocolVersion::DTLS_1_3));
    cases.push(hybrid_case());
    loss_matrix("13", "DTLS 1.3", &cases);
}

fn loss_matrix(short: &str, version: &str, cases: &[Case]) {
    let handshakes: u64 = std::env::var("DRYSTONE_LOSS_HANDSHAKES")
        .map_or(200, |text| text.parse().expect("DRYSTONE_LOSS_HANDSHAKES is a number"));
    let mut table = String::new();
    writeln!(table, "{handshakes} handshakes per cell, {version}; times in ms, datagrams of both sides")
        .unwrap();
    writeln!(
        table,
        "{:<32} {:>5} {:>6} {:>8} {:>8} {:>10}",
        "case", "loss", "ok", "median", "99 %", "datagrams"
    )
    .unwrap();
    let mut missed = Vec::new();
    for case in cases {
        for (column, loss) in LOSSES.into_iter().enumerate() {
            let runs = run_cell(case, loss, handshakes);
            let good = runs.iter().filter(|run| run.connected_after.is_some()).count() as u64;
            let (median, late, datagrams) = summary(&runs);
            writeln!(table, "{:<32} {loss:>3} % {good:>6} {median:>8} {late:>8} {datagrams:>10}", case.name)
                .unwrap();
            // Scaled down, rounded up to whole handshakes: none stays none.
            let failures_allowed = ((10_000 - case.least[column]) * handshakes).div_ceil(10_000);
            if handshakes - good > failures_allowed {
                missed.push(format!("{} at {loss} %: {good} of {handshakes}", case.name));
            }
        }
    }
    print!("{table}");
    assert!(missed.is_empty(), "below the bound: {missed:?}");
    compare_with_snapshot(&table, &format!("loss_matrix_{short}_{handshakes}.txt"));
}

fn run_cell(case: &Case, loss: u32, handshakes: u64) -> Vec<Run> {
    let workers = thread::available_parallelism().map_or(1, usize::from) as u64;
    let mut numbered: Vec<(u64, Run)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    (worker..handshakes)
                        .step_by(workers as usize)
                        .map(|seed| (seed, run(case, loss, seed)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no run panics")).collect()
    });
    numbered.sort_by_key(|(seed, _)| *seed);
    numbered.into_iter().map(|(_, run)| run).collect()
}

fn run(case: &Case, loss: u32, seed: u64) -> Run {
    let link = LinkSettings { mtu: case.mtu, ..LinkSettings::lossy(f64::from(loss) / 100.0) };
    let mut pair = Pair::new(case.client.clone(), case.server.clone(), name(), Link::new(seed, link));
    pair.server.echo = true;
    let both = |pair: &Pair| pair.client.is_connected() && pair.server.is_connected();
    let connected = pair.run_until(LIMIT, both).then(|| pair.clock.now());
    let datagrams = pair.client.datagrams + pair.server.datagrams;
    let echoed = connected.is_some() && echo(&mut pair);
    if !echoed {
        assert_only_the_deadline(&mut pair);
    }
    Run { connected_after: connected.filter(|_| echoed), datagrams }
}

/// DTLS loses packets like UDP: the application repeats what did not come back, as a game would.
fn echo(pair: &mut Pair) -> bool {
    for packet in 0..PACKETS {
        let payload = [packet as u8; 50];
        while pair.client.received.len() <= packet {
            if pair.clock.now() >= LIMIT {
                return false;
            }
            pair.send(Direction::ToServer, &payload).expect("the client is connected");
            pair.run_for(Duration::from_millis(150));
        }
        // Copies of an earlier repeat may still come.
        pair.client.received.truncate(packet + 1);
    }
    true
}

/// Runs a failed pair to its end: whoever is not connected must say that the time was over.
fn assert_only_the_deadline(pair: &mut Pair) {
    pair.run_for(Duration::from_secs(60));
    for end in [&pair.client, &pair.server] {
        for event in &end.events {
            let is_allowed =
                matches!(event, Event::Failed(Error::HandshakeTimeout) | Event::MtuReduced { .. });
            assert!(is_allowed, "{event:?}");
        }
    }
}

/// Median and 99th percentile of the times to connect, median of the datagrams.
fn summary(runs: &[Run]) -> (u128, u128, usize) {
    let mut times: Vec<_> =
        runs.iter().filter_map(|run| run.connected_after).map(|time| time.as_millis()).collect();
    let mut datagrams: Vec<_> = runs.iter().map(|run| run.datagrams).collect();
    times.sort_unstable();
    datagrams.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    (
        at(50).copied().unwrap_or(0),
        at(99).copied().unwrap_or(0),
        datagrams.get(datagrams.len() / 2).copied().unwrap_or(0),
    )
}

fn compare_with_snapshot(table: &str, name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(name);
    if std::env::var_os("DRYSTONE_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, table).expect("the snapshot can be written");
        return;
    }
    match std::fs::read_to_string(&file) {
        Ok(snapshot) => assert_eq!(table, snapshot, "the table differs from {}", file.display()),
        Err(_) => println!("no snapshot {name}"),
    }
}
