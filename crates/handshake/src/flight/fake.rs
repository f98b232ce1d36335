//! A sealer for tests: counts records per epoch, and scrambles the payload so that only the right epoch reads it.

use alloc::{collections::BTreeMap, vec::Vec};
use core::ops::Range;

use super::outgoing::{SealFailed, Sealer};
use super::sent::RecordNumber;

const HEADER: usize = 8;

#[derive(Default)]
pub(crate) struct FakeSealer {
    /// The next sequence number of each epoch.
    pub(crate) next: BTreeMap<u64, u32>,
    /// Bytes before the payload beyond the 8 of the header; one more per epoch.
    pub(crate) padding: usize,
    /// Bytes after the payload, except in epoch 0.
    pub(crate) suffix: usize,
    /// Records that can still be sealed.
    pub(crate) left: Option<usize>,
}

/// A record as the receiver sees it.
pub(crate) struct Opened {
    pub(crate) content_type: u8,
    pub(crate) number: RecordNumber,
    pub(crate) payload: Vec<u8>,
    /// Bytes of the whole record.
    pub(crate) length: usize,
}

fn scramble(epoch: u64, bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte ^= (epoch as u8).wrapping_mul(0x5b));
}

impl FakeSealer {
    pub(crate) fn overhead_of(&self, epoch: u64) -> (usize, usize) {
        (HEADER + self.padding + epoch as usize, if epoch == 0 { 0 } else { self.suffix })
    }

    /// Cuts a datagram and opens its records, each with the keys of the epoch that it names.
    pub(crate) fn open(&self, mut datagram: &[u8]) -> Vec<Opened> {
        let mut records = Vec::new();
        while !datagram.is_empty() {
            let epoch = u64::from(datagram[1]);
            let sequence = u32::from_be_bytes(datagram[2..6].try_into().unwrap());
            let length = usize::from(u16::from_be_bytes(datagram[6..8].try_into().unwrap()));
            let (prefix, suffix) = self.overhead_of(epoch);
            let mut payload = datagram[prefix..prefix + length].to_vec();
            scramble(epoch, &mut payload);
            let whole = prefix + length + suffix;
            assert!(datagram[prefix + length..whole].iter().all(|&byte| byte == 0xee));
            records.push(Opened {
                content_type: datagram[0],
                number: (epoch, sequence.into()),
                payload,
                length: whole,
            });
            datagram = &datagram[whole..];
        }
        records
    }
}

impl Sealer for FakeSealer {
    fn overhead(&self, epoch: u64) -> Option<(usize, usize)> {
        (epoch < 10).then(|| self.overhead_of(epoch))
    }

    fn seal(
        &mut self,
        epoch: u64,
        content_type: u8,
        buffer: &mut [u8],
        payload: Range<usize>,
    ) -> Result<(Range<usize>, RecordNumber), SealFailed> {
        let (prefix, suffix) = self.overhead_of(epoch);
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or(SealFailed)?;
        }
        let sequence = self.next.entry(epoch).or_default();
        let start = payload.start - prefix;
        let end = payload.end + suffix;
        buffer[start] = content_type;
        buffer[start + 1] = epoch as u8;
        buffer[start + 2..start + 6].copy_from_slice(&sequence.to_be_bytes());
        buffer[start + 6..start + 8].copy_from_slice(&(payload.len() as u16).to_be_bytes());
        scramble(epoch, &mut buffer[payload.clone()]);
        buffer[payload.end..end].fill(0xee);
        *sequence += 1;
        Ok((start..end, (epoch, u64::from(*sequence) - 1)))
    }
}
