use serde::{Deserialize, Serialize};

/// Bounds and an estimate of the number of eigenvalues in a range.
///
/// The ends of a spectrum are counted with certainty after few steps, the interior late or never: between two
/// Ritz values that have not converged there may be one eigenvalue or thousands. `estimate` includes
/// those.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// The interval that covers the number with the confidence set: both ends are the number if it is exact. None
    /// from a single random vector.
    pub interval: Option<(f64, f64)>,
    /// The standard error of the estimate over the random vectors: zero if the number is exact, none from a single
    /// vector.
    pub standard_error: Option<f64>,
}
