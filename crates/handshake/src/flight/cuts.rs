//! Where a message was cut when it was sent. Later transmissions keep these bounds as long as a datagram has room for the
//! fragments between them: there are peers that never join fragments which overlap. Knows nothing of datagrams.

use alloc::vec::Vec;

/// The ends of the fragments of one message that were sent.
#[derive(Debug)]
pub(super) struct Cuts {
    /// In order; without the message's own end.
    inside: Vec<u32>,
    /// Whether the last byte was sent, so that the message's own end is the end of a fragment.
    reached_end: bool,
}

impl Cuts {
    pub(super) const fn new() -> Self {
        Self { inside: Vec::new(), reached_end: false }
    }

    /// A fragment of a message of `length` bytes was sent that ends at `end`.
    pub(super) fn note(&mut self, end: u32, length: u32) {
        if end >= length {
            self.reached_end = true;
        } else if let Err(place) = self.inside.binary_search(&end) {
            self.inside.insert(place, end);
        }
    }

    /// Where the fragment that begins at `start` ended when it was sent, in a message of `length` bytes; `None` if it was not
    /// sent yet.
    pub(super) fn end_after(&self, start: u32, length: u32) -> Option<u32> {
        let after = self.inside.partition_point(|&cut| cut <= start);
        self.inside.get(after).copied().or(self.reached_end.then_some(length))
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.inside.capacity().saturating_mul(size_of::<u32>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_found_from_each_byte_before_it() {
        let mut cuts = Cuts::new();
        assert_eq!(cuts.end_after(0, 900), None, "nothing was sent");
        for end in [600, 300, 600] {
            cuts.note(end, 900);
        }
        assert_eq!(cuts.end_after(0, 900), Some(300));
        assert_eq!(cuts.end_after(299, 900), Some(300));
        assert_eq!(cuts.end_after(300, 900), Some(600));
        assert_eq!(cuts.end_after(600, 900), None, "what follows was not sent yet");
        cuts.note(900, 900);
        assert_eq!(cuts.end_after(600, 900), Some(900));
    }

    #[test]
    fn a_message_that_was_sent_whole_costs_no_heap() {
        let mut cuts = Cuts::new();
        cuts.note(900, 900);
        assert_eq!((cuts.end_after(0, 900), cuts.held_bytes()), (Some(900), 0));
    }
}
