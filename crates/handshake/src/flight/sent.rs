//! Which record carried which bytes of which message, so that an ACK can be read (RFC 9147 section 7.2).
//! Owns that list and its bound; knows nothing of the messages themselves.

use alloc::collections::VecDeque;
use core::ops::Range;
use core::time::Duration;

/// Epoch and sequence number of a record.
pub(crate) type RecordNumber = (u64, u64);

/// Fragments remembered. Two transmissions of the largest flight at the least MTU that go out between two ACKs
/// (10 records each) with several messages per record stay far below; 128 of them occupy 5 KiB.
const MAX_FRAGMENTS: usize = 128;

/// The fragments sent last and the records that they were in.
#[derive(Default, Debug)]
pub(crate) struct SentRecords {
    fragments: VecDeque<SentFragment>,
}

#[derive(Debug)]
struct SentFragment {
    number: RecordNumber,
    message_seq: u16,
    range: Range<u32>,
    /// When it was sent.
    at: Duration,
}

impl SentRecords {
    /// Nothing sent.
    pub(crate) const fn new() -> Self {
        Self { fragments: VecDeque::new() }
    }

    /// Remembers a fragment. The oldest is forgotten if there are too many: then its ACK comes to nothing and
    /// its bytes are sent once more than needed.
    pub(crate) fn push(&mut self, number: RecordNumber, message_seq: u16, range: Range<u32>, at: Duration) {
        if self.fragments.len() >= MAX_FRAGMENTS {
            self.fragments.pop_front();
        }
        self.fragments.push_back(SentFragment { number, message_seq, range, at });
    }

    /// Hands every fragment of the record `number` to `each` (message_seq, byte range, and when it was sent) and forgets it.
    pub(crate) fn take(&mut self, number: RecordNumber, mut each: impl FnMut(u16, Range<u32>, Duration)) {
        self.fragments.retain(|fragment| {
            let carried = fragment.number == number;
            if carried {
                each(fragment.message_seq, fragment.range.clone(), fragment.at);
            }
            !carried
        });
    }

    /// Forgets everything, memory included.
    pub(crate) fn clear(&mut self) {
        self.fragments = VecDeque::new();
    }

    /// Bytes of heap in use.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        self.fragments.capacity().saturating_mul(size_of::<SentFragment>())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    fn taken(sent: &mut SentRecords, number: RecordNumber) -> Vec<(u16, Range<u32>)> {
        let mut fragments = Vec::new();
        sent.take(number, |message_seq, range, _| {
            fragments.push((message_seq, range));
        });
        fragments
    }

    #[test]
    fn a_record_gives_its_fragments_once() {
        let mut sent = SentRecords::new();
        sent.push((2, 0), 1, 0..10, Duration::ZERO);
        sent.push((2, 0), 2, 0..5, Duration::ZERO);
        sent.push((3, 0), 2, 5..9, Duration::ZERO);
        assert_eq!(taken(&mut sent, (2, 1)), []);
        assert_eq!(taken(&mut sent, (2, 0)), [(1, 0..10), (2, 0..5)]);
        assert_eq!(taken(&mut sent, (2, 0)), []);
        assert_eq!(taken(&mut sent, (3, 0)), vec![(2, 5..9)]);
    }

    #[test]
    fn memory_is_bounded_and_the_newest_stay() {
        let mut sent = SentRecords::new();
        for sequence in 0..100_000 {
            sent.push((2, sequence), 0, 0..1, Duration::ZERO);
        }
        assert!(sent.held_bytes() <= 8 * 1024, "{}", sent.held_bytes());
        assert_eq!(taken(&mut sent, (2, 100_000 - MAX_FRAGMENTS as u64 - 1)), []);
        assert_eq!(taken(&mut sent, (2, 100_000 - MAX_FRAGMENTS as u64)).len(), 1);
        assert_eq!(taken(&mut sent, (2, 99_999)).len(), 1);
        sent.clear();
        assert_eq!(sent.held_bytes(), 0);
    }
}
