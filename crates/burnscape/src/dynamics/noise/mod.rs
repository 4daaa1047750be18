//! Gradient noise: how much the gradients of examples differ, and the batch size that this asks for.

mod config;
mod estimator;
mod gradient_noise;
mod gradient_noise_monitor;
mod gradients;
mod moments;
mod quadratic_forms;
mod quantities;

pub use config::GradientNoiseConfig;
pub use estimator::NoiseEstimator;
pub use gradient_noise::GradientNoise;
pub use gradient_noise_monitor::GradientNoiseMonitor;
