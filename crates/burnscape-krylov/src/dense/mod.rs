//! Operators as matrices on the host.

mod matrix;
mod of_operator;
mod singular;
mod symmetric_part;

pub use matrix::Dense;
pub(crate) use symmetric_part::symmetric_part;
