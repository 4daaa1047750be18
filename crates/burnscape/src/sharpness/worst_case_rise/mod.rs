//! The largest rise in a ball, by projected gradient ascent.

mod config;
mod report;

pub use config::WorstCaseRiseConfig;
pub use report::{WorstCasePoint, WorstCaseRise};
