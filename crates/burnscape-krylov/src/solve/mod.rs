//! Linear systems with self-adjoint operators.

mod checked_preconditioner;
mod config;
mod conjugate_gradients;
mod minres;
mod range;
mod solution;
mod system;

pub use config::SolveConfig;
pub use solution::Solution;
