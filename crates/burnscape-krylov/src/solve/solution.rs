use crate::Outcome;

/// The solution that a solver reached.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Solution<V> {
    /// The solution.
    pub x: V,
    /// `|b − A x| / |b|`, by a product of its own; zero for `b = 0`. By the solver's recurrence (in the norm of a
    /// preconditioner, if there is one), where an observer ended that product.
    pub residual: f64,
    /// Products used, that one included.
    pub num_matvecs: usize,
    /// How the run ended. It has converged if the true residual is within the tolerance.
    pub outcome: Outcome,
}

impl<V> Solution<V> {
    /// Of the system whose right-hand side is zero.
    pub(super) fn zero(x: V) -> Self {
        Self {
            x,
            residual: 0.0,
            num_matvecs: 0,
            outcome: Outcome::Converged,
        }
    }
}
