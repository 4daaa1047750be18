use serde::{Deserialize, Serialize};

/// How [`EigenpairsConfig`](crate::EigenpairsConfig) searches for eigenpairs.
///
/// Lanczos takes the fewest products if eigenvalues are well separated. Block finds clusters and copies of multiple
/// eigenvalues. LOBPCG is the method with a preconditioner. Davidson follows pairs whose vectors are known approximately.
/// Use Power for comparisons, or when memory holds only three vectors.
///
/// If two eigenvalues are closer than residuals can distinguish, every method may miss the outer one when the start has
/// only a small component along it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum EigenMethod {
    /// Lanczos with thick restarts: when the basis is full, the best Ritz vectors are kept and the rest is dropped.
    ///
    /// Convergence means that the `i`-th value is the `i`-th *distinct* eigenvalue, as far as a random vector shows. It does
    /// not count multiplicity: a Krylov space holds one vector of a multiple eigenvalue. Further copies are
    /// found where the space is exhausted, or by
    /// [verification](crate::EigenpairsConfig::with_verification), after which one more eigenvalue as far out as
    /// the last one wanted, copies included, would have been seen with a probability of 99.9 %.
    ///
    /// At most `max_basis` vectors in memory, and half as many again (and `k`) during a restart. The small eigenproblem
    /// is solved on the host after most steps, `max_basis³`. Wu and Simon, *Thick-restart Lanczos method for large
    /// symmetric eigenvalue problems*, SIAM J. Matrix Anal. Appl. 22 (2000).
    #[default]
    Lanczos,
    /// Block Lanczos with thick restarts, for clusters and multiplicities. Every step multiplies a block of vectors at
    /// once ([`matmat`](crate::LinearOperator::matmat)): fewer passes over the data if the operator shares a pass
    /// within a block, though more products.
    ///
    /// A block of `p` vectors finds `p` copies of a multiple eigenvalue, and the members of a cluster that is too narrow for
    /// the Krylov space of a single vector; convergence does not imply more copies. At most `max_basis + 3 block`
    /// vectors in memory, and half as many again during a restart. Three host synchronizations for each product where
    /// vectors are on a device, none in a restart. Golub and Underwood, *The block Lanczos method for
    /// computing eigenvalues* (1977).
    Block,
    /// LOBPCG: the best pairs in the span of the current ones, their residuals (preconditioned, if there is a
    /// preconditioner) and the last directions.
    ///
    /// It needs no long basis and takes warm starts for every pair. Without a preconditioner, Lanczos takes fewer
    /// products. Convergence counts copies up to the number of pairs and guards. A product (and one with the
    /// preconditioner) per iteration for every pair that has not converged; six vectors for every pair and guard, four
    /// more during a transformation, and two for the other end. One host synchronization in an iteration, and three for
    /// each pair and guard, where vectors are on a device. Knyazev, *Toward the optimal preconditioned
    /// eigensolver*, SIAM J. Sci. Comput. 23 (2001); the orthonormal basis of Hetmaniuk and Lehoucq (2006).
    Lobpcg,
    /// Davidson's method, from vectors close to the eigenvectors: those of the operator a little earlier, say.
    ///
    /// The starts span the first subspace, together with a random vector and its product. The subspace grows by the
    /// residual of the first Ritz pair that is not good enough, until `k` of them are. Starts are used in the order given;
    /// those that depend on others or are not finite are left out, and so are those beyond half the limit of products.
    /// Without starts the subspace is the Krylov space of a random vector.
    ///
    /// The random vector and its product show directions in which none of the starts has a part. The run continues while
    /// the residual of another Ritz pair permits an eigenvalue 5 % of the operator's norm beyond those found, and, where the
    /// subspace is invariant, with random vectors until none of them brings another copy of a multiple eigenvalue. That is
    /// no proof.
    ///
    /// Residuals need no further products. Twice as many vectors in memory as products. Four host synchronizations for each
    /// product where vectors are on a device, one more for each wanted pair that is good enough already, and, where all
    /// are, at most one for each further Ritz pair. Davidson, *The iterative
    /// calculation of a few of the lowest eigenvalues*, J. Comput. Phys. 17 (1975), here without a preconditioner.
    Davidson,
    /// The power iteration `v ← A v / |A v|`, one pair of largest absolute value after the other: of
    /// [`Which::LargestMagnitude`](crate::Which::LargestMagnitude) only.
    ///
    /// The error falls by `|λ₂ / λ₁|` per iteration. A pair whose absolute value is near the next one's, and `±λ` in
    /// particular, converges slowly or never. Residuals cost nothing more. The vectors of the pairs and three more in
    /// memory. Golub and Van Loan, *Matrix Computations*, section 8.2.
    Power,
}

impl EigenMethod {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lanczos => "Lanczos",
            Self::Block => "block Lanczos",
            Self::Lobpcg => "LOBPCG",
            Self::Davidson => "Davidson's method",
            Self::Power => "the power iteration",
        }
    }
}
