//! Reading and writing the wire's integers, vectors and code points.

pub(crate) mod points;
