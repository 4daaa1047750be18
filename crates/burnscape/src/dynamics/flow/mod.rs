//! Flows: training with steps of length zero, and what it conserves.
//!
//! [`GradientFlowConfig`] follows the negative gradient, [`CentralFlowConfig`] the path about which gradient descent
//! oscillates at the edge of stability.

mod central_config;
mod central_field;
mod central_flow;
mod central_run;
mod config;
mod descent;
mod field;
mod gradient_flow;
mod imbalance;
mod search;

pub use central_config::CentralFlowConfig;
pub use central_flow::CentralFlow;
pub use config::GradientFlowConfig;
pub use gradient_flow::GradientFlow;
pub use imbalance::imbalance;
