//! Coercivity: whether the gradient of the loss outgrows its Laplacian far away.

mod config;
mod result;

pub use config::CoercivityConfig;
pub use result::Coercivity;
