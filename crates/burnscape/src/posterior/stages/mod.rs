//! Stages of development: where the slope of a curve of learning coefficients over the logarithm of time changes.

mod config;
mod curve;
mod envelope;
mod found;
mod points;
mod readings;
mod remaining;
mod search;
#[cfg(test)]
mod tests;

pub use config::StagesConfig;
pub use found::{Knot, Stage, Stages};
