//! The distribution of eigenvalues, by stochastic Lanczos quadrature.

mod axis;
mod bracket;
mod config;
mod curve;
mod shares;
mod spectral_density;

pub use axis::Axis;
pub use bracket::Bracket;
pub use config::DensityConfig;
pub use curve::DensityCurve;
pub use spectral_density::SpectralDensity;
