use std::error::Error;
use std::fmt::Debug;

use super::{VectorBlock, range};
use crate::KrylovFault;

/// A vector of a real space with a dot product.
///
/// Implemented here for `Vec<f64>` and `Vec<f32>`. A vector on a device implements it so that its
/// numbers stay there: only the results of [`dot`](Self::dot) and of its block form,
/// [`VectorBlock::dots`], come to the host, as `f64`.
///
/// Arithmetic takes its left side by value, so that storage is used again where it can be.
///
/// # Laws
///
/// `dot` is symmetric, bilinear and positive; [`axpy`](Self::axpy) and [`scale`](Self::scale) are
/// the vector operations, and exact where a factor is a power of two that neither over- nor
/// underflows.
///
/// # Example
///
/// ```
/// use burnscape_krylov::VectorSpace;
///
/// /// The part of `v` that is orthogonal to `q`, in any space.
/// fn outside<V: VectorSpace>(v: V, q: &V) -> Result<V, V::Error> {
///     let component = q.dot(&v)? / q.dot(q)?;
///     v.axpy(-component, q)
/// }
///
/// assert_eq!(outside(vec![3.0, 4.0], &vec![0.0, 2.0])?, [3.0, 0.0]);
/// assert_eq!(outside(vec![3.0_f32, 4.0], &vec![0.0, 2.0])?, [3.0, 0.0]);
/// # Ok::<(), burnscape_krylov::KrylovFault>(())
/// ```
pub trait VectorSpace: Clone + Debug {
    /// Errors of vector operations. Host numbers enter every space, hence the bound.
    type Error: Error + From<KrylovFault> + Send + Sync + 'static;
    /// Distinguishes spaces of one vector type: a dimension, or a list of parameters. Cheap to
    /// clone.
    type Space: Clone + Debug;
    /// Many vectors of one space, stored so that they can be multiplied at once.
    /// [`VectorList`](crate::VectorList) where there is nothing better.
    type Block: VectorBlock<Vector = Self>;

    /// The space the vector belongs to.
    fn space(&self) -> Self::Space;

    /// The number of coordinates of a vector of `space`.
    fn dimension(space: &Self::Space) -> usize;

    /// Refuses two spaces whose vectors cannot be combined.
    ///
    /// # Errors
    ///
    /// The type's own, naming the expected space and the one found.
    fn check_same(expected: &Self::Space, found: &Self::Space) -> Result<(), Self::Error>;

    /// The same vector with `space` for its own. Spaces that are the same may differ in what is not compared, limits on
    /// waits for a device for example. By default nothing changes.
    ///
    /// # Errors
    ///
    /// The type's own, if it is of another space.
    fn adopted(self, space: &Self::Space) -> Result<Self, Self::Error> {
        Self::check_same(space, &self.space())?;
        Ok(self)
    }

    /// The zero vector of `space`.
    ///
    /// # Errors
    ///
    /// The type's own.
    fn zeros(space: &Self::Space) -> Result<Self, Self::Error>;

    /// The vector with these coordinates, rounded to the type it holds.
    ///
    /// # Errors
    ///
    /// The type's own, if their number is not the dimension of `space`.
    fn from_host(space: &Self::Space, values: &[f64]) -> Result<Self, Self::Error>;

    /// The coordinates.
    ///
    /// # Cost
    ///
    /// One host synchronization and `dimension` numbers. For checks and results, never for a loop.
    ///
    /// # Errors
    ///
    /// The type's own.
    fn to_host(&self) -> Result<Vec<f64>, Self::Error>;

    /// The distance from 1 to the next number that a coordinate can hold: `2^-52` for `f64`.
    fn epsilon(&self) -> f64;

    /// `self + a · x`.
    ///
    /// # Errors
    ///
    /// The type's own, if `x` is of another space.
    fn axpy(self, a: f64, x: &Self) -> Result<Self, Self::Error>;

    /// `a · self`.
    #[must_use]
    fn scale(self, a: f64) -> Self;

    /// The products of the coordinates, as estimates of a diagonal require. By default on the host: a vector on a device
    /// overrides it.
    ///
    /// # Errors
    ///
    /// The type's own, if `x` is of another space.
    fn hadamard(self, x: &Self) -> Result<Self, Self::Error> {
        Self::check_same(&self.space(), &x.space())?;
        let pairs = self.to_host()?.into_iter().zip(x.to_host()?);
        let products: Vec<f64> = pairs.map(|(y, x)| y * x).collect();
        Self::from_host(&self.space(), &products)
    }

    /// `⟨self, x⟩`, summed with more than the accuracy of the coordinates where that is cheap.
    ///
    /// # Cost
    ///
    /// One host synchronization.
    ///
    /// # Errors
    ///
    /// The type's own, if `x` is of another space or the device fails.
    fn dot(&self, x: &Self) -> Result<f64, Self::Error>;

    /// The memory that the coordinates take, in bytes. By default as many numbers as the space has
    /// dimensions, of the width that [`epsilon`](Self::epsilon) implies.
    fn num_bytes(&self) -> usize {
        let width = match self.epsilon() {
            epsilon if epsilon < 1e-12 => 8,
            epsilon if epsilon < 1e-5 => 4,
            _ => 2,
        };
        Self::dimension(&self.space()).saturating_mul(width)
    }

    /// The zero vector of this vector's space.
    ///
    /// # Errors
    ///
    /// The type's own.
    fn zeros_like(&self) -> Result<Self, Self::Error> {
        Self::zeros(&self.space())
    }

    /// The largest absolute value of a coordinate; zero for the zero vector.
    ///
    /// [`norm`](Self::norm) needs it where the square of the norm is outside the range in which
    /// squares are exact. By default from [`to_host`](Self::to_host): a vector on a device overrides it
    /// with a reduction. It is not called for vectors with NaN; infinity must be returned if there is one.
    ///
    /// # Cost
    ///
    /// One host synchronization.
    ///
    /// # Errors
    ///
    /// The type's own, if the device fails.
    fn max_abs(&self) -> Result<f64, Self::Error> {
        let values = self.to_host()?.into_iter();
        Ok(values.fold(0.0_f64, |most, x| most.max(x.abs())))
    }

    /// The Euclidean norm, right to rounding for vectors of any size: where the sum of squares leaves the
    /// range in which squares are exact (for types narrower than `f64`, the range of `f32`), the vector
    /// is multiplied by a power of two first. A norm beyond the largest `f64` is infinite.
    ///
    /// # Cost
    ///
    /// One host synchronization; three outside that range and for the zero vector at most.
    ///
    /// # Errors
    ///
    /// The type's own, if the device fails.
    fn norm(&self) -> Result<f64, Self::Error> {
        range::norm(self, self.dot(self)?)
    }
}
