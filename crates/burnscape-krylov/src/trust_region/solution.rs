use serde::{Deserialize, Serialize};

use crate::Outcome;

/// Where in the ball a maximizer (or minimizer) of a quadratic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SolutionKind {
    /// Within the ball, at a stationary point of the quadratic; `μ = 0`.
    Interior,
    /// On the sphere, the only one.
    Boundary,
    /// On the sphere in the hard case: `g` has no part along the eigenvectors of the extreme
    /// eigenvalue, `μ` is that eigenvalue, and there is at least a second solution.
    HardCase,
}

/// The solution that [`TrustRegionConfig`](crate::TrustRegionConfig) found.
///
/// With `H` and `g` for a maximum, `−H` and `−g` for a minimum, `(μI − H) v = g` up to `residual`,
/// `|v| ≤ ρ`, `μ ≥ 0`, and, if `certified`, `μI − H` has no negative eigenvalue: then `v` is a
/// *global* solution.
///
/// Serialized without the vectors: `v` is empty (the default) after reading, and `mirror` is none. Read a
/// `TrustRegionSolution<()>` where the vector type has no default.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrustRegionSolution<V> {
    /// The solution.
    #[serde(skip)]
    pub v: V,
    /// In the hard case a second solution of the same value: the mirror image of `v` along the
    /// extreme eigenvector.
    #[serde(skip)]
    pub mirror: Option<V>,
    /// Where in the ball `v` is.
    pub kind: SolutionKind,
    /// The multiplier `μ ≥ 0`; infinite for a radius of zero.
    #[serde(with = "crate::number")]
    pub multiplier: f64,
    /// `gᵀv + ½ vᵀHv`.
    pub value: f64,
    /// `|(μI − H) v − g|` (for a minimum `|(μI + H) v + g|`), measured by one more product; by the small problem, if an
    /// observer ended that product.
    pub residual: f64,
    /// The largest residual allowed.
    pub goal: f64,
    /// How the run ended. It has converged if the residual is within the goal.
    pub outcome: Outcome,
    /// Whether a run from a random vector found no eigenvalue beyond `μ`.
    pub certified: bool,
    /// Products used, those for the certificate and the residual included.
    pub num_matvecs: usize,
}
