use std::ops::ControlFlow;

use crate::{HasAdjoint, LinearOperator, SelfAdjoint, Step, VectorSpace};

/// `Aᵀ`, of an operator whose adjoint is known.
///
/// # Cost
///
/// One product with the adjoint.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, LinearOperator, Transposed};
///
/// let a = Dense::from_rows(&[[1.0, 2.0, 3.0]])?;
/// assert_eq!(Transposed::new(&a).matvec(&vec![2.0])?, [2.0, 4.0, 6.0]);
/// # Ok::<(), burnscape_krylov::KrylovFault>(())
/// ```
#[derive(Debug, Clone)]
pub struct Transposed<A> {
    operator: A,
}

impl<A: HasAdjoint> Transposed<A> {
    /// Transposes an operator.
    pub fn new(operator: A) -> Self {
        Self { operator }
    }
}

impl<A: HasAdjoint> LinearOperator for Transposed<A> {
    type Domain = A::Range;
    type Range = A::Domain;
    type Error = A::Error;

    fn domain(&self) -> <A::Range as VectorSpace>::Space {
        self.operator.range()
    }

    fn range(&self) -> <A::Domain as VectorSpace>::Space {
        self.operator.domain()
    }

    fn matvec(&self, v: &A::Range) -> Result<A::Domain, A::Error> {
        self.operator.matvec_adjoint(v)
    }

    fn matmat(&self, vectors: &[A::Range]) -> Result<Vec<A::Domain>, A::Error> {
        self.operator.matmat_adjoint(vectors)
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.operator.report(step)
    }

    fn is_stop(&self, error: &A::Error) -> bool {
        self.operator.is_stop(error)
    }
}

impl<A: HasAdjoint> HasAdjoint for Transposed<A> {
    fn matvec_adjoint(&self, u: &A::Domain) -> Result<A::Range, A::Error> {
        self.operator.matvec(u)
    }

    fn matmat_adjoint(&self, vectors: &[A::Domain]) -> Result<Vec<A::Range>, A::Error> {
        self.operator.matmat(vectors)
    }
}

impl<A: HasAdjoint + SelfAdjoint> SelfAdjoint for Transposed<A> {}
