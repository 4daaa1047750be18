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
    /// The number itself if it is exact. Otherwise there are two sources:
    ///
    /// - [`LanczosFactorization::count_in`](crate::LanczosFactorization::count_in): the dimension times the weight that the
    ///   quadrature of the start has in the range. It is a guess. For a random start its mean over the draws is near the
    ///   number; its spread for one start can be as large as the root of that, and a node represents a neighborhood. None
    ///   after a restart.
    /// - A count from a [density](crate::SpectralDensity), as in `Inertia` of `burnscape`: the dimension times the middle
    ///   of the bounds of the fraction in the range, within the bounds that are certain.
    pub estimate: Option<f64>,
    /// The interval that covers the number with the confidence set; it contains the estimate. Both ends are the number if it
    /// is exact. None from a single random vector.
    pub interval: Option<(f64, f64)>,
    /// The standard error of the estimate over the random vectors: zero if the number is exact, none from a single
    /// vector.
    #[serde(with = "crate::number::optional")]
    pub standard_error: Option<f64>,
}
