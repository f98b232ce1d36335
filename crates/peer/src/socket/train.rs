//! Datagrams to one peer that leave in one call where the system can segment them (GSO). It knows nothing of what they hold.

use std::io;
use std::ops::Range;

/// The most bytes in one call: what the system could hand over as one datagram.
const MAX_BYTES: usize = 65_000;

/// Bytes of UDP payload that nearly every interface carries (1,500 less the headers of IPv6 and UDP). The MTU of the settings is more
/// cautious; if it should be right, the system refuses, and datagrams leave one by one.
const OF_ETHERNET: usize = 1_452;

/// Datagrams that lie one after the other in a buffer, all of the same length but the last, which may be shorter.
#[derive(Debug)]
pub(crate) struct Train {
    /// The most datagrams in one call; 1 where the system cannot segment.
    most: usize,
    /// The longest datagram that the system can segment.
    longest: usize,
    /// The length of each, in bytes.
    segment: usize,
    count: usize,
    bytes: usize,
}

impl Train {
    /// For datagrams on a path of this MTU.
    pub(crate) const fn new(most: usize, mtu: usize) -> Self {
        let longest = if mtu > OF_ETHERNET { mtu } else { OF_ETHERNET };
        Self { most, longest, segment: 0, count: 0, bytes: 0 }
    }

    /// Whether a datagram of this length may be the next. If not, those that there are must leave first.
    pub(crate) fn takes(&self, length: usize) -> bool {
        self.count == 0
            || self.count < self.most
                && self.bytes == self.count * self.segment
                && length <= self.segment
                && self.segment <= self.longest
                && self.bytes + length <= MAX_BYTES
    }

    /// Where the next one begins in the buffer.
    pub(crate) const fn end(&self) -> usize {
        self.bytes
    }

    /// A datagram of this length, which it takes, was written there.
    pub(crate) fn push(&mut self, length: usize) {
        if self.count == 0 {
            self.segment = length;
        }
        self.count += 1;
        self.bytes += length;
    }

    /// Sends what there is, of `buffer`: at once, and one by one if the system cannot after all. How many left.
    ///
    /// # Errors
    /// What `send` says of the first that did not leave, if none did. It is given bytes, and the length of the segments if there are
    /// several.
    pub(crate) fn depart(
        &mut self,
        buffer: &[u8],
        mut send: impl FnMut(&[u8], Option<usize>) -> io::Result<()>,
    ) -> io::Result<usize> {
        let Self { segment, count, bytes, .. } = *self;
        *self = Self::new(self.most, self.longest);
        let whole = buffer.get(..bytes).unwrap_or_default();
        match count {
            0 => Ok(0),
            1 => send(whole, None).map(|()| 1),
            _ => match send(whole, Some(segment)) {
                Ok(()) => Ok(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
                Err(_) => one_by_one(whole, segment, send),
            },
        }
    }
}

fn one_by_one(
    whole: &[u8],
    segment: usize,
    mut send: impl FnMut(&[u8], Option<usize>) -> io::Result<()>,
) -> io::Result<usize> {
    let mut sent = 0;
    for datagram in whole.chunks(segment) {
        match send(datagram, None) {
            Ok(()) => sent += 1,
            Err(error) if sent == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(sent)
}

/// Where the next datagram may be written.
pub(crate) fn room<'b>(train: &Train, buffer: &'b mut [u8]) -> &'b mut [u8] {
    let rest: Range<usize> = train.end()..buffer.len();
    buffer.get_mut(rest).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    fn of(lengths: &[usize]) -> Train {
        let mut train = Train::new(64, 1_200);
        for length in lengths {
            assert!(train.takes(*length), "{length} of {lengths:?}");
            train.push(*length);
        }
        train
    }

    #[test]
    fn equal_ones_travel_together_and_a_shorter_one_is_the_last() {
        assert!(of(&[]).takes(5_000));
        assert!(!of(&[5_000]).takes(5_000), "longer than the path carries at once");
        assert!(of(&[1_000, 1_000]).takes(1_000));
        assert!(!of(&[1_000, 1_000]).takes(1_001));
        assert!(!of(&[1_000, 999]).takes(999));
        assert!(!of(&[100; 64]).takes(100), "as many as the system takes");
        assert!(!of(&[1_200; 54]).takes(1_200), "as many bytes as a datagram may have");
        let mut alone = Train::new(1, 1_200);
        alone.push(100);
        assert!(!alone.takes(100), "a system that cannot segment");
    }

    #[test]
    fn each_leaves_once_in_one_call_or_one_by_one() {
        let buffer: Vec<u8> = (0..250).collect();
        let mut calls = Vec::new();
        let sent = of(&[100, 100, 50]).depart(&buffer, |bytes, segment| {
            calls.push((bytes.to_vec(), segment));
            Ok(())
        });
        assert_eq!((sent.unwrap(), calls), (3, vec![(buffer.clone(), Some(100))]));

        let mut calls = Vec::new();
        let sent = of(&[100, 100, 50]).depart(&buffer, |bytes, segment| {
            calls.push(bytes.to_vec());
            if segment.is_some() { Err(ErrorKind::InvalidInput.into()) } else { Ok(()) }
        });
        assert_eq!((sent.unwrap(), calls[1..].concat(), calls.len()), (3, buffer.clone(), 4));

        let mut train = of(&[100, 100]);
        let blocked = train.depart(&buffer, |_, _| Err(ErrorKind::WouldBlock.into()));
        assert_eq!(blocked.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!((train.end(), train.depart(&buffer, |_, _| panic!("nothing is left")).unwrap()), (0, 0));
    }
}
