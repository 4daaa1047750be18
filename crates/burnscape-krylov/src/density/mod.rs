//! The distribution of eigenvalues, by stochastic Lanczos quadrature.

mod config;
mod spectral_density;

pub use config::DensityConfig;
pub use spectral_density::SpectralDensity;
