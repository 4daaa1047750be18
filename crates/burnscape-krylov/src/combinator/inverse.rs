use std::ops::ControlFlow;

use thiserror::Error;

use crate::{
    Adjoint, CgConfig, KrylovError, LinearOperator, MinresConfig, Outcome, SelfAdjoint, Solution,
    Square, Step, VectorSpace,
};

/// The method that an [`Inverse`] solves with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Solver {
    /// Conjugate gradients, for positive definite operators.
    Cg(CgConfig),
    /// MINRES, for operators of either sign.
    Minres(MinresConfig),
}

impl From<CgConfig> for Solver {
    fn from(config: CgConfig) -> Self {
        Self::Cg(config)
    }
}

impl From<MinresConfig> for Solver {
    fn from(config: MinresConfig) -> Self {
        Self::Minres(config)
    }
}

/// What a product with an [`Inverse`] may fail with: vectors with errors `X`, an operator with errors `E`.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum InverseError<X, E> {
    /// A vector failed.
    #[error(transparent)]
    Vector(#[from] X),
    /// The solver failed.
    #[error(transparent)]
    Solve(KrylovError<E>),
    /// An observer of the operator ended the solver.
    #[error("the solver was stopped; let it make a few more products")]
    Stopped,
    /// The solver did not come within its tolerance.
    #[error(
        "the solver reached a residual of {residual:e} after {products} products, and did not \
         converge; raise its limit of products or its tolerance, or shift the operator"
    )]
    Unconverged {
        /// The residual, relative to the right-hand side.
        residual: f64,
        /// Products used.
        products: usize,
    },
}

/// `A⁻¹`, each product a linear system solved with `A`.
///
/// It is self-adjoint to the tolerance of the solver, and so are its eigenvalues and traces no better: set
/// the tolerance below what is asked of them. Its top is the end of `A` nearest to zero, where Lanczos on `A`
/// itself takes long; with [`Shifted`](crate::Shifted), the eigenvalues of `A` nearest to any number.
///
/// # Cost
///
/// As many products with `A` as the solver takes, each time. An observer of `A` sees the solver's steps
/// between those of the run, and a product ends with the solver that it stops.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{CgConfig, Dense, EigenpairsConfig, End, Inverse, Symmetric};
///
/// let values: Vec<f64> = (1..=50).map(|i| f64::from(i).powi(2)).collect();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let inverse = Inverse::new(&a, CgConfig::new().with_tolerance(1e-12))?;
/// let top = EigenpairsConfig::new(2, End::Top).run(&inverse)?;
/// assert!((top.pairs[1].value - 0.25).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Inverse<A> {
    operator: A,
    solver: Solver,
}

impl<A: SelfAdjoint> Inverse<A> {
    /// Inverts an operator by a [`CgConfig`] or a [`MinresConfig`].
    ///
    /// # Errors
    ///
    /// [`KrylovError::Operator`] if domain and range are different spaces.
    pub fn new(operator: A, solver: impl Into<Solver>) -> Result<Self, KrylovError<A::Error>> {
        operator.check_square()?;
        Ok(Self {
            operator,
            solver: solver.into(),
        })
    }

    /// The operator that is inverted.
    pub fn operator(&self) -> &A {
        &self.operator
    }

    /// The solution of `A x = b`, with its residual, whether it converged or not.
    ///
    /// # Errors
    ///
    /// Those of the solver.
    pub fn solve(
        &self,
        b: &<A as Square>::Vector,
    ) -> Result<Solution<A::Vector>, KrylovError<A::Error>> {
        match &self.solver {
            Solver::Cg(config) => config.run(&self.operator, b),
            Solver::Minres(config) => config.run(&self.operator, b),
        }
    }
}

impl<A: SelfAdjoint> LinearOperator for Inverse<A> {
    type Domain = A::Vector;
    type Range = A::Vector;
    type Error = InverseError<<A::Vector as VectorSpace>::Error, A::Error>;

    fn domain(&self) -> <A::Vector as VectorSpace>::Space {
        self.operator.domain()
    }

    fn range(&self) -> <A::Vector as VectorSpace>::Space {
        self.operator.range()
    }

    fn matvec(&self, v: &A::Vector) -> Result<A::Vector, Self::Error> {
        let found = match self.solve(v) {
            Err(error) if error.is_stop(&self.operator) => return Err(InverseError::Stopped),
            found => found.map_err(InverseError::Solve)?,
        };
        match found.outcome {
            Outcome::Converged => Ok(found.x),
            Outcome::Stopped => Err(InverseError::Stopped),
            Outcome::LimitReached => Err(InverseError::Unconverged {
                residual: found.residual,
                products: found.products,
            }),
        }
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.operator.report(step)
    }

    fn is_stop(&self, error: &Self::Error) -> bool {
        matches!(error, InverseError::Stopped)
    }
}

impl<A: SelfAdjoint> Adjoint for Inverse<A> {
    fn matvec_adjoint(&self, u: &A::Vector) -> Result<A::Vector, Self::Error> {
        self.matvec(u)
    }
}

impl<A: SelfAdjoint> SelfAdjoint for Inverse<A> {}
