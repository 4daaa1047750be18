use crate::{LinearOperator, VectorSpace, check};

/// An operator from a type of vectors to the same type. It is implemented for every such operator.
///
/// In bounds, name the vectors once: `A: Square<Vector = V>` (or `SelfAdjoint<Vector = V>`), not
/// `Domain` and `Range` as well.
///
/// The type does not guarantee that the two *spaces* are the same one (a 3 × 2 matrix also maps
/// `Vec<f64>` to `Vec<f64>`); if you need that, call [`check_square`](Self::check_square) once.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, KrylovFault, Square, VectorSpace};
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
/// let refused = KrylovFault::DimensionMismatch { expected: 2, found: 3 };
/// assert_eq!(quadratic(&tall, &v), Err(refused));
/// # Ok::<(), KrylovFault>(())
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

    /// How far the operator is from self-adjoint: the largest `|uᵀAv − vᵀAu| / max(|u||Av|, |v||Au|)` over `pairs` pairs
    /// of Gaussian vectors; zero if the numerator is zero.
    ///
    /// # Units
    ///
    /// A number in `[0, 2]`. Rounding gives about the `epsilon` of the vectors or less. Random vectors are nearly
    /// orthogonal to their products, so that an asymmetric operator does not give 1, but about
    /// `|A − Aᵀ|_F / (|A|_F √n)`: compare with a multiple of `epsilon`, not with a percentage.
    ///
    /// # Cost
    ///
    /// Two products and six dot products per pair.
    ///
    /// # Errors
    ///
    /// Those of the operator, in particular if domain and range are different spaces;
    /// [`KrylovFault::NoProbes`](crate::KrylovFault::NoProbes); [`KrylovFault::NonFinite`](crate::KrylovFault::NonFinite).
    ///
    /// # Reproducibility
    ///
    /// `seed` determines the vectors; more pairs keep the earlier ones.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, Square};
    ///
    /// let symmetric = Dense::from_rows(&[[1.0, 2.0], [2.0, -5.0]])?;
    /// assert!(symmetric.symmetry_defect(3, 0)? < 1e-15);
    /// let skew = Dense::from_rows(&[[0.0, 1.0], [-1.0, 0.0]])?;
    /// assert!(skew.symmetry_defect(3, 0)? > 0.1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn symmetry_defect(&self, pairs: usize, seed: u64) -> Result<f64, Self::Error>;
}

impl<V: VectorSpace, A: LinearOperator<Domain = V, Range = V> + ?Sized> Square for A {
    type Vector = V;

    fn check_square(&self) -> Result<(), Self::Error> {
        V::check_same(&self.domain(), &self.range())?;
        Ok(())
    }

    fn symmetry_defect(&self, pairs: usize, seed: u64) -> Result<f64, Self::Error> {
        self.check_square()?;
        let space = self.domain();
        let product = |v: &V| self.matvec(v);
        check::duality_defect((&space, &space), pairs, seed, product, product)
    }
}
