//! Flights: handshake messages cut into fragments, put together again, sent again until they have arrived.
//!
//! One implementation serves both versions; [`Reliability`] is the only difference. Nothing here knows what a
//! message means, which keys protect it, what the time is (it is an argument) or where datagrams go.
//!
//! ```text
//! inbound   record payload -> Fragment -> Incoming (what the state's Expectation admits) -> whole messages in order
//!                                     \-> RepeatDetector: the peer lost our flight
//! outbound  whole messages -> Outgoing -> datagrams, sealed by the caller's Sealer
//!           ACK numbers    -> SentRecords -> acknowledged byte ranges
//!           Acks: the peer's records that we have
//! time      RetransmitTimer
//! ```
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod acks;
mod cuts;
mod expectation;
mod fragment;
mod incoming;
mod limits;
mod outgoing;
mod path_size;
mod ranges;
mod repeat;
mod sent;
mod timer;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

pub(crate) use acks::Acks;
pub(crate) use expectation::{Expectation, Expected};
pub(crate) use fragment::{Fragment, FragmentFault, HEADER_LEN, header};
pub(crate) use incoming::{Accepted, Arrival, Incoming, Message};
pub use limits::Limits;
pub(crate) use limits::{Bound, TooLong};
pub(crate) use outgoing::{Outgoing, RECORDS_PER_BURST, Reliability, SealFailed, Sealer};
pub(crate) use repeat::RepeatDetector;
pub(crate) use timer::{AnswerLimit, Expired, RetransmitTimer, TimerSettings};
