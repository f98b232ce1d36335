//! Reading and writing the wire's integers, vectors, lists and code points.
//!
//! Owns the presentation language (RFC 9846 section 3); knows no message and no state. Lengths are checked by
//! construction: nothing here panics on what the network says, and a value that does not fit its length field is an
//! error, never a truncation.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod error;
mod format;
mod list;
pub(crate) mod points;
mod reader;
pub(crate) mod structs;
mod vector;
mod writer;

pub use error::{DecodeError, DecodeFault, EncodeError};
pub(crate) use format::Single;
pub use format::{Element, Format, Plain, Rest};
pub use list::{List, ListIter};
pub use reader::Reader;
pub use vector::Vector;
pub use writer::Writer;
