//! Estimates from random vectors and their products.

mod mean;
mod overlap;
mod samples;

pub use mean::Estimate;
pub use overlap::{Overlap, OverlapConfig};
pub(crate) use samples::{Reading, Samples};
