use std::ops::ControlFlow;

use crate::{
    HasAdjoint, LinearOperator, Orthonormal, SelfAdjoint, Square, Step, VectorBlock, VectorSpace,
};

/// `Q A Qᵀ` for orthonormal rows `Q`: the compression of `A` to a subspace, in the coordinates of its
/// basis. The quadratic form along the basis is that of `A`: `cᵀ (Q A Qᵀ) c = vᵀ A v` at `v = Qᵀ
/// c`.
///
/// Its vectors are coefficients on the host, whatever those of `A` are, and its matrix is the
/// Rayleigh quotient matrix of the basis. Unit vectors as basis give a block of `A`'s matrix.
///
/// # Shapes
///
/// `c: [len]`, one coefficient for each vector of the basis.
///
/// # Cost
///
/// One product with `A`, one with `Q` and one with `Qᵀ`.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, Orthonormal, Restricted};
///
/// let a = Dense::from_rows(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])?;
/// let plane = vec![vec![0.0, 1.0, 0.0], vec![0.0, 0.0, 1.0]];
/// let block = Restricted::new(&a, Orthonormal::checked(&3, plane)?)?;
/// assert_eq!(Dense::of(&block)?.as_slice(), [5.0, 6.0, 8.0, 9.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Restricted<A: Square> {
    operator: A,
    basis: Orthonormal<A::Vector>,
}

impl<A: Square> Restricted<A> {
    /// Restricts an operator to the subspace that `basis` spans.
    ///
    /// # Errors
    ///
    /// Those of the operator if domain, range and the space of the basis are not one space.
    pub fn new(operator: A, basis: Orthonormal<A::Vector>) -> Result<Self, A::Error> {
        operator.check_square()?;
        A::Vector::check_same(&operator.domain(), &basis.space())?;
        Ok(Self { operator, basis })
    }

    /// `Qᵀ c`: the vector of the whole space that has these coefficients.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::CoefficientCount`](crate::KrylovFault::CoefficientCount) within the vectors' error.
    pub fn lift(&self, coefficients: &[f64]) -> Result<A::Vector, A::Error> {
        Ok(self.basis.block().linear_combination(coefficients)?)
    }

    fn lift_each(&self, vectors: &[Vec<f64>]) -> Result<Vec<A::Vector>, A::Error> {
        vectors.iter().map(|c| self.lift(c)).collect()
    }

    fn coordinates(&self, v: &A::Vector) -> Result<Vec<f64>, A::Error> {
        Ok(self.basis.block().dots(v)?)
    }

    fn coordinates_each(&self, vectors: &[A::Vector]) -> Result<Vec<Vec<f64>>, A::Error> {
        vectors.iter().map(|v| self.coordinates(v)).collect()
    }
}

impl<A: Square> LinearOperator for Restricted<A> {
    type Domain = Vec<f64>;
    type Range = Vec<f64>;
    type Error = A::Error;

    fn domain(&self) -> usize {
        self.basis.len()
    }

    fn range(&self) -> usize {
        self.basis.len()
    }

    fn matvec(&self, v: &Vec<f64>) -> Result<Vec<f64>, A::Error> {
        self.coordinates(&self.operator.matvec(&self.lift(v)?)?)
    }

    fn matmat(&self, vectors: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, A::Error> {
        self.coordinates_each(&self.operator.matmat(&self.lift_each(vectors)?)?)
    }

    fn report(&self, step: &Step) -> ControlFlow<()> {
        self.operator.report(step)
    }

    fn is_stop(&self, error: &A::Error) -> bool {
        self.operator.is_stop(error)
    }
}

impl<A: Square + HasAdjoint> HasAdjoint for Restricted<A> {
    fn matvec_adjoint(&self, u: &Vec<f64>) -> Result<Vec<f64>, A::Error> {
        self.coordinates(&self.operator.matvec_adjoint(&self.lift(u)?)?)
    }

    fn matmat_adjoint(&self, vectors: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, A::Error> {
        self.coordinates_each(&self.operator.matmat_adjoint(&self.lift_each(vectors)?)?)
    }
}

impl<A: SelfAdjoint> SelfAdjoint for Restricted<A> {}
