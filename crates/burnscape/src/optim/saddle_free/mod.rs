//! Newton's method with the absolute values of the curvatures.

mod config;
mod newton;
mod report;

pub use config::SaddleFreeNewtonConfig;
pub use newton::SaddleFreeNewton;
pub use report::SaddleFreeReport;
