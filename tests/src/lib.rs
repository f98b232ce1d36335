//! What the tests of several crates share: simulated time and network, counted allocations, programs to talk to.

pub mod alloc;
pub mod capture;
pub mod clock;
pub mod counting;
pub mod cpu;
pub mod deterministic;
pub mod hostile;
pub mod identity;
pub mod interop;
pub mod key_log;
#[cfg(target_os = "linux")]
pub mod learning;
pub mod link;
pub mod meeting;
#[cfg(target_os = "linux")]
pub mod memory;
pub mod null;
pub mod pair;
pub mod peers;
pub mod random;
pub mod rogue;
pub mod scenario;
pub mod star;
pub mod unusual;
