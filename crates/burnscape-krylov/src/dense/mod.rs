//! Operators as matrices on the host.

mod matrix;
mod to_dense;

pub use matrix::Dense;
pub use to_dense::{MAX_DENSE_ENTRIES, to_dense};
