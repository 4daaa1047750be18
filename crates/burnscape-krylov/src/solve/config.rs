use super::Solution;
use super::system::System;
use crate::{KrylovFault, SelfAdjoint, VectorSpace};

/// Linear systems `A x = b` with a self-adjoint operator.
///
/// [`conjugate_gradients`](Self::conjugate_gradients) solves for positive definite operators, [`minres`](Self::minres)
/// for indefinite operators; it minimizes the residual at each step. If the operator is singular, MINRES approaches a
/// least-squares solution, whose residual does not vanish: the run has then not [converged](Solution::outcome).
///
/// Both use the preconditioner of a [`Preconditioned`](crate::Preconditioned) operator. It must be positive definite and
/// should approximate the inverse of the operator for conjugate gradients, of its absolute value for MINRES.
///
/// # Cost
///
/// A product (and one with the preconditioner) per iteration, and one more for the true residual. Conjugate gradients
/// keep three vectors, MINRES six. An iteration has two host synchronizations, with a preconditioner three in
/// conjugate gradients.
///
/// # Units
///
/// The operator and `b` may have any size: where squares would leave their range, both are multiplied by
/// powers of two, which is exact. Coordinates of the solution that underflow are zero.
///
/// # Defaults
///
/// Tolerance 1e-8 (or 4 ε of the vectors, if that is more), at most 1,000 products; ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, SolveConfig, Symmetric};
///
/// let a = Symmetric::verified(Dense::from_rows(&[[2.0, 1.0], [1.0, 3.0]])?, 1e-12, 0)?;
/// let found = SolveConfig::conjugate_gradients().run(&a, &vec![3.0, 4.0])?;
/// assert!(found.outcome.is_converged() && (found.x[0] - 1.0).abs() < 1e-12);
///
/// let a = Symmetric::verified(Dense::from_rows(&[[2.0, 1.0], [1.0, -3.0]])?, 1e-12, 0)?;
/// let found = SolveConfig::minres().run(&a, &vec![3.0, -2.0])?;
/// assert!(found.outcome.is_converged() && (found.x[1] - 1.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
///
/// Hestenes and Stiefel, *Methods of conjugate gradients for solving linear systems* (1952); Paige and Saunders,
/// *Solution of sparse indefinite systems of linear equations*, SIAM J. Numer. Anal. 12 (1975).
#[derive(Debug, Clone, PartialEq)]
pub struct SolveConfig {
    method: Method,
    tolerance: f64,
    max_matvecs: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    ConjugateGradients,
    Minres,
}

impl SolveConfig {
    /// Conjugate gradients, for positive definite operators.
    pub fn conjugate_gradients() -> Self {
        Self::new(Method::ConjugateGradients)
    }

    /// MINRES, for indefinite operators.
    pub fn minres() -> Self {
        Self::new(Method::Minres)
    }

    fn new(method: Method) -> Self {
        Self {
            method,
            tolerance: 1e-8,
            max_matvecs: 1000,
        }
    }

    /// Sets the largest residual allowed, relative to `|b|`.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets the limit of products.
    #[must_use]
    pub fn with_max_matvecs(mut self, num_matvecs: usize) -> Self {
        self.max_matvecs = num_matvecs;
        self
    }

    /// Solves from zero. A run that an observer ends returns the solution so far.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NotPositive`] from conjugate gradients, for a direction along which the operator is negative, or
    /// zero to rounding; [`KrylovFault::OutOfRange`] for a solution that overflows; [`KrylovFault::OutOfBounds`] for the
    /// tolerance, [`KrylovFault::NonFiniteArgument`] for `b`; [`KrylovFault::NonFinite`],
    /// [`KrylovFault::NonFinitePreconditioner`], [`KrylovFault::IndefinitePreconditioner`]; and those of the operator.
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        b: &A::Vector,
    ) -> Result<Solution<A::Vector>, A::Error> {
        operator.check_square()?;
        A::Vector::check_same(&operator.domain(), &b.space())?;
        KrylovFault::ensure_positive("tolerance", self.tolerance)?;
        let size = b.norm()?;
        KrylovFault::ensure_finite("b", size)?;
        if size == 0.0 {
            return Ok(Solution::zero(b.zeros_like()?));
        }
        let system = System {
            operator,
            b,
            size,
            epsilon: b.epsilon(),
            tolerance: self.tolerance.max(4.0 * b.epsilon()),
            max_matvecs: self.max_matvecs,
        };
        match self.method {
            Method::ConjugateGradients => system.conjugate_gradients(),
            Method::Minres => system.minres(),
        }
    }
}
