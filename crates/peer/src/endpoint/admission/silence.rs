//! The connected association that has been silent for longest, found when a full table needs a place. Costs nothing
//! per packet: what is noted here is only as new as the last search.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use drystone_handshake::Instant;

use crate::endpoint::PeerId;

/// Entries that one search corrects at most. With a table of peers that are all alive the first searches find nobody,
/// and the next ones see that at a glance.
const STEPS: usize = 64;

/// Entries of associations that are gone, which are always tolerated.
const SLACK: usize = 64;

/// A heap with one entry per connected association, whose moment may be too early but never too late.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    heap: BinaryHeap<Reverse<(Instant, PeerId)>>,
}

impl Silence {
    /// An association is connected.
    pub(crate) fn connected(&mut self, id: PeerId, now: Instant) {
        self.heap.push(Reverse((now, id)));
    }

    /// The association that has been silent for longest, if that is longer than `long`. `last_received` tells when a connected
    /// association was last heard, and nothing for others.
    pub(crate) fn longest(
        &mut self,
        now: Instant,
        long: Duration,
        last_received: impl Fn(PeerId) -> Option<Instant>,
    ) -> Option<PeerId> {
        for _ in 0..STEPS {
            let noted = self.heap.peek().map(|Reverse(entry)| *entry)?;
            let (noted_at, id) = noted;
            if now - noted_at <= long {
                return None;
            }
            match last_received(id) {
                Some(at) if at <= noted_at => return Some(id),
                // Later than was noted: in its right place now.
                Some(at) => {
                    self.heap.pop();
                    self.heap.push(Reverse((at, id)));
                }
                None => drop(self.heap.pop()),
            }
        }
        None
    }

    /// Sweeps out associations that are gone if they have become more than the `live` ones, so that memory follows the
    /// number of live ones.
    pub(crate) fn sweep(&mut self, live: usize, is_live: impl Fn(PeerId) -> bool) {
        if live == 0 || self.heap.len() > live.saturating_mul(2).saturating_add(SLACK) {
            self.heap.retain(|Reverse((_, id))| is_live(*id));
            self.heap.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    const fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn id(number: u64) -> PeerId {
        PeerId::numbered(number)
    }

    #[test]
    fn the_longest_silent_is_found_once_it_has_been_silent_for_long() {
        let mut heard: HashMap<PeerId, Instant> = HashMap::new();
        let mut silence = Silence::default();
        for (number, last) in [(1, 500), (2, 30), (3, 20), (4, 40)] {
            silence.connected(id(number), at(0));
            heard.insert(id(number), at(last));
        }
        let find = |silence: &mut Silence, heard: &HashMap<_, _>, now| {
            silence.longest(at(now), LONG, |id| heard.get(&id).copied())
        };
        assert_eq!(find(&mut silence, &heard, 80), None);
        assert_eq!(find(&mut silence, &heard, 81), Some(id(3)));
        assert_eq!(find(&mut silence, &heard, 81), Some(id(3)), "until it is gone");
        heard.remove(&id(3));
        assert_eq!(find(&mut silence, &heard, 81), None);
        assert_eq!(find(&mut silence, &heard, 120), Some(id(2)));
        heard.insert(id(2), at(119));
        assert_eq!(find(&mut silence, &heard, 120), Some(id(4)));
    }

    /// One search in a large table looks at a part of it; the next ones go on there, and then there is nothing to do.
    #[test]
    fn a_search_is_bounded() {
        let mut silence = Silence::default();
        let count = 10 * STEPS as u64;
        (0..count).for_each(|number| silence.connected(id(number), at(0)));
        let looks = std::cell::Cell::new(0);
        let mut search = || {
            looks.set(0);
            let found = silence.longest(at(100), LONG, |_| {
                looks.set(looks.get() + 1);
                Some(at(99))
            });
            assert_eq!(found, None);
            looks.get()
        };
        let first: Vec<_> = (0..10).map(|_| search()).collect();
        assert_eq!((first, search()), (vec![STEPS; 10], 0));
    }

    #[test]
    fn memory_follows_live_associations() {
        let mut silence = Silence::default();
        for number in 0..10_000 {
            silence.connected(id(number), at(0));
            silence.sweep(8, |id| id.number() + 8 > number);
            assert!(silence.heap.len() <= 2 * 8 + SLACK + 1);
        }
        silence.sweep(0, |_| false);
        assert_eq!(silence.heap.capacity(), 0);
    }
}
