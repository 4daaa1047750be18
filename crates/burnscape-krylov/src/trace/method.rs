use serde::{Deserialize, Serialize};

/// How a trace is estimated.
///
/// No method is best everywhere. Hutchinson's method is best for spectra without decay, and for Hessians of networks with
/// fewer than about thirty products; Hutch++ and XTrace if eigenvalues of either sign decay; XNysTrace, by far, for positive
/// semidefinite operators whose eigenvalues decay fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum TraceMethod {
    /// The mean of `vᵀ A v` over Rademacher vectors: the error falls as one over the root of the
    /// products, and is proportional to the Frobenius norm off the diagonal.
    #[default]
    Hutchinson,
    /// A third of the products find a subspace, a third compute the trace in it exactly, and a third estimate the
    /// remainder: better if eigenvalues decay fast.
    HutchPlusPlus,
    /// Half of the products find a subspace, half act within it, and each random vector is the sample for
    /// the subspace of the others. The samples depend on each other, so that their spread is too small
    /// (intervals from it cover 70 to 90 % instead of 95 %). The interval here is the jackknife's, two
    /// to five times as wide, and conservative: it covers more often than the confidence states.
    XTrace,
    /// [`XTrace`](Self::XTrace) by Nyström approximation, for positive semidefinite operators: all
    /// products find the subspace. Its interval is the jackknife's too, and as conservative, widened by the
    /// rounding errors.
    XNysTrace,
    /// Hutchinson's method below thirty products. Otherwise a pilot run with an eighth of the products as random
    /// vectors (6 to 16, two products each) predicts two errors: the spread of XTrace's samples divided by the root of half
    /// the products, and that of Hutchinson's (at least half of `√2 |A − I tr A / n|`) divided by the root of the remaining
    /// products. The better method continues from the pilot. Never XNysTrace, which requires that the operator is positive
    /// semidefinite.
    Auto,
}

impl TraceMethod {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hutchinson => "Hutchinson's method",
            Self::HutchPlusPlus => "Hutch++",
            Self::XTrace => "XTrace",
            Self::XNysTrace => "XNysTrace",
            Self::Auto => "the choice of a method",
        }
    }
}
