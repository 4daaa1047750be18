//! The distribution of eigenvalues, by stochastic Lanczos quadrature.

mod axis;
mod config;
mod curve;
mod spectral_density;

pub use axis::Axis;
pub use config::DensityConfig;
pub use curve::{CurveConfig, DensityCurve};
pub use spectral_density::SpectralDensity;
