//! Datagrams on their way in and out: the caller's buffers, never ours.

use core::fmt;

use drystone_record::{Discard, Protected, RecordNumber, Records};

/// An opaque number that the caller gives to a network path (for UDP: to a pair of addresses). drystone hands it back
/// with what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path(pub u64);

/// A received datagram: the caller's bytes, consumed record by record by
/// [`Connection::receive`](crate::Connection::receive), which decrypts in place.
pub struct Datagram<'b> {
    path: Path,
    length: usize,
    records: Records<'b>,
}

impl<'b> Datagram<'b> {
    /// A datagram of these bytes that came over `path`.
    pub fn new(path: Path, bytes: &'b mut [u8]) -> Self {
        Self { path, length: bytes.len(), records: Records::new(bytes) }
    }

    /// The path that it came over.
    pub fn path(&self) -> Path {
        self.path
    }

    /// What has not been consumed yet.
    pub fn remaining(&self) -> &[u8] {
        self.records.remaining()
    }

    /// The length of the whole datagram in bytes.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    #[inline]
    pub(crate) fn next_record(
        &mut self,
        own_connection_id_length: usize,
    ) -> Option<Result<Protected<'b>, Discard>> {
        self.records.next_record(own_connection_id_length)
    }

    /// Whether nothing of it has been consumed yet.
    #[inline]
    pub(crate) fn is_fresh(&self) -> bool {
        self.records.remaining().len() == self.length
    }
}

impl fmt::Debug for Datagram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagram")
            .field("path", &self.path)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Application data, decrypted where it lay in the caller's buffer.
pub struct Data<'b> {
    /// The plaintext.
    pub payload: &'b mut [u8],
    /// The number of the record that carried it.
    pub number: RecordNumber,
}

impl fmt::Debug for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data")
            .field("length", &self.payload.len())
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// A datagram that [`Connection::poll_transmit`](crate::Connection::poll_transmit) has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the datagram must be sent"]
pub struct Transmit {
    /// Its length in bytes, at the start of the buffer.
    pub len: usize,
    /// Where to send it.
    pub path: Path,
}
