//! Lanczos: what products with one vector's Krylov space tell about a self-adjoint operator.

mod answers;
mod config;
mod count;
mod eigenpair;
mod eigenpairs;
mod end;
mod found;
mod jacobi;
mod measure;
mod missing;
mod projected;
mod quadrature;
mod record;
mod residuals;
mod settled;
mod state;
mod trial;

pub use config::LanczosConfig;
pub use count::EigenvalueCount;
pub use eigenpair::Eigenpair;
pub use eigenpairs::EigenpairsConfig;
pub(crate) use eigenpairs::{check, kept};
pub use end::End;
pub use found::Eigenpairs;
pub(crate) use jacobi::Jacobi;
pub(crate) use measure::{measured, of_norm_one, products};
pub(crate) use missing::is_complete;
pub(crate) use projected::Projected;
pub use quadrature::Quadrature;
pub use record::KrylovRecord;
pub use residuals::Residuals;
pub(crate) use settled::{Apart, Settled, at_rest, breadth};
pub use state::KrylovState;
