use serde::{Deserialize, Serialize};

/// How a trace is estimated.
///
/// None wins everywhere. Hutchinson's method is best for spectra without decay, and on the Hessians of
/// networks below some thirty products; Hutch++ and XTrace where eigenvalues of either sign decay;
/// XNysTrace, by far, for positive semidefinite operators whose eigenvalues decay fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum TraceMethod {
    /// The mean of `vᵀ A v` over Rademacher vectors: the error falls as one over the root of the
    /// products, and is proportional to the Frobenius norm off the diagonal.
    #[default]
    Hutchinson,
    /// A third of the products find a subspace in which the trace is taken exactly, and the rest goes to
    /// what is left: better where eigenvalues decay fast.
    HutchPlusPlus,
    /// Half of the products find a subspace, half act within it, and each random vector is the sample for
    /// the subspace of all the others. Those samples depend on each other, and their spread is too small
    /// (intervals from it cover 70 to 90 % where they should 95); the interval here is the jackknife's, two
    /// to five times as wide, and conservative: it covers more often than the confidence states.
    XTrace,
    /// As [`XTrace`](Self::XTrace) by Nyström approximation, for positive semidefinite operators: all
    /// products find the subspace. Its interval is the jackknife's too, and as conservative, with room for
    /// rounding.
    XNysTrace,
    /// Hutchinson's method below thirty products. From there a pilot of an eighth of them as random
    /// vectors (6 to 16, two products each): the spread of XTrace's samples over the root of half the
    /// products, against that of Hutchinson's (half of `√2 |A − I tr A / n|` at least) over the root of what is
    /// left. The better one continues from the pilot. Never XNysTrace, which needs to know
    /// that the operator is positive semidefinite.
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
