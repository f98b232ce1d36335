//! Test package.

pub mod interop;
