//! The tangent kernel along a training run: how far it moves, what it aligns with, and the model that has a constant
//! one.

mod config;
mod linearized_model;
mod matrix;
mod numbers;
mod products;
mod quantities;
mod sampled;
mod scaled_outputs;
mod state;
mod tangent_kernel_monitor;
mod tangent_kernel_reading;

pub use config::TangentKernelConfig;
pub use linearized_model::LinearizedModel;
pub use scaled_outputs::ScaledOutputs;
pub use state::TangentKernelMonitorState;
pub use tangent_kernel_monitor::TangentKernelMonitor;
pub use tangent_kernel_reading::TangentKernelReading;
