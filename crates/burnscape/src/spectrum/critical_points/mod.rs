//! Critical points of a loss, found by Newton's method from many starts.

mod config;
mod found_point;
mod newton;
mod result;
mod search;

pub use config::CriticalPointsConfig;
pub use found_point::FoundPoint;
pub use result::CriticalPoints;
