//! Linear systems with self-adjoint operators.

mod cg;
mod minres;
mod preconditioned;
mod range;
mod solution;

pub use cg::CgConfig;
pub use minres::MinresConfig;
pub use solution::Solution;
