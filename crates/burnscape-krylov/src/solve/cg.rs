use super::preconditioned::Preconditioned;
use super::range::Range;
use super::solution::Solution;
use crate::vector::{is_ordinary, raised, times_power};
use crate::{KrylovFault, Outcome, SelfAdjoint, Square, Step, VectorSpace};

/// Conjugate gradients: `A x = b` for a positive definite operator.
///
/// # Cost
///
/// A product and a preconditioner's an iteration, three vectors besides, and one product more for the
/// true residual.
///
/// # Units
///
/// The operator and `b` may have any size: where squares would leave their range, both are multiplied by
/// powers of two, which is exact. Coordinates of the solution that underflow are zero.
///
/// # Defaults
///
/// Tolerance 1e-8 (or 4 ε of the vectors, if that is more), at most 1,000 products, ours.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{CgConfig, Dense, Symmetric};
///
/// let a = Symmetric::verified(Dense::from_rows(&[[2.0, 1.0], [1.0, 3.0]])?, 1e-12, 0)?;
/// let found = CgConfig::new().run(&a, &vec![3.0, 4.0])?;
/// assert!(found.outcome.is_converged() && (found.x[0] - 1.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Reference
///
/// Hestenes and Stiefel, *Methods of conjugate gradients for solving linear systems* (1952).
#[derive(Debug, Clone, PartialEq)]
pub struct CgConfig {
    tolerance: f64,
    max_matvecs: usize,
}

impl Default for CgConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl CgConfig {
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
    /// [`KrylovFault::NotPositive`] for a direction along which the operator is negative, or zero to
    /// rounding, [`KrylovFault::OutOfRange`] for a solution that overflows,
    /// [`KrylovFault::InvalidTolerance`], [`KrylovFault::NonFinite`],
    /// [`KrylovFault::NonFiniteArgument`], and those of the operator.
    pub fn run<A: SelfAdjoint + ?Sized>(
        &self,
        operator: &A,
        b: &A::Vector,
    ) -> Result<Solution<A::Vector>, A::Error> {
        self.solve(operator, b, None::<&A>)
    }

    /// As [`run`](Self::run) with a preconditioner, a positive definite operator close to the inverse.
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
        let epsilon = b.epsilon();
        let tolerance = self.tolerance.max(4.0 * epsilon);
        let mut x = b.zeros_like()?;
        let (mut products, mut residual, mut is_stopped) = (0, 1.0, false);
        let mut range = Range::of(size, epsilon);
        if size == 0.0 {
            return Ok(Solution::zero(x));
        }
        let mut preconditioned = Preconditioned::new(preconditioner);
        let mut rest = raised(b.clone(), -range.right);
        let start = times_power(size, -range.right);
        let (mut direction, mut gamma) = preconditioned.apply(&rest)?;
        // The square of the direction's length, in the norm of the preconditioner's inverse.
        let (mut square, mut largest) = (gamma, 0.0_f64);
        while products < self.max_matvecs {
            let mut product = match operator.matvec(&direction) {
                Err(error) if operator.is_stop(&error) && products > 0 => {
                    is_stopped = true;
                    break;
                }
                product => product?,
            };
            if products > 0 {
                product = raised(product, -range.operator);
            }
            let mut bend = direction.dot(&product)?;
            if products == 0 && !is_ordinary(bend / square, epsilon) {
                range.operator = range.of_product::<_, A::Error>(&product, &direction, epsilon)?;
                product = raised(product, -range.operator);
                bend = direction.dot(&product)?;
            }
            products += 1;
            let bend = self.positive(bend, (square, largest), (products - 1, &range, epsilon))?;
            largest = largest.max(bend / square);
            let length = gamma / bend;
            x = x.axpy(length, &direction)?;
            rest = rest.axpy(-length, &product)?;
            residual = rest.norm()? / start;
            if !residual.is_finite() {
                return Err(KrylovFault::NonFinite {
                    product: products - 1,
                }
                .into());
            }
            let step = Step::new("linear system", products)
                .with_limit(self.max_matvecs)
                .with_error(residual)
                .with_goal(tolerance);
            is_stopped = operator.report(&step).is_break();
            if residual <= tolerance || is_stopped {
                break;
            }
            let (improved, next) = match preconditioned.apply(&rest) {
                Err(error) if preconditioned.is_stop(&error) => {
                    is_stopped = true;
                    break;
                }
                improved => improved?,
            };
            let share = next / gamma;
            direction = improved.axpy(share, &direction)?;
            square = next + share * share * square;
            gamma = next;
        }
        let x = range.solution::<_, A::Error>(x)?;
        let ended = Ended {
            num_matvecs: products,
            residual,
            is_stopped,
        };
        finished(operator, b, x, (size, tolerance), ended)
    }

    /// The curvature along a direction of that length, which has to be positive by more than rounding of the
    /// largest one met.
    fn positive(
        &self,
        bend: f64,
        (square, largest): (f64, f64),
        (product, range, epsilon): (usize, &Range, f64),
    ) -> Result<f64, KrylovFault> {
        if !bend.is_finite() {
            return Err(KrylovFault::NonFinite { product });
        }
        let value = bend / square;
        match bend > 0.0 && value > epsilon / 16.0 * largest {
            true => Ok(bend),
            false => Err(KrylovFault::NotPositive {
                product,
                value: times_power(value, range.operator),
            }),
        }
    }
}

/// The norm of the right-hand side, after the checks that all solvers share.
pub(super) fn check<A: SelfAdjoint + ?Sized>(
    operator: &A,
    b: &A::Vector,
    tolerance: f64,
) -> Result<f64, A::Error> {
    operator.check_square()?;
    A::Vector::check_same(&operator.domain(), &b.space())?;
    if !(tolerance > 0.0 && tolerance.is_finite()) {
        return Err(KrylovFault::InvalidTolerance { tolerance }.into());
    }
    let size = b.norm()?;
    match size.is_finite() {
        true => Ok(size),
        false => Err(KrylovFault::NonFiniteArgument {
            name: "b",
            value: size,
        }
        .into()),
    }
}

/// Where the iterations ended, with the residual by their recurrence.
pub(super) struct Ended {
    pub(super) num_matvecs: usize,
    pub(super) residual: f64,
    pub(super) is_stopped: bool,
}

/// The solution with its true residual.
pub(super) fn finished<A: SelfAdjoint + ?Sized>(
    operator: &A,
    b: &A::Vector,
    x: A::Vector,
    (size, tolerance): (f64, f64),
    ended: Ended,
) -> Result<Solution<A::Vector>, A::Error> {
    let products = ended.num_matvecs;
    let product = match operator.matvec(&x) {
        Err(error) if operator.is_stop(&error) => {
            return Ok(Solution {
                x,
                residual: ended.residual,
                num_matvecs: products,
                outcome: Outcome::Stopped,
            });
        }
        product => product?,
    };
    let rest = b.clone().axpy(-1.0, &product)?;
    let residual = rest.norm()? / size;
    if !residual.is_finite() {
        return Err(KrylovFault::NonFinite { product: products }.into());
    }
    // The recurrence drifts from the truth by rounding.
    let allowed = tolerance + 64.0 * b.epsilon();
    Ok(Solution {
        outcome: Outcome::of(residual <= allowed, ended.is_stopped),
        x,
        residual,
        num_matvecs: products + 1,
    })
}
