//! The record layer of DTLS 1.2 and 1.3: from datagrams to payloads and back, in place, without I/O and without a clock.
//!
//! ```text
//! datagram -> Records -> Protected -> ReadEpochs -> ReadEpoch: window (classic) -> AEAD -> window -> Opened
//!             (cut)                   (which?)                 mask, number (unified)
//!
//! buffer with room around the payload -> WriteEpochs -> WriteEpoch: limits, number, AEAD, mask -> Sealed
//! ```
//!
//! * [`Records`] cuts a datagram into records; [`Header`] says what each claims.
//! * [`ReadEpoch`] and [`WriteEpoch`] own what one direction of one epoch needs: keys, window, counters, limits.
//!   [`ReadEpochs`] and [`WriteEpochs`] own which epochs are alive.
//! * [`Protection`] is data, fixed when keys are installed. There is no protocol version here: an epoch has classic
//!   or unified headers, and rules as values.
//! * [`Padding`] makes records look longer than what is in them.
//! * [`Aead`] and [`Mask`] are the seam to cryptography; [`mod@ring`] stands behind it.
//! * What the network may do at will ends as a [`Discard`], counted in [`Stats`], and changes nothing else.
//!
//! ```
//! use core::time::Duration;
//! use drystone_record::*;
//!
//! let protection = || -> Result<Protection, InvalidKey> {
//!     let key = ring::CHACHA20_POLY1305.key(&[1; 32])?;
//!     let mask = ring::MASK_CHACHA20.key(&[2; 32])?;
//!     Ok(Protection::unified(key, 16, [3; 12], mask, Limits::CHACHA20_POLY1305))
//! };
//! let mut writer = WriteEpoch::new(3, protection()?);
//! let mut reader = ReadEpochs::new(ReadEpoch::new(3, protection()?, AdmittedTypes::UNIFIED));
//!
//! let mut buffer = [0; 64];
//! let start = writer.overhead().prefix;
//! buffer[start..start + 5].copy_from_slice(b"hello");
//! let sealed = writer.seal(ContentType::APPLICATION_DATA, &mut buffer, start..start + 5)?;
//!
//! let mut records = Records::new(&mut buffer[sealed.range]);
//! while let Some(record) = records.next_record(0) {
//!     let opened = reader.open(record?, Duration::ZERO)?;
//!     assert_eq!(opened.payload, b"hello");
//!     assert_eq!(opened.number, sealed.number);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod admitted;
mod aead;
mod classic;
mod content;
mod datagram;
mod discard;
mod header;
mod mask;
mod number;
mod padding;
mod protection;
mod read_epoch;
mod read_epochs;
mod replay;
#[cfg(feature = "ring")]
pub mod ring;
mod unified;
mod write_epoch;
mod write_epochs;

pub use admitted::AdmittedTypes;
pub use aead::{Aead, AeadFailure, AeadKey, InvalidKey, NONCE_LENGTH};
pub use classic::ClassicNonce;
pub use content::{ContentType, MAX_PAYLOAD};
pub use datagram::{PlaintextRecord, Protected, Records, peek_plaintext};
pub use discard::{Discard, Stats};
pub use header::{Header, UnifiedForm};
pub use mask::{Mask, MaskKey, SAMPLE_LENGTH};
pub use number::{MAX_EPOCH, RecordNumber};
pub use padding::Padding;
pub use protection::{ConfidentialityLimit, Limits, Overhead, Protection};
pub use read_epoch::{OpenError, Opened, ReadEpoch};
pub use read_epochs::{RETENTION, ReadEpochs};
pub use write_epoch::{ConnectionIdTooLong, SealError, Sealed, SequencePassed, WriteEpoch};
pub use write_epochs::{EpochNotNewer, WriteEpochs};
