use super::cg::{Ended, check, finished};
use super::preconditioned::Preconditioned;
use super::range::Range;
use super::solution::Solution;
use crate::vector::{divided, is_ordinary, raised};
use crate::{KrylovFault, SelfAdjoint, Square, Step, VectorSpace};

/// MINRES: `A x = b` for a self-adjoint operator of any sign, with the least residual at every step.
///
/// For a singular operator it goes to a least-squares solution, whose residual does not vanish: it is
/// then not [converged](Solution::outcome).
///
/// # Cost
///
/// A product an iteration, six vectors besides, and one product more for the true residual.
///
/// # Units
///
/// As for [`CgConfig`](crate::CgConfig): the operator and `b` may have any size.
///
/// # Defaults
///
/// Tolerance 1e-8 (or 4 ε of the vectors, if that is more), at most 1,000 products, ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, MinresConfig, Symmetric};
///
/// let a = Symmetric::verified(Dense::from_rows(&[[2.0, 1.0], [1.0, -3.0]])?, 1e-12, 0)?;
/// let found = MinresConfig::new().run(&a, &vec![3.0, -2.0])?;
/// assert!(found.outcome.is_converged() && (found.x[1] - 1.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Reference
///
/// Paige and Saunders, *Solution of sparse indefinite systems of linear equations*, SIAM J. Numer.
/// Anal. 12 (1975).
#[derive(Debug, Clone, PartialEq)]
pub struct MinresConfig {
    tolerance: f64,
    max_matvecs: usize,
}

impl Default for MinresConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl MinresConfig {
    /// Tolerance 1e-8, at most 1,000 products.
    pub fn new() -> Self {
        Self {
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

    /// Solves from zero. A run that an observer ends has the solution that it reached.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::OutOfRange`] for a solution that overflows, [`KrylovFault::InvalidTolerance`],
    /// [`KrylovFault::NonFinite`], [`KrylovFault::NonFiniteArgument`], and those of the operator.
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        b: &A::Vector,
    ) -> Result<Solution<A::Vector>, A::Error> {
        self.solve(operator, b, None::<&A>)
    }

    /// As [`run`](Self::run) with a preconditioner, a positive definite operator close to the inverse of the
    /// absolute value.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`KrylovFault::NonFinitePreconditioner`],
    /// [`KrylovFault::IndefinitePreconditioner`].
    pub fn run_preconditioned<A, P>(
        &self,
        operator: &A,
        b: &<A as Square>::Vector,
        preconditioner: &P,
    ) -> Result<Solution<<A as Square>::Vector>, A::Error>
    where
        A: SelfAdjoint + ?Sized,
        P: SelfAdjoint<Vector = <A as Square>::Vector, Error = A::Error> + ?Sized,
    {
        self.solve(operator, b, Some(preconditioner))
    }

    fn solve<A, P>(
        &self,
        operator: &A,
        b: &<A as Square>::Vector,
        preconditioner: Option<&P>,
    ) -> Result<Solution<<A as Square>::Vector>, A::Error>
    where
        A: SelfAdjoint + ?Sized,
        P: SelfAdjoint<Vector = <A as Square>::Vector, Error = A::Error> + ?Sized,
    {
        let size = check(operator, b, self.tolerance)?;
        let tolerance = self.tolerance.max(4.0 * b.epsilon());
        let mut x = b.zeros_like()?;
        let mut products = 0;
        if size == 0.0 {
            return Ok(Solution::zero(x));
        }
        let space_epsilon = b.epsilon();
        let mut range = Range::of(size, space_epsilon);
        let mut preconditioned = Preconditioned::new(preconditioner);
        // Lanczos vectors before the preconditioner (r) and after it (y).
        let mut older = b.zeros_like()?;
        let mut newer = raised(b.clone(), -range.right);
        let (mut y, square) = preconditioned.apply(&newer)?;
        let start = square.sqrt();
        let (mut beta, mut before) = (start, 0.0);
        // The rotation that keeps the small matrix triangular, and what it has left to do.
        let (mut cosine, mut sine) = (-1.0, 0.0);
        let (mut delta, mut epsilon, mut phi, mut first) = (0.0, 0.0, start, 0.0);
        let (mut residual, mut is_stopped) = (1.0, false);
        let mut w = b.zeros_like()?;
        let mut w_older = b.zeros_like()?;
        while products < self.max_matvecs && beta > 0.0 {
            let v = divided(y.clone(), beta);
            let mut product = match operator.matvec(&v) {
                Err(error) if operator.is_stop(&error) && products > 0 => {
                    is_stopped = true;
                    break;
                }
                product => raised(product?, -range.operator),
            };
            products += 1;
            if products > 1 {
                product = product.axpy(-beta / before, &older)?;
            }
            let mut alpha = v.dot(&product)?;
            if products == 1 && !is_ordinary(alpha, space_epsilon) {
                range.operator = range.of_product::<_, A::Error>(&product, &v, space_epsilon)?;
                product = raised(product, -range.operator);
                alpha = v.dot(&product)?;
            }
            if !alpha.is_finite() {
                return Err(KrylovFault::NonFinite {
                    product: products - 1,
                }
                .into());
            }
            product = product.axpy(-alpha / beta, &newer)?;
            older = newer;
            newer = product;
            before = beta;
            let next = match preconditioned.apply_to_any(&newer) {
                Err(error) if products > 1 && preconditioned.is_stop(&error) => {
                    is_stopped = true;
                    break;
                }
                next => next?,
            };
            (y, beta) = (next.0, next.1.sqrt());
            if !beta.is_finite() {
                return Err(KrylovFault::NonFinite {
                    product: products - 1,
                }
                .into());
            }

            let diagonal = cosine * delta + sine * alpha;
            let corner = sine * delta - cosine * alpha;
            let next_epsilon = sine * beta;
            delta = -cosine * beta;
            let gamma = corner.hypot(beta);
            // An exhausted Krylov space: nothing can get better. Where the operator is singular on
            // it, the last step leads nowhere. At the first step `before` is the size of `b`, which says
            // nothing of the operator.
            let known = if products > 1 { before } else { 0.0 };
            let nothing = 64.0 * space_epsilon * (alpha.abs() + known);
            if gamma <= nothing {
                break;
            }
            if products == 1 {
                first = gamma;
            } else if products == 2 && first <= 64.0 * space_epsilon * alpha.abs() {
                // What the first product was of is now known: rounding.
                x = b.zeros_like()?;
                break;
            }
            (cosine, sine) = (corner / gamma, beta / gamma);
            let step = cosine * phi;
            phi *= sine;
            let mut next = v.axpy(-epsilon, &w_older)?;
            next = next.axpy(-diagonal, &w)?;
            w_older = w;
            w = divided(next, gamma);
            x = x.axpy(step, &w)?;
            epsilon = next_epsilon;

            residual = phi.abs() / start;
            let step = Step::new("linear system", products)
                .with_limit(self.max_matvecs)
                .with_error(residual)
                .with_goal(tolerance);
            is_stopped = operator.report(&step).is_break();
            if residual <= tolerance || is_stopped || beta <= nothing {
                break;
            }
        }
        let x = range.solution::<_, A::Error>(x)?;
        let ended = Ended {
            num_matvecs: products,
            residual,
            is_stopped,
        };
        finished(operator, b, x, (size, tolerance), ended)
    }
}
