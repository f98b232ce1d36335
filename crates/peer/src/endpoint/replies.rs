//! Stateless answers on their way out: a fixed pool, so that unknown sources cost no memory.

use std::collections::VecDeque;

use drystone_handshake::Gate;

use super::{EndpointTransmit, FourTuple};

/// What one series of datagrams can bring (Linux joins at most 64). Answers beyond are lost, as any datagram may be.
const MAX_REPLIES: usize = 64;

/// Answers in places of [`Gate::MAX_REPLY`] bytes.
#[derive(Debug)]
pub(super) struct Replies {
    buffer: Box<[u8]>,
    /// The place of each, its length in bytes and its way.
    waiting: VecDeque<(usize, usize, FourTuple)>,
    /// The place of the next one.
    next: usize,
}

impl Replies {
    /// Room for answers, if there are any.
    pub(super) fn new(answers: bool) -> Self {
        let replies = if answers { MAX_REPLIES } else { 0 };
        Self {
            buffer: vec![0; replies * Gate::MAX_REPLY].into_boxed_slice(),
            waiting: VecDeque::with_capacity(replies),
            next: 0,
        }
    }

    /// Where the next answer is to be written. Empty if all places are taken.
    pub(super) fn place(&mut self) -> &mut [u8] {
        if self.waiting.len() >= MAX_REPLIES {
            return &mut [];
        }
        let start = self.next * Gate::MAX_REPLY;
        self.buffer.get_mut(start..start + Gate::MAX_REPLY).unwrap_or_default()
    }

    /// An answer of so many bytes was written to [`place`](Self::place).
    pub(super) fn push(&mut self, length: usize, ends: FourTuple) {
        self.waiting.push_back((self.next, length, ends));
        self.next = (self.next + 1) % MAX_REPLIES;
    }

    /// Copies the oldest answer to the start of `out`. One for which that has no room is lost.
    pub(super) fn pop(&mut self, out: &mut [u8]) -> Option<EndpointTransmit> {
        loop {
            let (place, len, ends) = self.waiting.pop_front()?;
            let start = place * Gate::MAX_REPLY;
            let reply = self.buffer.get(start..start + len)?;
            if let Some(room) = out.get_mut(..len) {
                room.copy_from_slice(reply);
                return Some(EndpointTransmit { len, ends, peer: None });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_leave_in_order_and_their_places_come_again() {
        let mut replies = Replies::new(true);
        let ends = |port: usize| FourTuple::from(std::net::SocketAddr::from(([127, 0, 0, 1], port as u16)));
        let (mut out, mut sent) = ([0; Gate::MAX_REPLY], 0);
        for round in 0..10 {
            for number in 0..40 {
                let length = 1 + (round + number) % Gate::MAX_REPLY;
                replies.place()[..length].fill(number as u8);
                replies.push(length, ends(number));
            }
            for number in 0..40 {
                let transmit = replies.pop(&mut out).unwrap();
                assert_eq!((transmit.len, transmit.ends), (1 + (round + number) % 192, ends(number)));
                assert!(out[..transmit.len].iter().all(|byte| *byte == number as u8));
                sent += 1;
            }
        }
        assert_eq!((sent, replies.pop(&mut out)), (400, None));
    }

    #[test]
    fn no_more_than_fit_are_kept() {
        let mut replies = Replies::new(true);
        let ends = FourTuple::from(std::net::SocketAddr::from(([127, 0, 0, 1], 9)));
        for _ in 0..MAX_REPLIES {
            assert_eq!(replies.place().len(), Gate::MAX_REPLY);
            replies.push(7, ends);
        }
        assert!(replies.place().is_empty());
        assert!(replies.pop(&mut [0; 7]).is_some() && !replies.place().is_empty());
        // Without room for it an answer is lost.
        assert_eq!(replies.pop(&mut [0; 6]), None);
        assert!(Replies::new(false).place().is_empty());
    }
}
