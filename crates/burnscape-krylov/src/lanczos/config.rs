use super::LanczosFactorization;
use crate::{Probe, SelfAdjoint, Square, VectorSpace};

/// A Lanczos run: how many products, from which vector.
///
/// Every vector is orthogonalized against all before it, and a second time where the first left less than
/// `1/√2` of it, so that the basis is orthonormal to rounding. Where a Krylov space is exhausted
/// (`β ≤ 64 ε |T|`, less in half precision; relative, so that the zero operator works), the run continues
/// with a fresh random vector orthogonal to the basis: that is how eigenvalues of multiplicity are found.
///
/// # Cost
///
/// A product a step; one product with the basis and one with its transpose, and three host
/// synchronizations; where a second pass is needed, one more of each product and two more
/// synchronizations. The basis in memory.
///
/// # Reproducibility
///
/// The start and every fresh vector are [`Probe::Gaussian`] draws of the seed.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, LanczosConfig, Symmetric};
///
/// let a = Symmetric::verified(Dense::diagonal(&[1.0, 2.0, 2.0, 5.0]), 1e-12, 0)?;
/// let record = LanczosConfig::new(4).run(&a)?;
/// let values = record.ritz_values();
/// for (value, expected) in values.iter().zip([1.0, 2.0, 2.0, 5.0]) {
///     assert!((value - expected).abs() < 1e-13);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Reference
///
/// Lanczos (1950); Parlett, *The Symmetric Eigenvalue Problem* (1980), chapter 13. Daniel, Gragg, Kaufman,
/// Stewart, *Reorthogonalization and stable algorithms for updating the Gram-Schmidt QR factorization*,
/// Math. Comp. 30 (1976), for the second pass.
#[derive(Debug, Clone, PartialEq)]
pub struct LanczosConfig {
    steps: usize,
    seed: u64,
}

impl LanczosConfig {
    /// A run of `steps` products, or fewer if they span the whole space. Without any, the factorization is empty, and
    /// so are its answers.
    pub fn new(steps: usize) -> Self {
        Self { steps, seed: 0 }
    }

    /// Sets the seed of the start and of fresh vectors.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs from a random vector. A run that an observer of the operator ends has the steps that it made.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NonFinite`](crate::KrylovFault::NonFinite) with the product at which a number was not finite,
    /// those of the operator.
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
    ) -> Result<LanczosFactorization<A::Vector>, A::Error> {
        operator.check_square()?;
        let space = operator.domain();
        let start = Probe::Gaussian.draw::<A::Vector>(&space, self.seed, 0);
        self.run_from(operator, start?)
    }

    /// As [`run`](Self::run), from the given vector.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`KrylovFault::OutOfBounds`](crate::KrylovFault::OutOfBounds) for a start that is zero or not
    /// finite.
    pub fn run_from<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        start: <A as Square>::Vector,
    ) -> Result<LanczosFactorization<A::Vector>, A::Error> {
        operator.check_square()?;
        <A::Vector as VectorSpace>::check_same(&operator.domain(), &start.space())?;
        let mut record = LanczosFactorization::new::<A::Error>(start, self.seed, self.steps)?;
        record.extend(operator, self.steps)?;
        Ok(record)
    }
}
