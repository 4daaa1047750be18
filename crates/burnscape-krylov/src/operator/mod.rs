//! What can be multiplied, and what is known about it.

mod adjoint;
mod linear;
mod self_adjoint;
mod square;

pub use adjoint::Adjoint;
pub use linear::LinearOperator;
pub use self_adjoint::SelfAdjoint;
pub use square::Square;
