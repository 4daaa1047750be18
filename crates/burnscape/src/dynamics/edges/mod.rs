//! Edges of stability of Burn's optimizers: the curvature above which their steps diverge.
//!
//! [`EdgeRule`] has the formulas. Optimizers that divide the gradient by a diagonal matrix `P` have an edge for the
//! eigenvalues of `P⁻¹H`; `P` is read from their records.

mod denominator;
mod edge_rule;
mod preconditioned_hessian;
mod preconditioner;
mod states;
mod watched;

pub use edge_rule::EdgeRule;
pub(super) use states::refuse_preconditioner;
pub use watched::WatchedOptimizer;
