//! Lanczos: the Krylov space of one vector, and the questions that it answers without new products.

mod answers;
mod checkpoint;
mod count;
mod factorization;
mod jacobi;
mod missing;
mod projected;
mod quadrature;
mod settled;
mod trial;

pub use checkpoint::LanczosCheckpoint;
pub use count::EigenvalueCount;
pub use factorization::LanczosFactorization;
pub(crate) use jacobi::Jacobi;
pub(crate) use missing::is_complete;
pub(crate) use projected::{Projected, ascending_eigenpairs};
pub use quadrature::Quadrature;
pub(crate) use settled::{Apart, Settled, at_rest, breadth};
pub(crate) use trial::Trial;
