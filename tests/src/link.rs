//! A simulated network between one client and one server. Owns what happens to datagrams between the two: delay, loss,
//! duplication, reordering, size limits. It must not know what the datagrams mean.
//!
//! Everything follows from a seed: the same seed, settings and datagrams give the same arrivals, and [`Link::trace`]
//! shows it in one number. Each datagram draws the same amount of random numbers whatever happens to it, from a
//! generator of its direction: dropping one datagram changes no other's fate.

mod settings;
mod trace;

use core::time::Duration;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

pub use settings::{LinkSettings, Statistics};
use trace::Trace;

use crate::random::SplitMix64;

/// Where a datagram travels to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

impl Direction {
    /// Both directions, in the order of their discriminants.
    pub const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];

    /// The other direction.
    pub const fn opposite(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// A datagram as a hook sees it, before the network has done anything to it.
#[derive(Debug)]
pub struct Passing {
    /// Where it travels to.
    pub direction: Direction,
    /// How many datagrams were sent in this direction before.
    pub index: u64,
    /// When it was sent.
    pub sent_at: Duration,
    /// Its bytes; a hook may change them. The size limit was checked before.
    pub bytes: Vec<u8>,
}

/// What a hook decides. The strictest decision of all hooks counts; delays add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Leave it to the network.
    Pass,
    /// It never arrives, nor does a duplicate.
    Drop,
    /// It (and its duplicate) arrives later by this much.
    Delay(Duration),
}

type Hook = Box<dyn FnMut(&mut Passing) -> Fate>;

/// A deterministic, lossy link.
///
/// ```
/// use core::time::Duration;
/// use drystone_tests::link::{Direction, Link, LinkSettings};
///
/// let mut link = Link::new(7, LinkSettings::perfect());
/// link.send(Duration::ZERO, Direction::ToServer, b"hello");
/// let arrival = link.next_arrival().unwrap();
/// assert_eq!(arrival, Duration::from_millis(30));
/// assert_eq!(link.receive(Duration::from_millis(29)), None);
/// assert_eq!(link.receive(arrival), Some((Direction::ToServer, b"hello".to_vec())));
/// ```
pub struct Link {
    settings: LinkSettings,
    ways: [Way; 2],
    hooks: Vec<Hook>,
    flying: BinaryHeap<Reverse<Flying>>,
    /// Breaks ties: datagrams that arrive at the same instant arrive in the order of their departure.
    departures: u64,
    trace: Trace,
}

/// What each direction has of its own.
struct Way {
    random: SplitMix64,
    next_index: u64,
    to_drop: BTreeSet<u64>,
    statistics: Statistics,
}

/// The derived order is that of arrival: the fields' order matters.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flying {
    arrives_at: Duration,
    departure: u64,
    direction: Direction,
    bytes: Vec<u8>,
}

impl Link {
    /// A link whose every accident follows from `seed`.
    pub fn new(seed: u64, settings: LinkSettings) -> Self {
        let mut seeds = SplitMix64::new(seed);
        let ways = [(); 2].map(|()| Way {
            random: SplitMix64::new(seeds.next_u64()),
            next_index: 0,
            to_drop: BTreeSet::new(),
            statistics: Statistics::default(),
        });
        Self {
            settings,
            ways,
            hooks: Vec::new(),
            flying: BinaryHeap::new(),
            departures: 0,
            trace: Trace::new(),
        }
    }

    /// Drops the datagrams with these indices, counted from 0 in their direction, besides what is lost by chance.
    pub fn drop_datagrams(&mut self, direction: Direction, indices: impl IntoIterator<Item = u64>) {
        self.ways[direction as usize].to_drop.extend(indices);
    }

    /// Shows every datagram from now on to `hook`, which may change it and decide its fate.
    pub fn add_hook(&mut self, hook: impl FnMut(&mut Passing) -> Fate + 'static) {
        self.hooks.push(Box::new(hook));
    }

    /// Replaces the settings; datagrams under way are not touched.
    pub fn set_settings(&mut self, settings: LinkSettings) {
        self.settings = settings;
    }

