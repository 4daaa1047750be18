//! How much parameters of one tensor change the gradient of another.

mod config;
mod layer_coupling;

pub use config::LayerCouplingConfig;
pub use layer_coupling::LayerCoupling;
