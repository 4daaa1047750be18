//! How a run is watched, stopped, and how it ended.

mod outcome;
mod step;

pub use outcome::Outcome;
pub use step::Step;
