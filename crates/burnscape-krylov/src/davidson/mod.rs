//! Davidson's method: the outermost eigenpairs, from vectors that are close already.

mod config;
mod subspace;

pub use config::{Davidson, DavidsonConfig};
