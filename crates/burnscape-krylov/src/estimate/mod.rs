//! Estimates from random vectors and their products.

mod mean;
mod samples;

pub use mean::Estimate;
pub(crate) use samples::{Reading, Samples};
