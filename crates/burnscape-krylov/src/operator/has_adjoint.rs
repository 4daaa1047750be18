use crate::{LinearOperator, check};

/// An operator whose adjoint is known by its products as well: `⟨u, Av⟩ = ⟨Aᵀu, v⟩`.
///
/// [`Transposed`](crate::Transposed) makes an operator of it, and
/// [`adjoint_defect`](Self::adjoint_defect) checks the identity.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{HasAdjoint, Dense, LinearOperator};
///
/// let a = Dense::from_rows(&[[1.0, 2.0, 3.0]])?;
/// assert_eq!(a.matvec(&vec![1.0, 1.0, 1.0])?, [6.0]);
/// assert_eq!(a.matvec_adjoint(&vec![2.0])?, [2.0, 4.0, 6.0]);
/// # Ok::<(), burnscape_krylov::KrylovFault>(())
/// ```
pub trait HasAdjoint: LinearOperator {
    /// `Aᵀ u`.
    ///
    /// # Errors
    ///
    /// The operator's own, for a vector that is not of its range in particular.
    fn matvec_adjoint(&self, u: &Self::Range) -> Result<Self::Domain, Self::Error>;

    /// `Aᵀ u` for each vector, as [`matmat`](LinearOperator::matmat) is to `matvec`.
    ///
    /// # Errors
    ///
    /// As [`matvec_adjoint`](Self::matvec_adjoint).
    fn matmat_adjoint(&self, vectors: &[Self::Range]) -> Result<Vec<Self::Domain>, Self::Error> {
        vectors.iter().map(|u| self.matvec_adjoint(u)).collect()
    }

    /// How far `matvec_adjoint` is from the adjoint of `matvec`: the largest
    /// `|⟨u, Av⟩ − ⟨Aᵀu, v⟩| / max(|u||Av|, |v||Aᵀu|)` over `pairs` pairs of Gaussian vectors; zero if the numerator is zero.
    ///
    /// # Units
    ///
    /// Those of [`symmetry_defect`](crate::Square::symmetry_defect): compare with a multiple of `epsilon`.
    ///
    /// # Cost
    ///
    /// One product with the operator and one with its adjoint per pair.
    ///
    /// # Errors
    ///
    /// [`KrylovFault::NoProbes`](crate::KrylovFault::NoProbes), [`KrylovFault::NonFinite`](crate::KrylovFault::NonFinite),
    /// and those of the operator.
    ///
    /// # Reproducibility
    ///
    /// `seed` determines the vectors; more pairs keep the earlier ones.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_krylov::{Dense, HasAdjoint};
    ///
    /// let a = Dense::from_rows(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])?;
    /// assert!(a.adjoint_defect(3, 0)? < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn adjoint_defect(&self, pairs: usize, seed: u64) -> Result<f64, Self::Error> {
        let spaces = (&self.range(), &self.domain());
        let (apply, adjoint) = (|v: &_| self.matvec(v), |u: &_| self.matvec_adjoint(u));
        check::duality_defect(spaces, pairs, seed, apply, adjoint)
    }
}

// The text is the same for every pointer.
macro_rules! through_pointer {
    ($pointer:ty) => {
        impl<A: HasAdjoint + ?Sized> HasAdjoint for $pointer {
            fn matvec_adjoint(&self, u: &A::Range) -> Result<A::Domain, A::Error> {
                (**self).matvec_adjoint(u)
            }

            fn matmat_adjoint(&self, vectors: &[A::Range]) -> Result<Vec<A::Domain>, A::Error> {
                (**self).matmat_adjoint(vectors)
            }
        }
    };
}

through_pointer!(&A);
through_pointer!(Box<A>);
