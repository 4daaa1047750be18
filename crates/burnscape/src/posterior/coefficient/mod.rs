//! The local learning coefficient, with the checks that tell whether its number is one.

mod config;
mod descent;
mod finding;
mod judge;
mod learning_coefficient;
mod monitor;
mod shown;
#[cfg(test)]
mod tests;
mod thresholds;

pub use config::LearningCoefficientConfig;
pub use finding::Finding;
pub(super) use judge::are_long;
pub use learning_coefficient::LearningCoefficient;
pub use thresholds::Thresholds;
