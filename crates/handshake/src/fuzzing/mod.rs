//! Entry points of the fuzz targets into what is not public. Owns the models that the code is held against; exists only
//! under `cfg(fuzzing)`, which `cargo fuzz` sets, and is no part of the interface.

mod input;
mod reassembly;

pub use reassembly::reassembly;
