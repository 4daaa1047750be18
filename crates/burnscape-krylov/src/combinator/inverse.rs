use std::ops::ControlFlow;

use super::stop_flag::StopFlag;
use crate::{
    HasAdjoint, KrylovFault, LinearOperator, Outcome, SelfAdjoint, Solution, SolveConfig, Square,
    Step, VectorSpace,
};

/// `A⁻¹`, each product a linear system solved with `A`.
///
/// It is self-adjoint to the tolerance of the solver, and its eigenvalues and traces are no more accurate than that: set
/// the tolerance below theirs. Its largest eigenvalues are the ones of `A` nearest to zero, where Lanczos on `A` itself
/// takes long; with [`Shifted`](crate::Shifted), the ones nearest to any number. To precondition the solver, invert a
/// [`Preconditioned`](crate::Preconditioned) operator.
///
/// # Cost
///
/// As many products with `A` as the solver takes, each time. An observer of `A` sees the solver's steps
/// between those of the run, and a product ends with the solver that it stops.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, EigenpairsConfig, Inverse, SolveConfig, Symmetric, Which};
///
/// let values: Vec<f64> = (1..=50).map(|i| f64::from(i).powi(2)).collect();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let solver = SolveConfig::conjugate_gradients().with_tolerance(1e-12);
/// let inverse = Inverse::new(&a, solver)?;
/// let top = EigenpairsConfig::new(2, Which::Largest).run(&inverse)?;
/// assert!((top.values[1] - 0.25).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Inverse<A> {
    operator: A,
    solver: SolveConfig,
    stop: StopFlag,
}

impl<A: SelfAdjoint> Inverse<A> {
    /// Inverts an operator, by conjugate gradients if it is positive definite, by MINRES otherwise.
    ///
    /// # Errors
    ///
    /// Those of the operator if domain and range are different spaces.
    pub fn new(operator: A, solver: SolveConfig) -> Result<Self, A::Error> {
        operator.check_square()?;
        Ok(Self {
            operator,
            solver,
            stop: StopFlag::default(),
        })
    }

    /// The solution of `A x = b`, with its residual, whether it converged or not.
    ///
    /// # Errors
    ///
    /// Those of the solver.
    pub fn solve(&self, b: &<A as Square>::Vector) -> Result<Solution<A::Vector>, A::Error> {
        self.solver.run(&self.operator, b)
    }
}

impl<A: SelfAdjoint> LinearOperator for Inverse<A> {
    type Domain = A::Vector;
    type Range = A::Vector;
    type Error = A::Error;

    fn domain(&self) -> <A::Vector as VectorSpace>::Space {
        self.operator.domain()
    }

    fn range(&self) -> <A::Vector as VectorSpace>::Space {
        self.operator.range()
    }

    fn matvec(&self, v: &A::Vector) -> Result<A::Vector, Self::Error> {
        let found = self.stop.pass(&self.operator, self.solve(v))?;
        self.stop.set(found.outcome == Outcome::Stopped);
        match found.outcome {
            Outcome::Converged => Ok(found.x),
            Outcome::Stopped => Err(KrylovFault::Stopped.into()),
            Outcome::LimitReached => Err(KrylovFault::Unconverged {
                residual: found.residual,
                num_matvecs: found.num_matvecs,
            }
            .into()),
        }
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.operator.report(step)
    }

    fn is_stop(&self, error: &Self::Error) -> bool {
        self.operator.is_stop(error) || self.stop.is_set()
    }
}

impl<A: SelfAdjoint> HasAdjoint for Inverse<A> {
    fn matvec_adjoint(&self, u: &A::Vector) -> Result<A::Vector, Self::Error> {
        self.matvec(u)
    }
}

impl<A: SelfAdjoint> SelfAdjoint for Inverse<A> {}
