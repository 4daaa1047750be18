use serde::{Deserialize, Serialize};

use crate::Outcome;

/// The solution of a linear system, with its residual and its cost.
///
/// Serialized without the vector, which is empty (the default) after reading. Read a `Solution<()>` where the vector type
/// has no default.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Solution<V> {
    /// The solution.
    #[serde(skip)]
    pub x: V,
    /// `|b − A x| / |b|`, measured by one more product; zero for `b = 0`. If an observer ended that product, the residual of
    /// the solver's recurrence (in the norm of a preconditioner, if there is one).
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
