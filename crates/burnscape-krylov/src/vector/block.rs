use std::fmt::Debug;

use super::VectorSpace;
use crate::{Dense, KrylovFault};

/// The error of a block's vectors.
type ErrorOf<B> = <<B as VectorBlock>::Vector as VectorSpace>::Error;
/// The space of a block's vectors.
type SpaceOf<B> = <<B as VectorBlock>::Vector as VectorSpace>::Space;
/// Coefficients, remainder, and two norms: see [`VectorBlock::split`].
type SplitOf<B> = (Vec<f64>, <B as VectorBlock>::Vector, [f64; 2]);

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

    /// Gives the block and its vectors `space` for their own, as [`VectorSpace::adopted`] does with a vector. By default
    /// nothing changes.
    ///
    /// # Errors
    ///
    /// The vectors' own, if they are of another space. The block is then as before.
    fn adopt(&mut self, space: &SpaceOf<Self>) -> Result<(), ErrorOf<Self>> {
        Self::Vector::check_same(space, &self.space())
    }

    /// Drops the vectors from index `len` on; does nothing if there are none.
    fn truncate(&mut self, len: usize);

    /// A copy of one vector; none beyond the last.
    ///
    /// # Errors
    ///
    /// The vectors' own, if the vector cannot be copied: it may be stored on another device.
    fn get(&self, index: usize) -> Result<Option<Self::Vector>, ErrorOf<Self>>;

    /// Copies of the vectors, from the first.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), in the place of a vector.
    fn vectors(&self) -> impl Iterator<Item = Result<Self::Vector, ErrorOf<Self>>> {
        (0..self.len()).filter_map(|index| self.get(index).transpose())
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

    /// `v = Qᵀ c + w`: takes from `v` what it has along orthonormal vectors, by passes of block Gram-Schmidt.
    ///
    /// Each pass goes over the vectors from an index on: `&[0, 0]` means two passes over all vectors,
    /// `&[len − 1, 0]` one over the newest vector and then one over all of them, as a Lanczos step needs.
    ///
    /// Returns `c`, summed over the passes, then `w`, then two norms: that of `v` before the last pass, and that of
    /// `w`. If the last pass left less than `1/√2` of its vector, rounding errors of that pass matter, and another
    /// one removes them.
    ///
    /// # Cost
    ///
    /// A product with `Q` and one with `Qᵀ` for each pass. A block on a device does this with one host
    /// synchronization. By default there is one for each vector of a partial pass, one for each pass over all, and
    /// one for each norm.
    ///
    /// # Errors
    ///
    /// As [`dots`](Self::dots).
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{VectorBlock, VectorList};
    ///
    /// let q = VectorList::<Vec<f64>>::from_vectors(&3, vec![vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]])?;
    /// let (c, w, [before, after]) = q.split(vec![3.0, 4.0, 12.0], &[0])?;
    /// assert_eq!((c, w), (vec![3.0, 4.0], vec![0.0, 0.0, 12.0]));
    /// assert!(before == 13.0 && (after - 12.0).abs() < 1e-14);
    /// # Ok::<(), burnscape_krylov::KrylovFault>(())
    /// ```
    fn split(&self, v: Self::Vector, passes: &[usize]) -> Result<SplitOf<Self>, ErrorOf<Self>> {
        let len = self.len();
        let Some((last, others)) = passes.split_last().filter(|_| len > 0) else {
            Self::Vector::check_same(&self.space(), &v.space())?;
            let norm = v.norm()?;
            return Ok((vec![0.0; len], v, [norm; 2]));
        };
        let mut sums = vec![0.0; len];
        let mut rest = v;
        for &first in others {
            rest = taken_out(self, rest, first, &mut sums)?;
        }
        let before = rest.norm()?;
        rest = taken_out(self, rest, *last, &mut sums)?;
        let after = rest.norm()?;
        Ok((sums, rest, [before, after]))
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
        let columns: Result<Vec<_>, _> = other.vectors().map(|v| self.dots(&v?)).collect();
        let transposed = Dense::from_row_major(other.len(), self.len(), columns?.concat())?;
        Ok(transposed.transpose())
    }

    /// `C Q`: new vectors as combinations of these, one for each row of `C`. How a basis is turned
    /// into Ritz vectors. A block with storage for a number of vectors keeps that number: a restarted run fills it again.
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

/// A pass over the vectors from `first` on; adds their coefficients.
fn taken_out<B: VectorBlock>(
    block: &B,
    mut v: B::Vector,
    first: usize,
    sums: &mut [f64],
) -> Result<B::Vector, ErrorOf<B>> {
    if first == 0 {
        let along = block.dots(&v)?;
        sums.iter_mut().zip(&along).for_each(|(sum, c)| *sum += c);
        return v.axpy(-1.0, &block.linear_combination(&along)?);
    }
    for (index, sum) in sums.iter_mut().enumerate().skip(first) {
        if let Some(q) = block.get(index)? {
            let along = q.dot(&v)?;
            *sum += along;
            v = v.axpy(-along, &q)?;
        }
    }
    Ok(v)
}
