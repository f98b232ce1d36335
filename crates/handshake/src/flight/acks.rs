//! Which of the peer's records to acknowledge, and when (RFC 9147 section 7.1). Owns the list and its bound; knows neither
//! messages nor epochs' keys, and time is an argument.

use alloc::vec::Vec;
use core::time::Duration;

use super::sent::RecordNumber;

/// The most numbers in one ACK: more records than a flight has, and always within one datagram.
const MAX_NUMBERS: usize = 32;

/// The length field of the list.
const LENGTH_FIELD: usize = 2;
const NUMBER: usize = 16;

/// The records to acknowledge. Does nothing until it is enabled: DTLS 1.2 has no ACKs.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    enabled: bool,
    /// In the order of arrival; the newest stay.
    numbers: Vec<RecordNumber>,
    /// How many of them no ACK has named yet.
    unsent: usize,
    due: Option<Duration>,
}

impl Acks {
    /// The peer understands ACKs, and has the keys to read ours.
    pub(crate) fn enable(&mut self) {
        self.enabled = true;
    }

    pub(crate) fn are_enabled(&self) -> bool {
        self.enabled
    }

    /// How many records are listed that no ACK has named yet.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent
    }

    /// Lists a record whose every fragment was processed, kept, or known before.
    pub(crate) fn list(&mut self, number: RecordNumber) {
        if self.numbers.contains(&number) {
            return;
        }
        if self.numbers.len() >= MAX_NUMBERS {
            self.numbers.remove(0);
        }
        self.numbers.push(number);
        self.unsent = self.unsent.saturating_add(1);
    }

    /// Sends the list at this time, or earlier if that was said before.
    pub(crate) fn send_at(&mut self, at: Duration) {
        if self.enabled && !self.numbers.is_empty() {
            self.due = Some(self.due.map_or(at, |due| due.min(at)));
        }
    }

    /// When the list is to be sent; `None` for not at all.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.due
    }

    /// Whether the list is to be sent now.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Writes the body of an ACK, in ascending order as RFC 9147 section 7 asks for, with as many of the newest numbers as
    /// fit. Its length; `None` if there is no room for any.
    pub(crate) fn write(&self, room: &mut [u8]) -> Option<usize> {
        let fits = room.len().checked_sub(LENGTH_FIELD)? / NUMBER;
        let left_out = self.numbers.len().saturating_sub(fits);
        let mut numbers: Vec<_> = self.numbers.iter().copied().skip(left_out).collect();
        if numbers.is_empty() {
            return None;
        }
        numbers.sort_unstable();
        let length = numbers.len().saturating_mul(NUMBER);
        // At most 32 numbers.
        let (field, list) = room.split_first_chunk_mut::<LENGTH_FIELD>()?;
        *field = u16::try_from(length).ok()?.to_be_bytes();
        for (place, (epoch, sequence)) in list.chunks_exact_mut(NUMBER).zip(numbers) {
            let (high, low) = place.split_at_mut(NUMBER / 2);
            high.copy_from_slice(&epoch.to_be_bytes());
            low.copy_from_slice(&sequence.to_be_bytes());
        }
        Some(LENGTH_FIELD.saturating_add(length))
    }

    /// The list was sent. While a flight is under way it stays: the next ACK repeats it, in case this one is lost.
    pub(crate) fn sent(&mut self) {
        self.unsent = 0;
        self.due = None;
    }

    /// What is listed is settled: our own next flight acknowledges it, or an ACK after the handshake, which is not
    /// repeated.
    pub(crate) fn clear(&mut self) {
        self.numbers = Vec::new();
        self.unsent = 0;
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Ack;
    use std::vec;

    fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn enabled() -> Acks {
        let mut acks = Acks::default();
        acks.enable();
        acks
    }

    fn written(acks: &Acks, room: usize) -> Option<Vec<RecordNumber>> {
        let mut buffer = vec![0xff; room];
        let length = acks.write(&mut buffer)?;
        let ack = Ack::decode(&buffer[..length]).unwrap();
        Some(ack.record_numbers.iter().map(|number| (number.epoch, number.sequence)).collect())
    }

    #[test]
    fn numbers_go_out_in_order_and_once() {
        let mut acks = enabled();
        for number in [(2, 5), (0, 1), (2, 5), (2, 3)] {
            acks.list(number);
        }
        assert_eq!(written(&acks, 1200), Some(vec![(0, 1), (2, 3), (2, 5)]));
        acks.sent();
        assert_eq!(written(&acks, 1200).unwrap().len(), 3, "the next ACK of the flight says it again");
        acks.clear();
        assert_eq!(written(&acks, 1200), None);
    }

    #[test]
    fn records_count_until_an_ack_has_named_them() {
        let mut acks = enabled();
        for number in [(2, 0), (2, 1), (2, 1)] {
            acks.list(number);
        }
        assert_eq!(acks.unsent(), 2);
        acks.sent();
        assert_eq!(acks.unsent(), 0);
        acks.list((2, 2));
        assert_eq!(acks.unsent(), 1);
        acks.clear();
        assert_eq!(acks.unsent(), 0);
    }

    #[test]
    fn the_newest_that_fit_are_sent() {
        let mut acks = enabled();
        for sequence in 0..100 {
            acks.list((2, sequence));
        }
        let newest = |count: u64| (100 - count..100).map(|sequence| (2, sequence)).collect::<Vec<_>>();
        assert_eq!(written(&acks, 1200), Some(newest(32)));
        assert_eq!(written(&acks, 2 + 16 * 32), Some(newest(32)));
        assert_eq!(written(&acks, 2 + 16 * 3 + 15), Some(newest(3)));
        assert_eq!(written(&acks, 2 + 15), None);
        assert_eq!(written(&acks, 0), None);
    }

    #[test]
    fn the_earliest_time_counts() {
        let mut acks = enabled();
        acks.send_at(second(1));
        assert_eq!(acks.deadline(), None, "there is nothing to say");
        acks.list((2, 0));
        acks.send_at(second(3));
        acks.send_at(second(2));
        acks.send_at(second(4));
        assert_eq!(acks.deadline(), Some(second(2)));
        assert!(!acks.is_due(second(1)) && acks.is_due(second(2)));
        acks.sent();
        assert_eq!(acks.deadline(), None);
    }

    #[test]
    fn without_acks_in_the_protocol_none_is_ever_due() {
        let mut acks = Acks::default();
        acks.list((0, 1));
        acks.send_at(second(0));
        assert_eq!(acks.deadline(), None);
    }
}
