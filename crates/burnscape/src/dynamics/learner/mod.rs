//! Curvature as metrics of Burn's `Learner`.

mod learner_monitor;
mod metric;
mod quantity;
mod readings;

pub use learner_monitor::LearnerMonitor;
pub use quantity::CurvatureQuantity;
