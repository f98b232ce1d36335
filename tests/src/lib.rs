//! What the tests of several crates share: simulated time and network, counted allocations, programs to talk to.

pub mod alloc;
pub mod clock;
pub mod identity;
pub mod interop;
pub mod link;
pub mod pair;
pub mod random;
