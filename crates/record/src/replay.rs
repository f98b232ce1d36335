//! The replay window of one epoch (RFC 6347 section 4.1.2.6, RFC 9147 section 4.5.1). It is told of numbers
//! only; that it moves after authentication alone is the caller's duty, and `check` and `commit` are two calls for that.

use crate::Discard;

/// How many numbers back from the largest one the window remembers.
///
/// The RFCs ask for 32 at least and prefer 64. 128 still fits two words, and lets a sender's burst be reordered
/// by the paths of a modern network.
pub(crate) const WIDTH: u64 = 128;

/// Which of the last [`WIDTH`] sequence numbers were opened.
#[derive(Default)]
pub(crate) struct ReplayWindow {
    /// One more than the largest number committed; 0 if there is none.
    next: u64,
    /// Low word first. Bit `i` stands for number `next - 1 - i`.
    seen: [u64; 2],
}

impl ReplayWindow {
    /// One more than the largest number committed: what number reconstruction expects.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Whether a record of this number may still be opened.
    ///
    /// [`Discard::Replayed`] if it was committed before, [`Discard::TooOld`] if it is left of the window.
    #[inline]
    pub(crate) fn check(&self, sequence: u64) -> Result<(), Discard> {
        let Some(distance) = self.distance(sequence) else {
            return Ok(());
        };
        if distance >= WIDTH {
            return Err(Discard::TooOld);
        }
        if (self.bits() >> distance) & 1 == 1 {
            return Err(Discard::Replayed);
        }
        Ok(())
    }

    /// Notes that a record of this number has been authenticated.
    #[inline]
    pub(crate) fn commit(&mut self, sequence: u64) {
        match self.distance(sequence) {
            Some(distance) if distance < WIDTH => self.set_bits(self.bits() | (1 << distance)),
            Some(_) => {}
            None => {
                let next = sequence.saturating_add(1);
                let step = next.saturating_sub(self.next);
                let moved = if step < WIDTH { self.bits() << step } else { 0 };
                self.set_bits(moved | 1);
                self.next = next;
            }
        }
    }

    /// How far below the largest committed number this one lies; `None` if it is above.
    #[inline]
    fn distance(&self, sequence: u64) -> Option<u64> {
        self.next.checked_sub(1)?.checked_sub(sequence)
    }

    #[inline]
    fn bits(&self) -> u128 {
        let [low, high] = self.seen;
        u128::from(low) | (u128::from(high) << 64)
    }

    #[inline]
    fn set_bits(&mut self, bits: u128) {
        // The casts cut the value into its two words.
        self.seen = [bits as u64, (bits >> 64) as u64];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    /// The window's definition, told slowly.
    fn model(seen: &BTreeSet<u64>, sequence: u64) -> Result<(), Discard> {
        let Some(&largest) = seen.last() else {
            return Ok(());
        };
        if seen.contains(&sequence) && largest - sequence < WIDTH {
            Err(Discard::Replayed)
        } else if sequence + WIDTH <= largest {
            Err(Discard::TooOld)
        } else {
            Ok(())
        }
    }

    fn numbers() -> impl Strategy<Value = Vec<u64>> {
        let near = 0_u64..400;
        let far = prop_oneof![Just(0), Just((1_u64 << 48) - 500), 0..(1_u64 << 40)];
        proptest::collection::vec((far, near), 1..300)
            .prop_map(|parts| parts.into_iter().map(|(far, near)| far + near).collect())
    }

    proptest! {
        #[test]
        fn window_equals_its_model(sequences in numbers()) {
            let mut window = ReplayWindow::default();
            let mut seen = BTreeSet::new();
            for sequence in sequences {
                let expected = model(&seen, sequence);
                prop_assert_eq!(window.check(sequence), expected);
                if expected.is_ok() {
                    window.commit(sequence);
                    seen.insert(sequence);
                }
            }
        }

        #[test]
        fn nearby_numbers_equal_the_model(sequences in proptest::collection::vec(0_u64..300, 1..600)) {
            let mut window = ReplayWindow::default();
            let mut seen = BTreeSet::new();
            for sequence in sequences {
                let expected = model(&seen, sequence);
                prop_assert_eq!(window.check(sequence), expected);
                if expected.is_ok() {
                    window.commit(sequence);
                    seen.insert(sequence);
                    prop_assert_eq!(window.next(), seen.last().unwrap() + 1);
                }
            }
        }
    }

    #[test]
    fn the_edges_of_the_window() {
        let mut window = ReplayWindow::default();
        window.commit(WIDTH);
        assert_eq!(window.check(0), Err(Discard::TooOld));
        assert_eq!(window.check(1), Ok(()));
        window.commit(1);
        assert_eq!(window.check(1), Err(Discard::Replayed));
        window.commit(WIDTH + WIDTH);
        assert_eq!(window.check(WIDTH), Err(Discard::TooOld));
        assert_eq!(window.check(WIDTH + 1), Ok(()));
    }
}