    /// Sends a datagram.
    ///
    /// # Panics
    ///
    /// If it is empty or larger than [`LinkSettings::mtu`]: the sender promised never to do that.
    pub fn send(&mut self, now: Duration, direction: Direction, bytes: &[u8]) {
        let mtu = self.settings.mtu;
        let way = &mut self.ways[direction as usize];
        let index = way.next_index;
        way.next_index += 1;
        assert!(!bytes.is_empty(), "datagram {index} {direction:?} is empty");
        assert!(bytes.len() <= mtu, "datagram {index} {direction:?} has {} bytes, MTU {mtu}", bytes.len());
        way.statistics.count_sent(bytes.len());
        self.trace.sent(now, direction, bytes);

        let accidents = Accidents::draw(&mut way.random, &self.settings, direction);
        let mut passing = Passing { direction, index, sent_at: now, bytes: bytes.to_vec() };
        let Some(held) = self.ask_hooks(&mut passing) else {
            return;
        };
        let statistics = &mut self.ways[direction as usize].statistics;
        if self.settings.path_mtu.is_some_and(|path_mtu| passing.bytes.len() > path_mtu) {
            statistics.oversize += 1;
        } else if accidents.lost {
            statistics.lost += 1;
        } else {
            if let Some(delay) = accidents.duplicate_delay {
                statistics.duplicated += 1;
                self.depart(now + held + delay, direction, passing.bytes.clone());
            }
            self.depart(now + held + accidents.delay, direction, passing.bytes);
        }
    }

    /// Lets a datagram arrive at `at` that neither peer has sent: an attacker's, or a recorded one.
    ///
    /// Nothing happens to it on the way; it has no index and no hook sees it.
    pub fn inject(&mut self, at: Duration, direction: Direction, bytes: Vec<u8>) {
        self.ways[direction as usize].statistics.injected += 1;
        self.depart(at, direction, bytes);
    }

    /// When the next datagram arrives, or `None` if nothing is under way.
    pub fn next_arrival(&self) -> Option<Duration> {
        self.flying.peek().map(|Reverse(next)| next.arrives_at)
    }

    /// The next datagram that has arrived by `now`, the earliest first.
    pub fn receive(&mut self, now: Duration) -> Option<(Direction, Vec<u8>)> {
        if self.next_arrival()? > now {
            return None;
        }
        let Reverse(Flying { arrives_at, direction, bytes, .. }) = self.flying.pop()?;
        self.ways[direction as usize].statistics.delivered += 1;
        self.trace.delivered(arrives_at, direction, &bytes);
        Some((direction, bytes))
    }

    /// How many datagrams are under way.
    pub fn in_flight(&self) -> usize {
        self.flying.len()
    }

    /// What happened in this direction so far.
    pub fn statistics(&self, direction: Direction) -> &Statistics {
        &self.ways[direction as usize].statistics
    }

    /// A hash of everything sent and delivered so far: instants, directions, bytes, in order.
    pub fn trace(&self) -> u64 {
        self.trace.value()
    }

    /// How long the hooks hold the datagram back, or `None` if it is dropped. Every hook sees every datagram.
    fn ask_hooks(&mut self, passing: &mut Passing) -> Option<Duration> {
        let way = &mut self.ways[passing.direction as usize];
        let mut dropped = way.to_drop.contains(&passing.index);
        let mut held = Duration::ZERO;
        for hook in &mut self.hooks {
            match hook(passing) {
                Fate::Pass => {}
                Fate::Drop => dropped = true,
                Fate::Delay(delay) => held += delay,
            }
        }
        way.statistics.dropped += u64::from(dropped);
        (!dropped).then_some(held)
    }

    fn depart(&mut self, arrives_at: Duration, direction: Direction, bytes: Vec<u8>) {
        let departure = self.departures;
        self.departures += 1;
        self.flying.push(Reverse(Flying { arrives_at, departure, direction, bytes }));
    }
}

impl core::fmt::Debug for Link {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Link")
            .field("settings", &self.settings)
            .field("in_flight", &self.flying.len())
            .field("trace", &self.trace.value())
            .finish_non_exhaustive()
    }
}

/// What the network does to one datagram by chance.
struct Accidents {
    lost: bool,
    delay: Duration,
    duplicate_delay: Option<Duration>,
}

impl Accidents {
    /// Draws all of them, also those that do not matter in the end (see the module's first paragraph).
    fn draw(random: &mut SplitMix64, settings: &LinkSettings, direction: Direction) -> Self {
        let lost = random.chance(settings.loss(direction));
        let delay = Self::draw_delay(random, settings);
        let duplicated = random.chance(settings.duplicate);
        let duplicate_delay = Self::draw_delay(random, settings);
        Self { lost, delay, duplicate_delay: duplicated.then_some(duplicate_delay) }
    }

    /// Half the round trip, give or take half the jitter, and now and then the extra delay that reorders.
    fn draw_delay(random: &mut SplitMix64, settings: &LinkSettings) -> Duration {
        let jitter = u64::try_from(settings.jitter.as_micros()).expect("a jitter of less than 500,000 years");
        let spread = Duration::from_micros(random.below(jitter.saturating_add(1)));
        let late = random.chance(settings.late);
        let one_way = (settings.round_trip / 2 + spread).saturating_sub(settings.jitter / 2);
        if late { one_way + settings.late_by } else { one_way }
    }
}

#[cfg(test)]
mod tests;
