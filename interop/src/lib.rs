//! BoringSSL as the other side of a meeting (`drystone_tests::meeting`). Owns what is BoringSSL's; the cells are the same
//! as with every other implementation.

mod raw;
mod stack;

pub use stack::{Boring, OTHERS};
