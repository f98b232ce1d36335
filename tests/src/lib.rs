//! What the tests of several crates share: simulated time and network, counted allocations.

pub mod alloc;
pub mod clock;
pub mod deterministic;
pub mod identity;
pub mod link;
pub mod null;
pub mod pair;
pub mod random;
