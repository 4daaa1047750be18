use std::ops::ControlFlow;

use crate::{HasAdjoint, KrylovFault, LinearOperator, SelfAdjoint, Step, VectorSpace};

/// `factor · A`.
///
/// # Cost
///
/// One product with `A`.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, LinearOperator, Scaled};
///
/// let a = Dense::diagonal(&[1.0, 2.0]);
/// let scaled = Scaled::new(&a, 0.25)?;
/// assert_eq!(scaled.matvec(&vec![4.0, 4.0])?, [1.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Scaled<A> {
    operator: A,
    factor: f64,
}

impl<A: LinearOperator> Scaled<A> {
    /// Scales an operator.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NonFiniteArgument`](crate::KrylovFault::NonFiniteArgument).
    pub fn new(operator: A, factor: f64) -> Result<Self, A::Error> {
        KrylovFault::ensure_finite("factor", factor)?;
        Ok(Self { operator, factor })
    }
}

impl<A: LinearOperator> LinearOperator for Scaled<A> {
    type Domain = A::Domain;
    type Range = A::Range;
    type Error = A::Error;

    fn domain(&self) -> <A::Domain as VectorSpace>::Space {
        self.operator.domain()
    }

    fn range(&self) -> <A::Range as VectorSpace>::Space {
        self.operator.range()
    }

    fn matvec(&self, v: &A::Domain) -> Result<A::Range, A::Error> {
        Ok(self.operator.matvec(v)?.scale(self.factor))
    }

    fn matmat(&self, vectors: &[A::Domain]) -> Result<Vec<A::Range>, A::Error> {
        let products = self.operator.matmat(vectors)?.into_iter();
        Ok(products.map(|product| product.scale(self.factor)).collect())
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.operator.report(step)
    }

    fn is_stop(&self, error: &A::Error) -> bool {
        self.operator.is_stop(error)
    }
}

impl<A: HasAdjoint> HasAdjoint for Scaled<A> {
    fn matvec_adjoint(&self, u: &A::Range) -> Result<A::Domain, A::Error> {
        Ok(self.operator.matvec_adjoint(u)?.scale(self.factor))
    }

    fn matmat_adjoint(&self, vectors: &[A::Range]) -> Result<Vec<A::Domain>, A::Error> {
        let products = self.operator.matmat_adjoint(vectors)?.into_iter();
        Ok(products.map(|product| product.scale(self.factor)).collect())
    }
}

impl<A: SelfAdjoint> SelfAdjoint for Scaled<A> {}
