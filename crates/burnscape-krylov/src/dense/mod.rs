//! Operators as matrices on the host.

mod matrix;
mod of_operator;

pub use matrix::Dense;
