use super::VectorSpace;

/// Vectors that can be multiplied coordinate by coordinate, as estimates of a diagonal require.
///
/// # Example
///
/// ```
/// use burnscape_krylov::Elementwise;
///
/// assert_eq!(vec![1.0, -2.0].hadamard(&vec![3.0, 4.0])?, [3.0, -8.0]);
/// # Ok::<(), burnscape_krylov::HostError>(())
/// ```
pub trait Elementwise: VectorSpace {
    /// The products of the coordinates.
    ///
    /// # Errors
    ///
    /// The type's own, if `x` is of another space.
    fn hadamard(self, x: &Self) -> Result<Self, Self::Error>;
}
