//! The tangent kernel against closed forms, dense matrices, and the laws of a monitor.

mod closed_forms;
mod linear_flow;
mod models;
mod monitors;
mod networks;
mod refusals;
mod scaled_outputs;
mod settings;
