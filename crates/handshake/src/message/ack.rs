//! ACK (RFC 9147 section 7): which records arrived.
//!
//! Owns the format; which records are listed, and what a listed one means, is the flights' business.

use crate::codec::structs::{message, wire_struct};
use crate::codec::{List, Plain, Vector};

message! {
    "ACK";
    /// The records whose handshake messages the sender has processed or buffered (RFC 9147 section 7).
    ///
    /// ```
    /// use drystone_handshake::message::{Ack, RecordNumber};
    ///
    /// let mut body = Vec::new();
    /// Ack { record_numbers: (&[RecordNumber { epoch: 2, sequence: 1 }]).into() }.encode(&mut body)?;
    /// assert_eq!(body.len(), 2 + 16);
    /// # Ok::<(), drystone_handshake::codec::EncodeError>(())
    /// ```
    pub struct Ack<'a> {
        /// In numerically increasing order, as far as the sender is honest: it is not checked here.
        record_numbers: List<'a, RecordNumber> = Vector::u16(0, 0xffff),
    }
}

wire_struct! {
    /// A record's full number, as an ACK names it (RFC 9147 section 4).
    #[derive(PartialOrd, Ord, Hash)]
    pub struct RecordNumber {
        /// The epoch, from 0.
        epoch: u64 = Plain,
        /// The sequence number within the epoch, from 0.
        sequence: u64 = Plain,
    }
}
