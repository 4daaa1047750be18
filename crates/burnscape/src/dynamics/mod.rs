//! Curvature along a training run, step by step.
//!
//! [`CurvatureMonitor`] follows the sharpness (the largest eigenvalue of the Hessian), the gradient's
//! norm and the trace along a run, together with the thresholds above which gradient descent is unstable.
//! In your own loop, call [`observe`](CurvatureMonitor::observe); for Burn's `Learner`, use a
//! `LearnerMonitor` (feature `train`).

mod config;
mod curvature_monitor;
mod curvature_reading;
mod error;
mod kept_programs;
#[cfg(feature = "train")]
mod learner;
mod momentum_edge;
mod monitor_record;

pub use config::CurvatureMonitorConfig;
pub use curvature_monitor::CurvatureMonitor;
pub use curvature_reading::CurvatureReading;
pub use error::DynamicsError;
#[cfg(feature = "train")]
pub use learner::{CurvatureQuantity, LearnerMonitor};
pub use momentum_edge::momentum_edge;
pub use monitor_record::CurvatureMonitorRecord;
