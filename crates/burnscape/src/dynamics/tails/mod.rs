//! The tail index of gradient noise, beside that of Gaussian noise.

mod averaged;
mod blocks;
mod config;
mod gradients;
mod interval;
mod pooled;
mod samples;
mod tail_estimator;
mod tail_index;

pub use config::TailIndexConfig;
pub use tail_estimator::TailEstimator;
pub use tail_index::TailIndex;
