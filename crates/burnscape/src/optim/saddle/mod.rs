//! Optimizers that escape saddles: by noise where the gradient is small, and by Newton's method with absolute
//! curvatures.

mod perturbed_gd;
mod saddle_free_config;
mod saddle_free_newton;
mod saddle_free_report;

pub use perturbed_gd::{PerturbedGd, PerturbedGdConfig, SecondOrderPoint};
pub use saddle_free_config::SaddleFreeNewtonConfig;
pub use saddle_free_newton::SaddleFreeNewton;
pub use saddle_free_report::SaddleFreeReport;
