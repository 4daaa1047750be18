use super::{near_one, norm_of_argument, norm_of_product, relative, worst_of_pairs};
use crate::{HasAdjoint, VectorSpace};

/// How far `matvec_adjoint` is from the adjoint of `matvec`, over `pairs` pairs of random vectors.
///
/// The largest value of [`adjoint_defect_between`]; the vectors are Gaussian.
///
/// # Units
///
/// As [`symmetry_defect`](crate::symmetry_defect): compare with a multiple of `epsilon`.
///
/// # Cost
///
/// One product with the operator and one with its adjoint a pair.
///
/// # Errors
///
/// [`KrylovFault::NoProbes`](crate::KrylovFault::NoProbes), [`KrylovFault::NonFinite`](crate::KrylovFault::NonFinite), and those of the operator.
///
/// # Reproducibility
///
/// `seed` names the vectors; more pairs keep those there were.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, adjoint_defect};
///
/// let a = Dense::from_rows(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])?;
/// assert!(adjoint_defect(&a, 3, 0)? < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn adjoint_defect<A: HasAdjoint + ?Sized>(
    operator: &A,
    pairs: usize,
    seed: u64,
) -> Result<f64, A::Error> {
    let spaces = (&operator.range(), &operator.domain());
    worst_of_pairs::<A::Range, A::Domain, A::Error>(spaces, (pairs, seed, 2), |u, v, first| {
        between(operator, u, v, first)
    })
}

/// `|⟨u, Av⟩ − ⟨Aᵀu, v⟩| / max(|u||Av|, |v||Aᵀu|)`, and zero where the numerator is.
///
/// # Cost
///
/// One product with the operator (product 0) and one with its adjoint (product 1).
///
/// # Errors
///
/// [`KrylovFault::NonFiniteArgument`](crate::KrylovFault::NonFiniteArgument), [`KrylovFault::NonFinite`](crate::KrylovFault::NonFinite), and those of the operator.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, adjoint_defect_between};
///
/// let row = Dense::from_rows(&[[1.0, 2.0]])?;
/// assert_eq!(adjoint_defect_between(&row, &vec![3.0], &vec![1.0, 1.0])?, 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn adjoint_defect_between<A: HasAdjoint + ?Sized>(
    operator: &A,
    u: &A::Range,
    v: &A::Domain,
) -> Result<f64, A::Error> {
    between(operator, u, v, 0)
}

/// After `first` products.
fn between<A: HasAdjoint + ?Sized>(
    operator: &A,
    u: &A::Range,
    v: &A::Domain,
    first: usize,
) -> Result<f64, A::Error> {
    let (norm_u, norm_v) = (
        norm_of_argument::<_, A::Error>("u", u)?,
        norm_of_argument::<_, A::Error>("v", v)?,
    );
    let (small_u, small_v) = (near_one(u, norm_u), near_one(v, norm_v));
    if small_u.is_some() || small_v.is_some() {
        let (u, v) = (small_u.as_ref().unwrap_or(u), small_v.as_ref().unwrap_or(v));
        return between(operator, u, v, first);
    }
    let (av, au) = (operator.matvec(v)?, operator.matvec_adjoint(u)?);
    let (norm_av, norm_au) = (
        norm_of_product::<_, A::Error>(first, &av)?,
        norm_of_product::<_, A::Error>(first + 1, &au)?,
    );
    let (left, right) = (u.dot(&av)?, v.dot(&au)?);
    Ok(relative(
        (left - right).abs(),
        (norm_u * norm_av).max(norm_v * norm_au),
    ))
}
