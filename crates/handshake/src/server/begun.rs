//! How many handshakes each cookie has begun, in memory that is made once and shared by all gates and associations of a
//! configuration. Knows cookies by their tags alone; decides nothing about their age.
//!
//! A cookie is good for its life, so that a captured second hello could be replayed to make the server send its first
//! flight, with all retransmissions, to that client again and again. Three times is enough for a client whose
//! association was given up for another.
//!
//! The table is a cache of 32-bit entries in sets of four: no locks, no allocation for a hello. A full set gives up the
//! entry that began least, then the oldest; whoever would push an entry out so must receive as many flights at an address of
//! its own. Servers of one secret on several machines have a table each.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, Ordering};

use super::cookie::{MAC_LENGTH, STEP};

/// Handshakes that one cookie may begin.
const MOST: u32 = 3;

/// Entries of a set.
const WAYS: usize = 4;

/// Sets. With four entries of four bytes each: 16 KiB.
const SETS: usize = 1024;

/// The table.
pub(super) struct Begun {
    sets: Box<[[AtomicU32; WAYS]]>,
}

impl Begun {
    pub(super) fn new() -> Self {
        Self { sets: (0..SETS).map(|_| core::array::from_fn(|_| AtomicU32::new(0))).collect() }
    }

    /// Whether the cookie with this tag may begin one more handshake. `now` is in seconds, `life` in seconds too: how
    /// long entries count.
    pub(super) fn may_begin(&self, tag: &[u8; MAC_LENGTH], now: u64, life: u64) -> bool {
        let wanted = Entry::first(tag, now);
        !self.set(tag).iter().any(|slot| {
            let entry = Entry(slot.load(Ordering::Relaxed));
            entry.is_of(wanted, life) && entry.count() >= MOST
        })
    }

    /// Counts one more handshake; false if it would be one too many.
    pub(super) fn begin(&self, tag: &[u8; MAC_LENGTH], now: u64, life: u64) -> bool {
        let wanted = Entry::first(tag, now);
        let set = self.set(tag);
        for slot in set {
            let mut entry = Entry(slot.load(Ordering::Relaxed));
            while entry.is_of(wanted, life) {
                if entry.count() >= MOST {
                    return false;
                }
                let more = entry.one_more();
                match slot.compare_exchange_weak(entry.0, more.0, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => return true,
                    Err(other) => entry = Entry(other),
                }
            }
        }
        let least = set.iter().min_by_key(|slot| Entry(slot.load(Ordering::Relaxed)).worth(wanted, life));
        if let Some(slot) = least {
            // Threads that meet here may lose a count: one handshake for each of them at most.
            slot.store(wanted.0, Ordering::Relaxed);
        }
        true
    }

    fn set(&self, tag: &[u8; MAC_LENGTH]) -> &[AtomicU32] {
        let [a, b, ..] = *tag;
        let index = usize::from(u16::from_be_bytes([a, b])) % SETS;
        self.sets.get(index).map_or(&[], |set| set.as_slice())
    }
}

/// ```text
/// part of the tag (22) | count (2) | date (8)
/// ```
/// The date is in steps of [`STEP`], its low bits; no count is no entry.
#[derive(Clone, Copy)]
struct Entry(u32);

impl Entry {
    fn first(tag: &[u8; MAC_LENGTH], now: u64) -> Self {
        let [.., a, b, c, d] = *tag;
        let [.., date] = (now / STEP).to_be_bytes();
        Self((u32::from_be_bytes([a, b, c, d]) & !0x3ff) | 0x100 | u32::from(date))
    }

    fn count(self) -> u32 {
        (self.0 >> 8) & 3
    }

    fn one_more(self) -> Self {
        Self(self.0.saturating_add(0x100))
    }

    /// Steps from this entry's date to that of a newer one.
    fn age(self, newer: Self) -> u64 {
        let [.., own] = self.0.to_be_bytes();
        let [.., newer] = newer.0.to_be_bytes();
        newer.wrapping_sub(own).into()
    }

    fn is_live(self, now: Self, life: u64) -> bool {
        // The date was rounded down, and so is a cookie's.
        self.count() > 0 && self.age(now) <= (life / STEP).saturating_add(1)
    }

    fn is_of(self, wanted: Self, life: u64) -> bool {
        self.0 & !0x3ff == wanted.0 & !0x3ff && self.is_live(wanted, life)
    }

    /// The least of a set makes room.
    fn worth(self, now: Self, life: u64) -> (u32, core::cmp::Reverse<u64>) {
        let count = if self.is_live(now, life) { self.count() } else { 0 };
        (count, core::cmp::Reverse(self.age(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: u64 = 76;

    fn tag(set: u16, rest: u32) -> [u8; MAC_LENGTH] {
        let mut tag = [7; MAC_LENGTH];
        tag[..2].copy_from_slice(&set.to_be_bytes());
        tag[12..].copy_from_slice(&(rest << 10).to_be_bytes());
        tag
    }

    #[test]
    fn a_cookie_begins_three_handshakes_in_its_life() {
        for now in [0, 5000, 256 * STEP - 1, u64::from(u32::MAX)] {
            let begun = Begun::new();
            for count in 0..3 {
                assert!(begun.may_begin(&tag(5, 1), now + count, LIFE));
                assert!(begun.begin(&tag(5, 1), now + count, LIFE), "{count} before");
            }
            for later in [3, 50, LIFE] {
                assert!(!begun.may_begin(&tag(5, 1), now + later, LIFE));
                assert!(!begun.begin(&tag(5, 1), now + later, LIFE));
            }
            assert!(begun.begin(&tag(5, 2), now, LIFE), "another cookie");
            assert!(begun.begin(&tag(6, 1), now, LIFE), "another set");
            // By then the cookie itself is too old.
            assert!(begun.begin(&tag(5, 1), now + LIFE + 2 * STEP, LIFE), "its time is over");
        }
    }

    #[test]
    fn a_full_set_gives_up_what_is_over_then_what_began_least_then_the_oldest() {
        let begun = Begun::new();
        let begin = |rest, times, now| {
            for _ in 0..times {
                assert!(begun.begin(&tag(9, rest), now, LIFE));
            }
        };
        begin(1, 3, 1000);
        begin(2, 1, 1016);
        begin(3, 1, 1032);
        begin(4, 2, 1048);
        // 2 began least and is older than 3.
        begin(5, 2, 1048);
        assert!(!begun.may_begin(&tag(9, 1), 1048, LIFE));
        begin(3, 2, 1048);
        assert!(!begun.may_begin(&tag(9, 3), 1048, LIFE), "it was there still, with one");
        // 1 has the most, and is over.
        begin(6, 1, 1000 + LIFE + 2 * STEP);
        assert!(!begun.may_begin(&tag(9, 3), 1048, LIFE));
        begin(1, 3, 1000 + LIFE + 2 * STEP);
    }

    /// However many cookies there are, and whatever the clock does.
    #[test]
    fn memory_is_fixed_and_no_date_is_special() {
        let begun = Begun::new();
        for count in 0..100_000_u32 {
            let now = u64::from(count).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            assert!(begun.begin(&tag(count as u16, count), now, LIFE));
        }
        assert_eq!(size_of_val(&*begun.sets), 16 * 1024);
        assert!(begun.begin(&tag(0, 1), u64::MAX, u64::MAX));
    }
}
