//! Relative flatness: curvature weighted by the products of the neurons' weights.

mod config;
mod layer;
mod report;

pub use config::RelativeFlatnessConfig;
pub use report::RelativeFlatness;
