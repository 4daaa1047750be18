use super::{near_one, norm_of_argument, norm_of_product, relative, worst_of_pairs};
use crate::{Square, VectorSpace};

/// How far an operator is from self-adjoint, over `pairs` pairs of random vectors.
///
/// The largest value of [`symmetry_defect_between`]; the vectors are Gaussian.
///
/// # Units
///
/// A number in `[0, 2]`. Rounding gives about the `epsilon` of the vectors or less. Random vectors
/// are nearly orthogonal to their products, so that an asymmetric operator does not give 1, but
/// about `|A − Aᵀ|_F / (|A|_F √n)`: compare with a multiple of `epsilon`, not with a percentage.
///
/// # Cost
///
/// Two products and six dot products a pair.
///
/// # Errors
///
/// Those of the operator, for domain and range that are different spaces in particular;
/// [`KrylovFault::NoProbes`](crate::KrylovFault::NoProbes); [`KrylovFault::NonFinite`](crate::KrylovFault::NonFinite).
///
/// # Reproducibility
///
/// `seed` names the vectors; more pairs keep those there were.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, symmetry_defect};
///
/// let symmetric = Dense::from_rows(&[[1.0, 2.0], [2.0, -5.0]])?;
/// assert!(symmetry_defect(&symmetric, 3, 0)? < 1e-15);
/// let skew = Dense::from_rows(&[[0.0, 1.0], [-1.0, 0.0]])?;
/// assert!(symmetry_defect(&skew, 3, 0)? > 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn symmetry_defect<A: Square + ?Sized>(
    operator: &A,
    pairs: usize,
    seed: u64,
) -> Result<f64, A::Error> {
    operator.check_square()?;
    let space = operator.domain();
    worst_of_pairs::<A::Vector, A::Vector, A::Error>(
        (&space, &space),
        (pairs, seed, 2),
        |u, v, first| between(operator, u, v, first),
    )
}

/// `|uᵀAv − vᵀAu| / max(|u||Av|, |v||Au|)`, and zero where the numerator is.
///
/// With `u = Av` it is of the order of 1 for an asymmetric operator of any dimension, where random
/// vectors give less.
///
/// # Cost
///
/// Two products (`Au` is product 0) and six dot products.
///
/// # Errors
///
/// [`KrylovFault::NonFiniteArgument`](crate::KrylovFault::NonFiniteArgument), [`KrylovFault::NonFinite`](crate::KrylovFault::NonFinite), and those of the operator.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, symmetry_defect_between};
///
/// let shear = Dense::from_rows(&[[1.0, 1.0], [0.0, 1.0]])?;
/// let defect = symmetry_defect_between(&shear, &vec![1.0, 0.0], &vec![0.0, 1.0])?;
/// // uᵀAv = 1, vᵀAu = 0, |Av| = √2.
/// assert!((defect - 0.5_f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn symmetry_defect_between<A: Square + ?Sized>(
    operator: &A,
    u: &A::Vector,
    v: &A::Vector,
) -> Result<f64, A::Error> {
    between(operator, u, v, 0)
}

/// After `first` products.
fn between<A: Square + ?Sized>(
    operator: &A,
    u: &A::Vector,
    v: &A::Vector,
    first: usize,
) -> Result<f64, A::Error> {
    operator.check_square()?;
    let (norm_u, norm_v) = (
        norm_of_argument::<_, A::Error>("u", u)?,
        norm_of_argument::<_, A::Error>("v", v)?,
    );
    let (small_u, small_v) = (near_one(u, norm_u), near_one(v, norm_v));
    if small_u.is_some() || small_v.is_some() {
        let (u, v) = (small_u.as_ref().unwrap_or(u), small_v.as_ref().unwrap_or(v));
        return between(operator, u, v, first);
    }
    let (au, av) = (operator.matvec(u)?, operator.matvec(v)?);
    let (norm_au, norm_av) = (
        norm_of_product::<_, A::Error>(first, &au)?,
        norm_of_product::<_, A::Error>(first + 1, &av)?,
    );
    let (left, right) = (u.dot(&av)?, v.dot(&au)?);
    Ok(relative(
        (left - right).abs(),
        (norm_u * norm_av).max(norm_v * norm_au),
    ))
}
