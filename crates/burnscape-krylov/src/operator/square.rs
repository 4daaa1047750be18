use crate::{LinearOperator, VectorSpace};

/// An operator from a type of vectors to the same type. It is implemented for every such operator.
///
/// In bounds, name the vectors once: `A: Square<Vector = V>` (or `SelfAdjoint<Vector = V>`), not
/// `Domain` and `Range` as well.
///
/// The type does not guarantee that the two *spaces* are the same one (a 3 × 2 matrix also maps
/// `Vec<f64>` to `Vec<f64>`); whoever needs that calls [`check_square`](Self::check_square) once.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, HostError, Square, VectorSpace};
///
/// /// `vᵀ A v`, in any space.
/// fn quadratic<A: Square>(a: &A, v: &A::Vector) -> Result<f64, A::Error> {
///     a.check_square()?;
///     Ok(v.dot(&a.matvec(v)?)?)
/// }
///
/// let v = vec![1.0, 1.0];
/// assert_eq!(quadratic(&Dense::diagonal(&[2.0, 3.0]), &v)?, 5.0);
/// let tall = Dense::from_row_major(3, 2, vec![0.0; 6])?;
/// let refused = HostError::DimensionMismatch { expected: 2, found: 3 };
/// assert_eq!(quadratic(&tall, &v), Err(refused));
/// # Ok::<(), HostError>(())
/// ```
pub trait Square:
    LinearOperator<Domain = <Self as Square>::Vector, Range = <Self as Square>::Vector>
{
    /// The vectors.
    type Vector: VectorSpace;

    /// Refuses an operator whose domain and range are different spaces.
    ///
    /// # Errors
    ///
    /// The vectors' own, within the operator's.
    fn check_square(&self) -> Result<(), Self::Error>;
}

impl<V: VectorSpace, A: LinearOperator<Domain = V, Range = V> + ?Sized> Square for A {
    type Vector = V;

    fn check_square(&self) -> Result<(), Self::Error> {
        V::check_same(&self.domain(), &self.range())?;
        Ok(())
    }
}
