use std::ops::ControlFlow;

use crate::{
    HasAdjoint, LinearOperator, Orthonormal, SelfAdjoint, Square, Step, VectorBlock, VectorSpace,
};

/// `(I − Qᵀ Q) A (I − Qᵀ Q)` for orthonormal rows `Q`: the part of `A` outside a subspace.
///
/// If the rows are eigenvectors, their eigenvalues become zero and the rest of the spectrum does not change. If they are
/// eigenvectors only approximately, this is still the compression of `A` to their complement: self-adjoint if `A` is,
/// semidefinite if `A` is, and zero on the subspace. `A − Qᵀ Λ Q`, in contrast, may turn the error of a vector into an
/// eigenvalue. Zero is an eigenvalue as many times as there are rows: subtract them when you count eigenvalues.
///
/// # Cost
///
/// One product with `A`, and two [`project_out`](VectorBlock::project_out)s with the block.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Deflated, Dense, LinearOperator, Orthonormal};
///
/// let a = Dense::diagonal(&[100.0, 2.0, 1.0]);
/// let outlier = Orthonormal::checked(&3, vec![vec![1.0, 0.0, 0.0]])?;
/// let bulk = Deflated::new(&a, outlier)?;
/// assert_eq!(bulk.matvec(&vec![1.0, 1.0, 1.0])?, [0.0, 2.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Deflated<A: Square> {
    operator: A,
    basis: Orthonormal<A::Vector>,
}

impl<A: Square> Deflated<A> {
    /// Projects the subspace that `basis` spans out of an operator.
    ///
    /// # Errors
    ///
    /// Those of the operator if domain, range and the space of the basis are not one space.
    pub fn new(operator: A, basis: Orthonormal<A::Vector>) -> Result<Self, A::Error> {
        operator.check_square()?;
        A::Vector::check_same(&operator.domain(), &basis.space())?;
        Ok(Self { operator, basis })
    }

    fn project_out(&self, v: A::Vector) -> Result<A::Vector, A::Error> {
        Ok(self.basis.block().project_out(v)?)
    }

    fn project_out_each(
        &self,
        vectors: impl IntoIterator<Item = A::Vector>,
    ) -> Result<Vec<A::Vector>, A::Error> {
        vectors.into_iter().map(|v| self.project_out(v)).collect()
    }
}

impl<A: Square> LinearOperator for Deflated<A> {
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
        self.project_out(self.operator.matvec(&self.project_out(v.clone())?)?)
    }

    fn matmat(&self, vectors: &[A::Vector]) -> Result<Vec<A::Vector>, A::Error> {
        let rejected = self.project_out_each(vectors.iter().cloned())?;
        self.project_out_each(self.operator.matmat(&rejected)?)
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.operator.report(step)
    }

    fn is_stop(&self, error: &A::Error) -> bool {
        self.operator.is_stop(error)
    }
}

impl<A: Square + HasAdjoint> HasAdjoint for Deflated<A> {
    fn matvec_adjoint(&self, u: &A::Vector) -> Result<A::Vector, A::Error> {
        self.project_out(
            self.operator
                .matvec_adjoint(&self.project_out(u.clone())?)?,
        )
    }

    fn matmat_adjoint(&self, vectors: &[A::Vector]) -> Result<Vec<A::Vector>, A::Error> {
        let rejected = self.project_out_each(vectors.iter().cloned())?;
        self.project_out_each(self.operator.matmat_adjoint(&rejected)?)
    }
}

impl<A: SelfAdjoint> SelfAdjoint for Deflated<A> {}
