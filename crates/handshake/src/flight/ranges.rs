//! A set of byte positions of one message, kept as sorted ranges that neither overlap nor touch.
//! Serves reassembly (what has arrived) and sending (what was acknowledged); knows nothing of the bytes.

use alloc::vec::Vec;
use core::{iter, ops::Range};

/// Sorted byte ranges with at least one missing byte between any two.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Ranges {
    pieces: Vec<Range<u32>>,
}

/// The set would fall into more pieces than allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooManyPieces;

impl Ranges {
    /// The empty set.
    pub(crate) const fn new() -> Self {
        Self { pieces: Vec::new() }
    }

    /// Adds a range; an empty one adds nothing.
    ///
    /// # Errors
    /// [`TooManyPieces`] if the set would then have more than `max_pieces` ranges. It is unchanged.
    pub(crate) fn insert(&mut self, range: Range<u32>, max_pieces: usize) -> Result<(), TooManyPieces> {
        if range.is_empty() {
            return Ok(());
        }
        // `touching` are the pieces that overlap the range or lie directly beside it: they become one with it.
        let first = self.pieces.partition_point(|piece| piece.end < range.start);
        let behind = self.pieces.partition_point(|piece| piece.start <= range.end);
        let touching = self.pieces.get(first..behind).unwrap_or_default();
        let (Some(low), Some(high)) = (touching.first(), touching.last()) else {
            if self.pieces.len() >= max_pieces {
                return Err(TooManyPieces);
            }
            self.pieces.insert(first, range);
            return Ok(());
        };
        let union = low.start.min(range.start)..high.end.max(range.end);
        self.pieces.splice(first..behind, iter::once(union));
        Ok(())
    }

    /// The first run of positions in `within` that are not in the set, as long as possible.
    pub(crate) fn first_gap(&self, within: Range<u32>) -> Option<Range<u32>> {
        let mut start = within.start;
        let first = self.pieces.partition_point(|piece| piece.end <= start);
        let mut following = self.pieces.get(first..).unwrap_or_default().iter();
        let mut next = following.next();
        if let Some(piece) = next.filter(|piece| piece.start <= start) {
            start = piece.end;
            next = following.next();
        }
        let end = next.map_or(within.end, |piece| piece.start.min(within.end));
        (start < end).then_some(start..end)
    }

    /// Whether every position of `range` is in the set.
    pub(crate) fn covers(&self, range: Range<u32>) -> bool {
        range.is_empty() || self.first_gap(range).is_none()
    }

    /// How many positions below `position` are in the set.
    pub(crate) fn rank(&self, position: u32) -> usize {
        let below = self.pieces.iter().map(|piece| {
            let bytes = piece.end.min(position).saturating_sub(piece.start);
            // A message is at most 2^24 bytes long.
            usize::try_from(bytes).unwrap_or(usize::MAX)
        });
        below.fold(0, usize::saturating_add)
    }

    /// Bytes by which the heap may grow when one more range is added: a vector doubles, from four on.
    pub(crate) fn next_growth(&self) -> usize {
        let capacity = self.pieces.capacity();
        let ranges = if self.pieces.len() < capacity { 0 } else { capacity.max(4) };
        ranges.saturating_mul(size_of::<Range<u32>>())
    }

    /// Bytes of heap that the set occupies.
    pub(crate) fn held_bytes(&self) -> usize {
        self.pieces.capacity().saturating_mul(size_of::<Range<u32>>())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPACE: usize = 64;

    fn range() -> impl Strategy<Value = Range<u32>> {
        (0..=SPACE as u32, 0..=SPACE as u32).prop_map(|(a, b)| a.min(b)..a.max(b))
    }

    proptest! {
        #[test]
        fn behaves_like_a_bitmap(
            inserts in proptest::collection::vec(range(), 0..24), within in range(), max_pieces in 1usize..8,
        ) {
            let mut ranges = Ranges::new();
            let mut model = [false; SPACE];
            for insert in inserts {
                let before = (ranges.clone(), model);
                model[insert.start as usize..insert.end as usize].fill(true);
                let runs = (0..SPACE).filter(|&i| model[i] && (i == 0 || !model[i - 1])).count();
                if ranges.insert(insert, max_pieces).is_err() {
                    prop_assert!(runs > max_pieces);
                    prop_assert_eq!(&ranges, &before.0);
                    model = before.1;
                } else {
                    prop_assert!(runs <= max_pieces);
                    prop_assert_eq!(ranges.pieces.len(), runs);
                }
            }
            let (start, end) = (within.start as usize, within.end as usize);
            let gap = (start..end).find(|&i| !model[i]).map(|first| {
                first as u32..(first..end).find(|&i| model[i]).unwrap_or(end) as u32
            });
            prop_assert_eq!(ranges.first_gap(within.clone()), gap);
            prop_assert_eq!(ranges.covers(within), model[start..end].iter().all(|&held| held));
            prop_assert_eq!(ranges.rank(end as u32), model[..end].iter().filter(|&&held| held).count());
        }
    }
}
