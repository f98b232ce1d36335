//! The timed budgets: what goes through `Connection` beside the bare cryptography that it cannot do without. Prints a
//! table and fails if a budget is broken.
//!
//! Noise only ever breaks a budget that holds, never the other way round: so a broken one is measured again after a
//! pause, up to five times in all, and the best counts. Above all a busy sibling of the processor's core does it, which
//! slows the many short instructions of a record down more than the cipher.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use drystone::ProtocolVersion;
use drystone_benches::bare::{BareAead, BareHandshake, BareHmac, Group};
use drystone_benches::ratio::{Turns, time};
use drystone_benches::{Setup, VERSIONS, first_hello};

const ATTEMPTS: usize = 5;
const PAUSE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let mut table = Table::new();
    for version in VERSIONS {
        println!("{version}");
        for (size, limit) in record_limits(version) {
            table.hold(&format!("seal {size} bytes, AES-128-GCM"), limit, || seal(version, size));
            table.hold(&format!("open {size} bytes, AES-128-GCM"), limit, || open(version, size));
        }
        for group in Group::SMALL {
            let limit = handshake_limit(version, group);
            table.hold(&format!("full handshake, {group:?}"), limit, || handshake(version, group));
        }
        if version == ProtocolVersion::DTLS_1_3 {
            let hybrid = Group::X25519MlKem768;
            table.hold(&format!("full handshake, {hybrid:?}"), None, || handshake(version, hybrid));
        }
        table.hold("hello answered with a cookie, beside one HMAC", None, || refusal(version));
    }
    table.exit_code()
}

/// Sizes of payloads, with what a record of such a size may cost, where there is a limit.
fn record_limits(version: ProtocolVersion) -> [(usize, Option<f64>); 2] {
    match version {
        ProtocolVersion::DTLS_1_3 => [(64, None), (1200, Some(1.2))],
        _ => [(64, Some(1.4)), (1200, Some(1.15))],
    }
}

/// The budget is that of X25519. In DTLS 1.2 handshakes over P-256 hold it too; in 1.3 they are printed: their floor is
/// lower, and the key schedule is the same.
fn handshake_limit(version: ProtocolVersion, group: Group) -> Option<f64> {
    match (version, group) {
        (ProtocolVersion::DTLS_1_3, Group::X25519) => Some(1.35),
        (ProtocolVersion::DTLS_1_3, _) => None,
        _ => Some(1.25),
    }
}

/// What was measured: the rounds, and the items in each.
struct Measured {
    turns: Turns,
    items: usize,
}

/// The lines printed, and whether all budgets held.
struct Table {
    holds: bool,
}

impl Table {
    fn new() -> Self {
        let (ours, floor) = ("ours", "floor");
        println!("{:<46} {ours:>9} {floor:>9}   {:>5}   limit", "", "ratio");
        Self { holds: true }
    }

    /// Measures until the budget holds, or has been broken too often. What has no limit is printed.
    fn hold(&mut self, what: &str, limit: Option<f64>, measure: impl Fn() -> Measured) {
        let Some(limit) = limit else {
            return Self::line(what, &measure(), "-");
        };
        for attempt in 1..=ATTEMPTS {
            let measured = measure();
            let holds = measured.turns.ratio() <= limit;
            let verdict = match holds {
                true => "",
                false if attempt < ATTEMPTS => "  broken, measured again",
                false => "  BROKEN",
            };
            Self::line(what, &measured, &format!("{limit:.2}{verdict}"));
            if holds {
                return;
            }
            if attempt < ATTEMPTS {
                sleep(PAUSE);
            }
        }
        self.holds = false;
    }

    fn line(what: &str, measured: &Measured, limit: &str) {
        let [ours, floor] = measured.turns.microseconds(measured.items);
        println!("{what:<46} {ours:>6.2} us {floor:>6.2} us   {:>5.3}   {limit}", measured.turns.ratio());
    }

