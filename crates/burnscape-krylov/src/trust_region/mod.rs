//! The largest or smallest value of a quadratic in a ball.

mod certificate;
mod config;
mod model;
mod secular;
mod solution;

pub use config::TrustRegionConfig;
pub use solution::{SolutionKind, TrustRegionSolution};
