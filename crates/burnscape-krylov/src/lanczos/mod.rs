//! Lanczos: what products with one vector's Krylov space tell about a self-adjoint operator.

mod config;
mod eigenpair;
mod eigenpairs;
mod projected;
mod quadrature;
mod record;
mod step;

pub use config::LanczosConfig;
pub use eigenpair::{Eigenpair, End};
pub use eigenpairs::{Eigenpairs, EigenpairsConfig};
pub use quadrature::Quadrature;
pub use record::KrylovRecord;
pub use step::LanczosStep;
