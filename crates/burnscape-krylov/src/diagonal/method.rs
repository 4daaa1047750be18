use serde::{Deserialize, Serialize};

/// How a diagonal is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum DiagonalMethod {
    /// The mean of `v ∘ A v` over Rademacher vectors: what Bekas' quotient becomes, as `v ∘ v` is one. The
    /// error of coordinate `i` is the norm of row `i` off the diagonal, over the root of the products.
    #[default]
    Hutchinson,
    /// Half of the products find a subspace, in which the diagonal is taken exactly, and each random
    /// vector is the sample for what the subspace of all the others leaves: better where eigenvalues
    /// decay. Its samples depend on each other, and the error is up to a half too small.
    XDiag,
}
