//! Traces from products with random vectors.

mod config;
mod estimate;
mod trace_estimate;

pub use config::{TraceConfig, TraceMethod};
pub use estimate::Estimate;
pub use trace_estimate::TraceEstimate;
