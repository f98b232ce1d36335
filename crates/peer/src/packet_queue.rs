//! The queue of packets that a peer has not read yet: bounded in bytes, without an allocation per packet. It knows
//! nothing of what the packets are.

use std::ops::Range;

/// The most bytes that wait, with [`PACKET_COST`] for each packet: Godot's number.
const CAPACITY: usize = 65_536;

/// What a packet costs beside its bytes: Godot's number (16 bytes of address, 4 of port, 4 of length).
const PACKET_COST: usize = 24;

/// The first size of a buffer: a handshake's datagram, or a few packets.
const MIN_BUFFER: usize = 2048;

/// The length before each packet in the buffer.
const HEADER: usize = 4;

/// A first-in first-out queue of packets in one buffer, read where they lie. When it is full the newest packet is
/// dropped.
///
/// The buffer grows with use up to twice the capacity, 128 KiB, and no further; packets are moved to its start only when
/// its end is reached, so that each byte is moved at most once.
#[derive(Default)]
pub(crate) struct PacketQueue {
    buffer: Vec<u8>,
    /// Where the oldest packet's length stands.
    head: usize,
    count: usize,
    /// What the waiting packets cost.
    cost: usize,
}

impl PacketQueue {
    /// Appends a packet; false if it was dropped since the queue is full.
    pub(crate) fn push(&mut self, packet: &[u8]) -> bool {
        let cost = packet.len().saturating_add(PACKET_COST);
        let Some(length) = u32::try_from(packet.len()).ok().filter(|_| cost <= CAPACITY - self.cost) else {
            return false;
        };
        self.make_room(HEADER + packet.len());
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.buffer.extend_from_slice(packet);
        self.count += 1;
        self.cost += cost;
        true
    }

    /// Takes the oldest packet out. Its bytes stay where they are until the next `push`.
    pub(crate) fn pop(&mut self) -> Option<&mut [u8]> {
        let range = self.front()?;
        self.head = range.end;
        self.count -= 1;
        self.cost -= range.len() + PACKET_COST;
        self.buffer.get_mut(range)
    }

    /// The length of the oldest packet in bytes.
    #[cfg(feature = "tokio")]
    pub(crate) fn next_length(&self) -> Option<usize> {
        self.front().map(|range| range.len())
    }

    #[cfg(any(test, feature = "ring"))]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Where the oldest packet lies.
    fn front(&self) -> Option<Range<usize>> {
        let (length, _) = self.buffer.get(self.head..)?.split_first_chunk::<HEADER>()?;
        let start = self.head + HEADER;
        Some(start..start + u32::from_be_bytes(*length) as usize)
    }

    /// Room for this many bytes at the buffer's end, at the cost of moving what waits to its start.
    fn make_room(&mut self, bytes: usize) {
        if self.count == 0 {
            self.buffer.clear();
            self.head = 0;
        } else if self.buffer.len() + bytes > 2 * CAPACITY {
            self.buffer.copy_within(self.head.., 0);
            self.buffer.truncate(self.buffer.len() - self.head);
            self.head = 0;
        }
        let needed = self.buffer.len() + bytes;
        if needed > self.buffer.capacity() {
            let capacity = needed.next_power_of_two().clamp(MIN_BUFFER, 2 * CAPACITY);
            self.buffer.reserve_exact(capacity - self.buffer.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_come_out_as_they_went_in() {
        let mut queue = PacketQueue::default();
        assert!(queue.pop().is_none());
        assert!(queue.push(b"one") && queue.push(b"") && queue.push(b"three"));
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.pop().unwrap(), b"one");
        assert_eq!(queue.pop().unwrap(), b"");
        assert_eq!(queue.pop().unwrap(), b"three");
        assert!(queue.pop().is_none());
    }

    #[test]
    fn as_many_fit_as_in_godot_and_the_newest_is_dropped() {
        let mut queue = PacketQueue::default();
        let fitting = (0..100_u8).filter(|number| queue.push(&[*number; 1029])).count();
        assert_eq!((fitting, queue.len()), (62, 62));
        for number in 0..62 {
            assert_eq!(queue.pop().unwrap(), [number; 1029]);
        }
        assert!(queue.push(&[0; CAPACITY - PACKET_COST]));
        assert!(!queue.push(b""));
    }

    #[test]
    fn a_queue_in_steady_use_does_not_allocate() {
        let mut queue = PacketQueue::default();
        for round in 0..10_000_usize {
            assert!(queue.push(&[7; 900]) && queue.push(&[8; 300]));
            assert_eq!(queue.pop().unwrap().len(), 900);
            assert_eq!(queue.pop().unwrap().len(), 300);
            assert!(queue.buffer.capacity() <= 4096, "round {round}: {}", queue.buffer.capacity());
        }
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_list_with_a_budget(
            steps in proptest::collection::vec((any::<bool>(), 0_usize..20_000), 1..200),
        ) {
            let (mut queue, mut model) = (PacketQueue::default(), VecDeque::<Vec<u8>>::new());
            for (number, (push, length)) in (0_u8..).cycle().zip(steps) {
                if push {
                    let waiting: usize = model.iter().map(|packet| packet.len() + PACKET_COST).sum();
                    let fits = waiting + length + PACKET_COST <= CAPACITY;
                    let packet = vec![number; length];
                    prop_assert_eq!(queue.push(&packet), fits);
                    if fits {
                        model.push_back(packet);
                    }
                } else {
                    prop_assert_eq!(queue.pop().map(|packet| packet.to_vec()), model.pop_front());
                }
                prop_assert_eq!(queue.len(), model.len());
                prop_assert!(queue.buffer.capacity() <= 2 * CAPACITY);
            }
        }
    }
}
