//! What all half-open associations of a server buffer together, and what each may. Knows no associations.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Default of the most bytes.
pub(crate) const HALF_OPEN_BYTES: usize = 16 << 20;

/// The sum over all half-open associations. Shared between those that change it: each says how much it buffers now and
/// how much it said before. Two threads at once may each be granted what is left.
#[derive(Debug)]
pub(crate) struct HalfOpenBytes {
    most: AtomicUsize,
    sum: AtomicUsize,
}

impl HalfOpenBytes {
    pub(crate) const fn new(most: usize) -> Self {
        Self { most: AtomicUsize::new(most), sum: AtomicUsize::new(0) }
    }

    pub(crate) fn set_most(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// What all of them buffer.
    pub(crate) fn sum(&self) -> usize {
        self.sum.load(Ordering::Relaxed)
    }

    /// What an association may buffer that has said that it buffers `own` bytes.
    pub(crate) fn grant(&self, own: usize) -> usize {
        let others = self.sum.load(Ordering::Relaxed).saturating_sub(own);
        self.most.load(Ordering::Relaxed).saturating_sub(others)
    }

    /// An association buffers `present` bytes now, and `said` so many before.
    pub(crate) fn note(&self, said: &mut usize, present: usize) {
        if *said == present {
            return;
        }
        let change = |sum: usize| sum.saturating_sub(*said).saturating_add(present);
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| Some(change(sum)));
        *said = present;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_may_buffer_what_the_others_leave() {
        let bytes = HalfOpenBytes::new(100);
        let (mut one, mut other) = (0, 0);
        bytes.note(&mut one, 60);
        assert_eq!((bytes.grant(one), bytes.grant(other)), (100, 40));
        bytes.note(&mut other, 40);
        assert_eq!((bytes.grant(one), bytes.grant(other), bytes.grant(0)), (60, 40, 0));
        bytes.note(&mut one, 10);
        assert_eq!(bytes.grant(other), 90);
        bytes.set_most(30);
        assert_eq!((bytes.grant(one), bytes.grant(other)), (0, 20));
        bytes.note(&mut other, 0);
        bytes.note(&mut one, 0);
        assert_eq!(bytes.grant(0), 30);
    }
}
