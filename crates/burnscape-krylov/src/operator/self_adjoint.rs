use crate::Square;

/// The claim `⟨u, Av⟩ = ⟨Au, v⟩`, made by the type.
///
/// Methods for symmetric matrices require it. Combinators keep it where it follows: a sum of self-adjoint operators is
/// self-adjoint, a product is not. Where it does not follow, [`Symmetric::verified`](crate::Symmetric::verified) measures it, and
/// [`symmetry_defect`](Square::symmetry_defect) measures how well any claim holds.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, SelfAdjoint, Shifted, Square, Symmetric};
///
/// fn accepts(_: &impl SelfAdjoint) {}
///
/// let a = Dense::from_rows(&[[2.0, 1.0], [1.0, 3.0]])?;
/// let a = Shifted::new(Symmetric::verified(a, 1e-12, 0)?, 0.5)?;
/// accepts(&a);
/// assert!(a.symmetry_defect(1, 0)? < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait SelfAdjoint: Square {}

impl<A: SelfAdjoint + ?Sized> SelfAdjoint for &A {}

impl<A: SelfAdjoint + ?Sized> SelfAdjoint for Box<A> {}
