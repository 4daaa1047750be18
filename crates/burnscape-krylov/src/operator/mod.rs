//! Operators, and claims about them.

mod has_adjoint;
mod linear;
mod products;
mod self_adjoint;
mod square;

pub use has_adjoint::HasAdjoint;
pub use linear::LinearOperator;
pub(crate) use linear::Preconditioner;
pub(crate) use products::{products, unchecked_products};
pub use self_adjoint::SelfAdjoint;
pub use square::Square;
