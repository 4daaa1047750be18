use std::ops::ControlFlow;

use crate::operator::Preconditioner;
use crate::{HasAdjoint, LinearOperator, SelfAdjoint, Square, Step, VectorSpace};

/// The same operator, with a preconditioner: an operator close to its inverse.
///
/// [`SolveConfig`](crate::SolveConfig), [`Inverse`](crate::Inverse) and
/// [`EigenMethod::Lobpcg`](crate::EigenMethod::Lobpcg) use it, and document which inverse it should approximate. All other
/// methods ignore it.
///
/// Attach it last. Other combinators (except [`Observed`](crate::Observed)) drop it, because a
/// [shifted](crate::Shifted) operator, for example, needs a different preconditioner.
///
/// # Cost
///
/// None: the preconditioner is applied only by these methods.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, Preconditioned, SolveConfig, Symmetric};
///
/// let values: Vec<f64> = (0..40).map(|i| 1.5_f64.powi(i)).collect();
/// let nearly: Vec<f64> = values.iter().map(|value| 0.9 / value).collect();
/// let a = Symmetric::verified(Dense::diagonal(&values), 1e-12, 0)?;
/// let p = Symmetric::verified(Dense::diagonal(&nearly), 1e-12, 0)?;
/// let config = SolveConfig::conjugate_gradients();
/// let (plain, better) = (
///     config.run(&a, &vec![1.0; 40])?,
///     config.run(&Preconditioned::new(&a, &p)?, &vec![1.0; 40])?,
/// );
/// assert!(better.outcome.is_converged() && better.num_matvecs < plain.num_matvecs);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Preconditioned<A, P> {
    operator: A,
    preconditioner: P,
}

impl<A, P> Preconditioned<A, P>
where
    A: SelfAdjoint,
    P: SelfAdjoint<Vector = <A as Square>::Vector, Error = <A as LinearOperator>::Error>,
{
    /// Attaches a positive definite preconditioner to an operator.
    ///
    /// # Errors
    ///
    /// Those of the operator if domain, range and the space of the preconditioner are not one space.
    pub fn new(operator: A, preconditioner: P) -> Result<Self, A::Error> {
        operator.check_square()?;
        preconditioner.check_square()?;
        <A as Square>::Vector::check_same(&operator.domain(), &preconditioner.domain())?;
        Ok(Self {
            operator,
            preconditioner,
        })
    }
}

impl<A, P> LinearOperator for Preconditioned<A, P>
where
    A: SelfAdjoint,
    P: SelfAdjoint<Vector = <A as Square>::Vector, Error = <A as LinearOperator>::Error>,
{
    type Domain = <A as Square>::Vector;
    type Range = <A as Square>::Vector;
    type Error = A::Error;

    fn domain(&self) -> <Self::Domain as VectorSpace>::Space {
        self.operator.domain()
    }

    fn range(&self) -> <Self::Range as VectorSpace>::Space {
        self.operator.range()
    }

    fn matvec(&self, v: &Self::Domain) -> Result<Self::Range, A::Error> {
        self.operator.matvec(v)
    }

    fn matmat(&self, vectors: &[Self::Domain]) -> Result<Vec<Self::Range>, A::Error> {
        self.operator.matmat(vectors)
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.operator.report(step)
    }

    fn is_stop(&self, error: &A::Error) -> bool {
        self.operator.is_stop(error)
    }

    fn preconditioner(&self) -> Option<&Preconditioner<'_, Self>> {
        Some(&self.preconditioner)
    }
}

impl<A, P> HasAdjoint for Preconditioned<A, P>
where
    A: SelfAdjoint,
    P: SelfAdjoint<Vector = <A as Square>::Vector, Error = <A as LinearOperator>::Error>,
{
    fn matvec_adjoint(&self, u: &Self::Range) -> Result<Self::Domain, A::Error> {
        self.matvec(u)
    }
}

impl<A, P> SelfAdjoint for Preconditioned<A, P>
where
    A: SelfAdjoint,
    P: SelfAdjoint<Vector = <A as Square>::Vector, Error = <A as LinearOperator>::Error>,
{
}
