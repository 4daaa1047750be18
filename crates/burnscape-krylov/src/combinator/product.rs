use crate::error::raise;
use crate::{Adjoint, KrylovError, LinearOperator, VectorSpace};

/// `A B`: first `B`, then `A`.
///
/// A product of self-adjoint operators is not self-adjoint. Where one is by its form (`Jᵀ J`), wrap
/// it in [`Symmetric`](crate::Symmetric), which looks. The errors are those of `A`, which must be
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
    /// [`KrylovError::Operator`] if the range of `inner` is not the domain of `outer`.
    pub fn new(outer: A, inner: B) -> Result<Self, KrylovError<A::Error>> {
        A::Domain::check_same(&outer.domain(), &inner.range()).map_err(raise)?;
        Ok(Self { outer, inner })
    }
}

impl<A, B> Product<A, B> {
    /// The factor `A`, applied last.
    pub fn outer(&self) -> &A {
        &self.outer
    }

    /// The factor `B`, applied first.
    pub fn inner(&self) -> &B {
        &self.inner
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
        self.outer.matvec(&self.inner.matvec(v)?)
    }

    fn matmat(&self, vectors: &[B::Domain]) -> Result<Vec<A::Range>, A::Error> {
        self.outer.matmat(&self.inner.matmat(vectors)?)
    }
}

impl<A, B> Adjoint for Product<A, B>
where
    A: Adjoint<Error: From<B::Error> + From<<B::Domain as VectorSpace>::Error>>,
    B: Adjoint<Range = A::Domain>,
{
    fn matvec_adjoint(&self, u: &A::Range) -> Result<B::Domain, A::Error> {
        Ok(self.inner.matvec_adjoint(&self.outer.matvec_adjoint(u)?)?)
    }

    fn matmat_adjoint(&self, vectors: &[A::Range]) -> Result<Vec<B::Domain>, A::Error> {
        Ok(self
            .inner
            .matmat_adjoint(&self.outer.matmat_adjoint(vectors)?)?)
    }
}
