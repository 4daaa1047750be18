use std::ops::ControlFlow;

use crate::{HasAdjoint, KrylovFault, LinearOperator, SelfAdjoint, Square, Step, VectorSpace};

/// `A + sigma · I`: every eigenvalue moves by `sigma`.
///
/// Weight decay `λ/2 |w|²` shifts a Hessian by `λ`.
///
/// # Cost
///
/// One product with `A`.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, LinearOperator, Shifted};
///
/// let shifted = Shifted::new(Dense::diagonal(&[1.0, -2.0]), 0.5)?;
/// assert_eq!(shifted.matvec(&vec![1.0, 1.0])?, [1.5, -1.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Shifted<A> {
    operator: A,
    sigma: f64,
}

impl<A: Square> Shifted<A> {
    /// Shifts an operator.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NonFiniteArgument`](crate::KrylovFault::NonFiniteArgument); those of the operator if domain and range are
    /// different spaces.
    pub fn new(operator: A, sigma: f64) -> Result<Self, A::Error> {
        KrylovFault::ensure_finite("sigma", sigma)?;
        operator.check_square()?;
        Ok(Self { operator, sigma })
    }
}

impl<A> Shifted<A> {
    fn shift<V: VectorSpace>(&self, products: Vec<V>, vectors: &[V]) -> Result<Vec<V>, V::Error> {
        let pairs = products.into_iter().zip(vectors);
        pairs
            .map(|(product, v)| product.axpy(self.sigma, v))
            .collect()
    }
}

impl<A: Square> LinearOperator for Shifted<A> {
    type Domain = A::Vector;
    type Range = A::Vector;
    type Error = A::Error;

    fn domain(&self) -> <A::Vector as VectorSpace>::Space {
        self.operator.domain()
    }

    fn range(&self) -> <A::Vector as VectorSpace>::Space {
        self.operator.range()
    }

    fn matvec(&self, v: &A::Vector) -> Result<A::Vector, A::Error> {
        Ok(self.operator.matvec(v)?.axpy(self.sigma, v)?)
    }

    fn matmat(&self, vectors: &[A::Vector]) -> Result<Vec<A::Vector>, A::Error> {
        Ok(self.shift(self.operator.matmat(vectors)?, vectors)?)
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.operator.report(step)
    }

    fn is_stop(&self, error: &A::Error) -> bool {
        self.operator.is_stop(error)
    }
}

impl<A: Square + HasAdjoint> HasAdjoint for Shifted<A> {
    fn matvec_adjoint(&self, u: &A::Vector) -> Result<A::Vector, A::Error> {
        Ok(self.operator.matvec_adjoint(u)?.axpy(self.sigma, u)?)
    }

    fn matmat_adjoint(&self, vectors: &[A::Vector]) -> Result<Vec<A::Vector>, A::Error> {
        Ok(self.shift(self.operator.matmat_adjoint(vectors)?, vectors)?)
    }
}

impl<A: SelfAdjoint> SelfAdjoint for Shifted<A> {}
