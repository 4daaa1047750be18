//! Dinh's rescaling, and what it does to every measure.

mod change;
mod config;
mod rescale;

pub use change::{MeasureChange, Reparameterization};
pub use config::ReparameterizationConfig;
pub use rescale::rescale_relu_pair;
