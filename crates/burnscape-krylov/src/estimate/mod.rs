//! Estimates from random vectors and their products, and from repeated runs.

mod line_fit;
mod mean;
mod overlap;
mod rank_correlation;
mod samples;

pub use line_fit::LineFit;
pub use mean::Estimate;
pub use overlap::{Overlap, OverlapConfig};
pub use rank_correlation::RankCorrelation;
pub(crate) use samples::{Reading, Samples};
