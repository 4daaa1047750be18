//! Traces from products with random vectors.

mod auto;
mod config;
mod hutch_plus_plus;
mod hutchinson;
mod method;
mod sketch;
mod trace_estimate;
mod xnystrace;
mod xtrace;

pub use config::TraceConfig;
pub use method::TraceMethod;
pub(crate) use sketch::{Sketch, next_size};
pub use trace_estimate::TraceEstimate;
