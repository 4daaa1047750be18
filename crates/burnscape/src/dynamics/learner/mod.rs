//! Monitors of a training by Burn's `Learner`, with metrics for its display.

mod learner_monitors;
mod metric;
mod series;
mod shared;

pub use learner_monitors::LearnerMonitors;
