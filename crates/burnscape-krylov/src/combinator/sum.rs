use std::ops::ControlFlow;

use super::stop_flag::StopFlag;
use crate::{HasAdjoint, LinearOperator, SelfAdjoint, Step, VectorSpace};

/// `A + B`. For weights, sum [`Scaled`](crate::Scaled) operators.
///
/// The errors are those of `A`, which must be able to hold those of `B`.
///
/// # Cost
///
/// One product with each.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, LinearOperator, Scaled, Sum};
///
/// let a = Dense::diagonal(&[1.0, 2.0]);
/// let sum = Sum::new(&a, Scaled::new(Dense::identity(2), -1.0)?)?;
/// assert_eq!(sum.matvec(&vec![5.0, 5.0])?, [0.0, 5.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sum<A, B> {
    left: A,
    right: B,
    stop: StopFlag,
}

impl<A, B> Sum<A, B>
where
    A: LinearOperator<Error: From<B::Error>>,
    B: LinearOperator<Domain = A::Domain, Range = A::Range>,
{
    /// Adds two operators.
    ///
    /// # Errors
    ///
    /// Those of the operator if their domains or their ranges are different spaces.
    pub fn new(left: A, right: B) -> Result<Self, A::Error> {
        A::Domain::check_same(&left.domain(), &right.domain())?;
        A::Range::check_same(&left.range(), &right.range())?;
        Ok(Self {
            left,
            right,
            stop: StopFlag::default(),
        })
    }
}

fn add<V: VectorSpace>(left: Vec<V>, right: &[V]) -> Result<Vec<V>, V::Error> {
    let pairs = left.into_iter().zip(right);
    pairs.map(|(left, right)| left.axpy(1.0, right)).collect()
}

impl<A, B> LinearOperator for Sum<A, B>
where
    A: LinearOperator<Error: From<B::Error>>,
    B: LinearOperator<Domain = A::Domain, Range = A::Range>,
{
    type Domain = A::Domain;
    type Range = A::Range;
    type Error = A::Error;

    fn domain(&self) -> <A::Domain as VectorSpace>::Space {
        self.left.domain()
    }

    fn range(&self) -> <A::Range as VectorSpace>::Space {
        self.left.range()
    }

    fn matvec(&self, v: &A::Domain) -> Result<A::Range, A::Error> {
        let left = self.stop.pass(&self.left, self.left.matvec(v))?;
        let right = self.stop.pass(&self.right, self.right.matvec(v))?;
        Ok(left.axpy(1.0, &right)?)
    }

    fn matmat(&self, vectors: &[A::Domain]) -> Result<Vec<A::Range>, A::Error> {
        let left = self.stop.pass(&self.left, self.left.matmat(vectors))?;
        let right = self.stop.pass(&self.right, self.right.matmat(vectors))?;
        Ok(add(left, &right)?)
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        let left = self.left.report(step);
        let right = self.right.report(step);
        if left.is_break() { left } else { right }
    }

    fn is_stop(&self, error: &A::Error) -> bool {
        self.left.is_stop(error) || self.stop.is_set()
    }
}

impl<A, B> HasAdjoint for Sum<A, B>
where
    A: HasAdjoint<Error: From<B::Error>>,
    B: HasAdjoint<Domain = A::Domain, Range = A::Range>,
{
    fn matvec_adjoint(&self, u: &A::Range) -> Result<A::Domain, A::Error> {
        let left = self.stop.pass(&self.left, self.left.matvec_adjoint(u))?;
        let right = self.stop.pass(&self.right, self.right.matvec_adjoint(u))?;
        Ok(left.axpy(1.0, &right)?)
    }

    fn matmat_adjoint(&self, vectors: &[A::Range]) -> Result<Vec<A::Domain>, A::Error> {
        let left = self.left.matmat_adjoint(vectors);
        let left = self.stop.pass(&self.left, left)?;
        let right = self.right.matmat_adjoint(vectors);
        Ok(add(left, &self.stop.pass(&self.right, right)?)?)
    }
}

impl<A, B> SelfAdjoint for Sum<A, B>
where
    A: SelfAdjoint<Error: From<B::Error>>,
    B: SelfAdjoint<Vector = A::Vector>,
{
}
