use std::fmt::Debug;

use super::VectorSpace;
use crate::{Dense, KrylovFault};

/// The error of a block's vectors.
type ErrorOf<B> = <<B as VectorBlock>::Vector as VectorSpace>::Error;
/// The space of a block's vectors.
type SpaceOf<B> = <<B as VectorBlock>::Vector as VectorSpace>::Space;

/// Vectors of one space as the rows of a matrix `Q`, in the order in which they were pushed.
///
/// Beside the operator's products, Krylov methods spend their time on two matrix-vector products with their basis:
/// `Q v` ([`dots`](Self::dots)) and `Qᵀ c` ([`linear_combination`](Self::linear_combination)). A vector type on a device
/// stores its block as one tensor and does each in one kernel, with one host synchronization for
/// all the dot products; [`VectorList`](crate::VectorList) does them vector by vector.
///
/// # Shapes
///
/// `Q: [len, dimension]`, `v: [dimension]`, `c: [len]`.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{VectorBlock, VectorList};
///
/// let vectors = vec![vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]];
/// let q = VectorList::<Vec<f64>>::from_vectors(&3, vectors)?;
/// assert_eq!(q.dots(&vec![5.0, 6.0, 7.0])?, [5.0, 6.0]);
/// assert_eq!(q.linear_combination(&[2.0, 3.0])?, [2.0, 3.0, 0.0]);
/// assert_eq!(q.project_out(vec![5.0, 6.0, 7.0])?, [0.0, 0.0, 7.0]);
/// # Ok::<(), burnscape_krylov::KrylovFault>(())
/// ```
pub trait VectorBlock: Clone + Debug {
    /// The vectors.
    type Vector: VectorSpace<Block = Self>;

    /// An empty block with storage for `capacity` vectors. More may be pushed.
    ///
    /// # Errors
    ///
    /// The vectors' own.
    fn with_capacity(space: &SpaceOf<Self>, capacity: usize) -> Result<Self, ErrorOf<Self>>;

    /// The space of the vectors.
    fn space(&self) -> SpaceOf<Self>;

    /// The number of vectors.
    fn len(&self) -> usize;

    /// Appends a vector.
    ///
    /// # Errors
    ///
    /// The vectors' own, if `v` is of another space. The block is then as before.
    fn push(&mut self, v: Self::Vector) -> Result<(), ErrorOf<Self>>;

    /// Drops the vectors from index `len` on; does nothing if there are none.
    fn truncate(&mut self, len: usize);

    /// A copy of one vector.
    fn get(&self, index: usize) -> Option<Self::Vector>;

    /// Copies of the vectors, from the first.
    fn vectors(&self) -> impl Iterator<Item = Self::Vector> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// `Q v`: the dot product of each vector with `v`.
    ///
    /// # Cost
    ///
    /// One product with `Q` and one host synchronization; one for each vector by default.
    ///
    /// # Errors
    ///
    /// The vectors' own, if `v` is of another space or the device fails.
    fn dots(&self, v: &Self::Vector) -> Result<Vec<f64>, ErrorOf<Self>>;

    /// `Qᵀ c`: the sum of the vectors, each times its coefficient.
    ///
    /// # Cost
    ///
    /// One product with `Qᵀ`.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::CoefficientCount`] within the vectors' error.
    fn linear_combination(&self, coefficients: &[f64]) -> Result<Self::Vector, ErrorOf<Self>>;

    /// `v − Qᵀ Q v`: one pass of block Gram-Schmidt, the part of `v` that is orthogonal to the
    /// vectors if they are orthonormal. Two passes make it so to rounding.
    ///
    /// # Cost
    ///
    /// One product with `Q` and one with `Qᵀ`. By default the coefficients pass through the host;
    /// on a device they need not, and then there is no host synchronization.
    ///
    /// # Errors
    ///
    /// As [`dots`](Self::dots).
    fn project_out(&self, v: Self::Vector) -> Result<Self::Vector, ErrorOf<Self>> {
        if self.is_empty() {
            Self::Vector::check_same(&self.space(), &v.space())?;
            return Ok(v);
        }
        let component = self.linear_combination(&self.dots(&v)?)?;
        v.axpy(-1.0, &component)
    }

    /// `Q Pᵀ`: the dot products of these vectors with those of `other`.
    ///
    /// # Shapes
    ///
    /// `[self.len, other.len]`.
    ///
    /// # Cost
    ///
    /// One product of matrices; one [`dots`](Self::dots) for each vector of `other` by default.
    ///
    /// # Errors
    ///
    /// As [`dots`](Self::dots).
    fn gram(&self, other: &Self) -> Result<Dense, ErrorOf<Self>> {
        let columns: Result<Vec<_>, _> = other.vectors().map(|v| self.dots(&v)).collect();
        let transposed = Dense::from_row_major(other.len(), self.len(), columns?.concat())?;
        Ok(transposed.transpose())
    }

    /// `C Q`: new vectors as combinations of these, one for each row of `C`. How a basis is turned
    /// into Ritz vectors.
    ///
    /// # Shapes
    ///
    /// `C: [rows, len]`, result `[rows, dimension]`.
    ///
    /// # Cost
    ///
    /// One product of matrices; one [`linear_combination`](Self::linear_combination) for each row by default.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::CoefficientCount`] within the vectors' error.
    fn transform(&self, coefficients: &Dense) -> Result<Self, ErrorOf<Self>> {
        if coefficients.num_columns() != self.len() {
            let error = KrylovFault::CoefficientCount {
                expected: self.len(),
                found: coefficients.num_columns(),
            };
            return Err(error.into());
        }
        let mut rotated = Self::with_capacity(&self.space(), coefficients.num_rows())?;
        for row in coefficients.rows() {
            rotated.push(self.linear_combination(row)?)?;
        }
        Ok(rotated)
    }

    /// A block of these vectors.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    fn from_vectors(
        space: &SpaceOf<Self>,
        vectors: Vec<Self::Vector>,
    ) -> Result<Self, ErrorOf<Self>> {
        let mut block = Self::with_capacity(space, vectors.len())?;
        for v in vectors {
            block.push(v)?;
        }
        Ok(block)
    }

    /// Whether there are no vectors.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
