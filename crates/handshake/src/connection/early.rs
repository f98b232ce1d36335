//! Records that came before their keys during a handshake: a Finished that overtakes its ChangeCipherSpec, a Certificate that
//! overtakes ServerHello. Owns how few are kept and when they are tried; knows nothing of what is in them.

use alloc::vec::Vec;
use core::mem;

use drystone_record::{ContentType, Discard, Header, Protected};

use super::{Connection, Datagram, Phase};
use crate::time::Instant;
use crate::v12::PROTECTED_EPOCH;
use crate::v13::HANDSHAKE_EPOCH;

/// Records and bytes of an association that are kept so. Nobody has authenticated them yet.
const MAX_RECORDS: usize = 2;
const MAX_BYTES: usize = 2048;

/// At most [`MAX_RECORDS`] whole records, in the order of arrival. A newer one takes the place of the oldest, so that what
/// somebody planted does not keep out what the peer sends.
#[derive(Debug, Default)]
pub(super) struct EarlyRecords {
    /// The records one behind the other.
    bytes: Vec<u8>,
    /// Where the second one begins; the length of all if there is none.
    second: usize,
}

impl EarlyRecords {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn count(&self) -> usize {
        usize::from(!self.is_empty()) + usize::from(self.second < self.bytes.len())
    }

    /// Keeps a copy of a record. Returns how many records were given up: this one if it is too long, or older ones.
    fn keep(&mut self, record: &Protected<'_>) -> usize {
        let (header, body) = (record.header_bytes(), record.body());
        let length = header.len().saturating_add(body.len());
        if length > MAX_BYTES {
            return 1;
        }
        let mut given_up = 0;
        while self.count() >= MAX_RECORDS || self.bytes.len().saturating_add(length) > MAX_BYTES {
            self.bytes.drain(..self.second);
            self.second = self.bytes.len();
            given_up += 1;
        }
        // Once for all: what comes later makes no further allocations.
        self.bytes.reserve_exact(MAX_BYTES.saturating_sub(self.bytes.len()));
        if self.bytes.is_empty() {
            self.second = length;
        }
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(body);
        given_up
    }
}

impl Connection {
    /// Keeps a record of the next epoch if this association may, whose keys are not there yet; whether it is dealt with.
    ///
    /// RFC 6347 section 4.1: implementations "SHOULD either discard or buffer all application data packets for the new
    /// epoch", and the same reordering concerns Finished. What the peer wrote for the epoch after the next, or application
    /// data, is dropped.
    pub(super) fn keep_early(&mut self, now: Instant, record: &Protected<'_>) -> bool {
        // A server of an unproven client keeps nothing for it.
        let Self { phase: Phase::Handshaking(handshaking), reads, .. } = self else {
            return false;
        };
        if handshaking.amplification.is_some()
            || !handshaking.may_keep_early()
            || reads.newest() != Some(0)
            || !is_of_next_epoch(record)
        {
            return false;
        }
        let given_up = handshaking.early.keep(record);
        let flights = &mut handshaking.io.flights;
        flights.record_came_too_early();
        if matches!(record.header(), Header::Classic { .. }) {
            // The peer has our flight: it has the keys that follow from it.
            flights.partly_answered(now, 0, None);
            flights.probe(now);
        }
        for _ in 0..given_up {
            self.stats.count(Discard::FutureEpoch);
        }
        true
    }

    /// Opens what was kept, once there are keys for it.
    pub(super) fn open_early(&mut self, now: Instant) {
        let Phase::Handshaking(handshaking) = &mut self.phase else { return };
        if handshaking.early.is_empty() || self.reads.newest() == Some(0) {
            return;
        }
        let EarlyRecords { mut bytes, second } = mem::take(&mut handshaking.early);
        let (first, second) = bytes.split_at_mut_checked(second).unwrap_or_default();
        for record in [first, second] {
            // Nothing of it is application data, see `is_of_next_epoch`; in an epoch of the handshake that is a fault anyway.
            // The common way in: a second place that opens records would cost every one of them its inlining.
            let _ = self.receive(now, &mut Datagram::new(self.path, record));
        }
    }
}

/// Whether a record may be of the handshake, under the first keys of either version.
fn is_of_next_epoch(record: &Protected<'_>) -> bool {
    match record.header() {
        Header::Classic { content_type, epoch, .. } => {
            *content_type == ContentType::HANDSHAKE && u64::from(*epoch) == PROTECTED_EPOCH
        }
        Header::Unified { epoch_low_bits, .. } => u64::from(*epoch_low_bits) == HANDSHAKE_EPOCH,
        _ => false,
    }
}
