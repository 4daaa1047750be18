use std::ops::ControlFlow;

use super::stop_flag::StopFlag;
use crate::{HasAdjoint, LinearOperator, Step, VectorSpace};

/// `A B`: first `B`, then `A`.
///
/// A product of self-adjoint operators is not self-adjoint. Where one is by its form (`Jᵀ J`), wrap
/// it in [`Symmetric`](crate::Symmetric), which checks it. The errors are those of `A`, which must be
/// able to hold those of `B`.
///
/// # Cost
///
/// One product with each.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, LinearOperator, Product, Transposed};
///
/// let j = Dense::from_rows(&[[1.0, 2.0], [0.0, 1.0], [0.0, 0.0]])?;
/// let gram = Product::new(Transposed::new(&j), &j)?;
/// assert_eq!(gram.matvec(&vec![1.0, 1.0])?, [3.0, 7.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Product<A, B> {
    outer: A,
    inner: B,
    stop: StopFlag,
}

impl<A, B> Product<A, B>
where
    A: LinearOperator<Error: From<B::Error>>,
    B: LinearOperator<Range = A::Domain>,
{
    /// Composes two operators.
    ///
    /// # Errors
    ///
    /// Those of the operator if the range of `inner` is not the domain of `outer`.
    pub fn new(outer: A, inner: B) -> Result<Self, A::Error> {
        A::Domain::check_same(&outer.domain(), &inner.range())?;
        Ok(Self {
            outer,
            inner,
            stop: StopFlag::default(),
        })
    }
}

impl<A, B> LinearOperator for Product<A, B>
where
    A: LinearOperator<Error: From<B::Error> + From<<B::Domain as VectorSpace>::Error>>,
    B: LinearOperator<Range = A::Domain>,
{
    type Domain = B::Domain;
    type Range = A::Range;
    type Error = A::Error;

    fn domain(&self) -> <B::Domain as VectorSpace>::Space {
        self.inner.domain()
    }

    fn range(&self) -> <A::Range as VectorSpace>::Space {
        self.outer.range()
    }

    fn matvec(&self, v: &B::Domain) -> Result<A::Range, A::Error> {
        let inner = self.stop.pass(&self.inner, self.inner.matvec(v))?;
        self.stop.pass(&self.outer, self.outer.matvec(&inner))
    }

    fn matmat(&self, vectors: &[B::Domain]) -> Result<Vec<A::Range>, A::Error> {
        let inner = self.stop.pass(&self.inner, self.inner.matmat(vectors))?;
        self.stop.pass(&self.outer, self.outer.matmat(&inner))
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        let outer = self.outer.report(step);
        let inner = self.inner.report(step);
        if outer.is_break() { outer } else { inner }
    }

    fn is_stop(&self, error: &A::Error) -> bool {
        self.outer.is_stop(error) || self.stop.is_set()
    }
}

impl<A, B> HasAdjoint for Product<A, B>
where
    A: HasAdjoint<Error: From<B::Error> + From<<B::Domain as VectorSpace>::Error>>,
    B: HasAdjoint<Range = A::Domain>,
{
    fn matvec_adjoint(&self, u: &A::Range) -> Result<B::Domain, A::Error> {
        let outer = self.outer.matvec_adjoint(u);
        let outer = self.stop.pass(&self.outer, outer)?;
        let inner = self.inner.matvec_adjoint(&outer);
        Ok(self.stop.pass(&self.inner, inner)?)
    }

    fn matmat_adjoint(&self, vectors: &[A::Range]) -> Result<Vec<B::Domain>, A::Error> {
        let outer = self.outer.matmat_adjoint(vectors);
        let outer = self.stop.pass(&self.outer, outer)?;
        let inner = self.inner.matmat_adjoint(&outer);
        Ok(self.stop.pass(&self.inner, inner)?)
    }
}
