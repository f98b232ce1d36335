//! A datagram on its way to an association, in the caller's buffer.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use drystone_handshake::{Data, Datagram, RecordNumber};

use super::{FourTuple, PeerId};

/// A received datagram: the caller's bytes, consumed by [`Endpoint::receive`](crate::Endpoint::receive), which decrypts in
/// place.
pub struct Incoming<'b> {
    pub(super) ends: FourTuple,
    pub(super) stage: Stage<'b>,
}

/// How far a datagram has come.
pub(super) enum Stage<'b> {
    /// Its receiver is not known yet.
    Fresh(&'b mut [u8]),
    /// This association opens its records.
    Open(PeerId, Datagram<'b>),
    /// This one has opened them already, in a copy that is here now.
    Opened(PeerId, Opened<'b>),
    /// Nobody wants it.
    Done,
}

/// Application data that was decrypted elsewhere and lies in the caller's buffer now, in the order of its places.
pub(super) struct Opened<'b> {
    bytes: &'b mut [u8],
    /// How many bytes of the datagram were handed out or passed over.
    passed: usize,
    packets: VecDeque<(Range<usize>, RecordNumber)>,
}

impl<'b> Incoming<'b> {
    /// A datagram of these bytes that travelled between these ends.
    pub fn new(ends: FourTuple, bytes: &'b mut [u8]) -> Self {
        Self { ends, stage: Stage::Fresh(bytes) }
    }

    /// The ends between which it travelled.
    pub fn ends(&self) -> FourTuple {
        self.ends
    }
}

impl<'b> Opened<'b> {
    pub(super) fn new(bytes: &'b mut [u8], packets: VecDeque<(Range<usize>, RecordNumber)>) -> Self {
        Self { bytes, passed: 0, packets }
    }

    pub(super) fn next(&mut self) -> Option<Data<'b>> {
        let (range, number) = self.packets.pop_front()?;
        let skipped = range.start.checked_sub(self.passed)?;
        let (_, rest) = std::mem::take(&mut self.bytes).split_at_mut_checked(skipped)?;
        let (payload, rest) = rest.split_at_mut_checked(range.len())?;
        self.bytes = rest;
        self.passed = range.end;
        Some(Data { payload, number })
    }
}

impl fmt::Debug for Incoming<'_> {
    /// Without the bytes: they may be plaintext.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("ends", &self.ends).finish_non_exhaustive()
    }
}
