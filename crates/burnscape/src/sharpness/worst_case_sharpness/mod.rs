//! The largest rise in a ball, by projected gradient ascent.

mod config;
mod report;

pub use config::WorstCaseSharpnessConfig;
pub use report::{WorstCasePoint, WorstCaseSharpness};
