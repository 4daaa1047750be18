//! The sharpness along a training run, and its distance from instability.

mod config;
mod curvature_monitor;
mod curvature_reading;
mod kept_programs;
mod state;

pub use config::CurvatureMonitorConfig;
pub use curvature_monitor::CurvatureMonitor;
pub use curvature_reading::CurvatureReading;
pub(super) use kept_programs::KeptPrograms;
pub use state::CurvatureMonitorState;