    fn exit_code(&self) -> ExitCode {
        if self.holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

const ROUNDS: usize = 1000;
const RECORDS: usize = 256;
const ROOM: usize = 1280;

/// Buffers that are filled alike before each turn.
fn refill(buffers: &mut [[u8; ROOM]], start: usize, size: usize) {
    for buffer in buffers {
        buffer[start..start + size].fill(7);
    }
}

fn seal(version: ProtocolVersion, size: usize) -> Measured {
    let (mut client, _server) = Setup::new(version, Group::X25519).connect();
    let bare = BareAead::new(version);
    let start = client.overhead().prefix;
    let mut buffers = vec![[0; ROOM]; RECORDS];
    let mut turns = Turns::default();
    for _ in 0..ROUNDS {
        refill(&mut buffers, start, size);
        let ours = time(|| {
            for buffer in &mut buffers {
                client.seal(buffer, start..start + size).expect("connected");
            }
        });
        refill(&mut buffers, start, size);
        let floor = time(|| {
            for (buffer, number) in buffers.iter_mut().zip(0..) {
                bare.seal(number, buffer, start..start + size);
            }
        });
        turns.push(ours, floor);
    }
    Measured { turns, items: RECORDS }
}

fn open(version: ProtocolVersion, size: usize) -> Measured {
    let setup = Setup::new(version, Group::X25519);
    let (mut client, mut server) = setup.connect();
    let bare = BareAead::new(version);
    let start = client.overhead().prefix;
    let end = start + size + bare.suffix();
    let mut buffers = vec![[0; ROOM]; RECORDS];
    let mut turns = Turns::default();
    for _ in 0..ROUNDS {
        refill(&mut buffers, start, size);
        for buffer in &mut buffers {
            client.seal(buffer, start..start + size).expect("connected");
        }
        let ours = time(|| {
            for buffer in &mut buffers {
                assert_eq!(setup.open(&mut server, &mut buffer[..end]), size);
            }
        });
        refill(&mut buffers, start, size);
        for (buffer, number) in buffers.iter_mut().zip(0..) {
            bare.seal(number, buffer, start..start + size);
        }
        let floor = time(|| {
            for (buffer, number) in buffers.iter_mut().zip(0..) {
                assert_eq!(bare.open(number, buffer, start..start + size), size);
            }
        });
        turns.push(ours, floor);
    }
    Measured { turns, items: RECORDS }
}

/// From creating both ends to dropping them: cookie, a P-256 leaf under a P-256 root, name and dates checked, nothing
/// cached.
fn handshake(version: ProtocolVersion, group: Group) -> Measured {
    const ROUNDS: usize = 40;
    const HANDSHAKES: usize = 50;
    let setup = Setup::new(version, group);
    let bare = BareHandshake::new(group);
    let mut turns = Turns::default();
    for _ in 0..ROUNDS {
        let ours = time(|| (0..HANDSHAKES).for_each(|_| drop(setup.connect())));
        let floor = time(|| (0..HANDSHAKES).for_each(|_| bare.run()));
        turns.push(ours, floor);
    }
    Measured { turns, items: HANDSHAKES }
}

/// A stranger's hello, answered with a cookie: beside one HMAC over as many bytes.
fn refusal(version: ProtocolVersion) -> Measured {
    const ROUNDS: usize = 400;
    const HELLOS: usize = 100;
    let setup = Setup::new(version, Group::X25519);
    let bare = BareHmac::new();
    let mut hello = first_hello(&setup);
    let mut turns = Turns::default();
    for _ in 0..ROUNDS {
        let ours = time(|| (0..HELLOS).for_each(|_| assert!(setup.greet(&mut hello))));
        let floor = time(|| {
            for _ in 0..HELLOS {
                std::hint::black_box(bare.sign(std::hint::black_box(&hello)));
            }
        });
        turns.push(ours, floor);
    }
    Measured { turns, items: HELLOS }
}
