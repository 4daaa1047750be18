//! The diagonal of an operator, from products with random vectors.

mod config;
mod diagonal_estimate;
mod method;

pub use config::DiagonalConfig;
pub use diagonal_estimate::DiagonalEstimate;
pub use method::DiagonalMethod;
