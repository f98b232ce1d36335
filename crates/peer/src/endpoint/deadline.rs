//! One structure for the deadlines of many peers. It knows no sockets and no connections.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use drystone_handshake::Instant;

/// Stale entries that are always tolerated before the heap is swept.
const SLACK: usize = 64;

/// A heap with (mostly) one entry per peer, and lazy in both directions.
///
/// A deadline that moves *later* leaves its entry where it is: it comes up early and is put back, which is far
/// cheaper than moving it at every packet. One that moves *earlier* gets a second entry, and the old one is stale.
/// Which entry of a peer counts is kept beside the peer, as its `armed` moment.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Copy + Ord> Deadlines<K> {
    pub(crate) const fn new() -> Self {
        Self { heap: BinaryHeap::new() }
    }

    /// Makes sure that `key` comes up at `deadline` or earlier. `armed` is the key's entry that counts.
    pub(crate) fn arm(&mut self, key: K, armed: &mut Option<Instant>, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if armed.is_none_or(|armed| deadline < armed) {
            self.heap.push(Reverse((deadline, key)));
            *armed = Some(deadline);
        }
    }

    /// The moment at which to look again.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out an entry that is due. It counts only if it is the key's armed one.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Sweeps out stale entries if they have become more than the live ones, so that memory follows the number of
    /// live keys and not the number of keys that ever were. `armed` tells the entry of a key that counts.
    pub(crate) fn sweep(&mut self, live: usize, armed: impl Fn(K) -> Option<Instant>) {
        if self.heap.len() > live.saturating_mul(2).saturating_add(SLACK) {
            self.heap.retain(|Reverse((at, key))| armed(*key) == Some(*at));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use super::*;

    const fn at(milliseconds: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(milliseconds))
    }

    #[test]
    fn entries_come_up_in_order_and_not_early() {
        let mut deadlines = Deadlines::new();
        for (key, moment) in [(1, 30), (2, 10), (3, 20)] {
            deadlines.arm(key, &mut None, Some(at(moment)));
        }
        assert_eq!(deadlines.next(), Some(at(10)));
        assert_eq!(deadlines.pop_due(at(9)), None);
        assert_eq!(deadlines.pop_due(at(25)), Some((at(10), 2)));
        assert_eq!(deadlines.pop_due(at(25)), Some((at(20), 3)));
        assert_eq!(deadlines.pop_due(at(25)), None);
    }

    #[test]
    fn a_later_deadline_keeps_its_entry_and_an_earlier_one_gets_a_second() {
        let mut deadlines = Deadlines::new();
        let mut armed = None;
        deadlines.arm(7, &mut armed, Some(at(100)));
        deadlines.arm(7, &mut armed, Some(at(500)));
        deadlines.arm(7, &mut armed, None);
        assert_eq!((armed, deadlines.heap.len()), (Some(at(100)), 1));
        deadlines.arm(7, &mut armed, Some(at(50)));
        assert_eq!((armed, deadlines.next()), (Some(at(50)), Some(at(50))));
    }

    #[test]
    fn memory_follows_live_keys() {
        let mut deadlines = Deadlines::new();
        let mut live: HashMap<u32, Option<Instant>> = HashMap::new();
        for key in 0..10_000_u32 {
            let armed = live.entry(key).or_default();
            deadlines.arm(key, armed, Some(at(1_000_000)));
            if key >= 8 {
                live.remove(&(key - 8));
            }
            deadlines.sweep(live.len(), |key| live.get(&key).copied().flatten());
            assert!(deadlines.heap.len() <= 2 * live.len() + SLACK + 1);
        }
        for key in 9_992..10_000 {
            assert!(deadlines.heap.iter().any(|Reverse((_, known))| *known == key));
        }
    }
}
