use serde::{Deserialize, Serialize};

/// Bounds and an estimate of the number of eigenvalues in a range, from a Lanczos run.
///
/// The ends of a spectrum are counted with certainty after few steps, the interior late or never: between two
/// Ritz values that have not converged there may be one eigenvalue or thousands. `estimate` includes
/// those.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EigenvalueCount {
    /// There are at least this many, counted with multiplicity: that many Ritz values are within the
    /// range by more than their joint residual and the rounding (Parlett, *The Symmetric Eigenvalue
    /// Problem*, theorem 11.5.1). An eigenvalue at the edge of the range is never certain.
    pub at_least: usize,
    /// The number itself, where the basis spans the whole space; eigenvalues within rounding of the edge
    /// may be on either side.
    pub exact: Option<usize>,
    /// The dimension times the weight that the quadrature of the start has in the range. A guess: for a
    /// random start its mean over the draws is near the number, its spread for one start can be as large as
    /// the root of that, and a node stands for a neighborhood. None after a restart.
    pub estimate: Option<f64>,
}
