use serde::{Deserialize, Serialize};

/// How a diagonal is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum DiagonalMethod {
    /// The mean of `v ∘ A v` over Rademacher vectors: Bekas' quotient, because `v ∘ v` is one. The error of coordinate `i` is
    /// the norm of row `i` off the diagonal, divided by the root of the number of products.
    #[default]
    Hutchinson,
    /// Half of the products find a subspace, in which the diagonal is exact. Each random vector is the sample for the
    /// remainder outside the subspace of the others. Better if eigenvalues decay. The samples depend on each other, so that
    /// the stated error is up to 50 % too small.
    XDiag,
}
