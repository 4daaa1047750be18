//! Growth exponents: with which power of the distance the mean rise of the loss grows.

mod config;
mod exponent;
mod exponents;
mod plateau;
mod shell;

pub use config::GrowthExponentsConfig;
pub use exponent::GrowthExponent;
pub use exponents::GrowthExponents;
pub use plateau::GrowthPlateau;
