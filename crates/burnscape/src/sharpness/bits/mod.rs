//! How few bits the weights need.

mod bits_per_weight;
mod config;
mod grid;

pub use bits_per_weight::BitsPerWeight;
pub use config::BitsPerWeightConfig;
