//! Test package.
