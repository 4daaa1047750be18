use super::{norm_of_argument, norm_of_product, relative, worst_of_pairs};
use crate::{LinearOperator, VectorSpace};

// They are exact, differ in size and sign, and do not add to 1: an affine map is seen as well.
const A: f64 = 0.75;
const B: f64 = -1.5;

/// How far an operator is from linear, over `pairs` pairs of random vectors.
///
/// The largest value of [`linearity_defect_between`]; the vectors are Gaussian. An operator that
/// does not repeat itself is not linear either.
///
/// # Units
///
/// Rounding gives about the `epsilon` of the vectors, and more where the products are small by
/// cancellation (easily so in a range of one dimension); a map that is not linear, the order of 1.
///
/// # Cost
///
/// Three products a pair.
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
/// use burnscape_krylov::{Dense, linearity_defect};
///
/// let a = Dense::from_rows(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])?;
/// assert!(linearity_defect(&a, 2, 0)? < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn linearity_defect<T: LinearOperator + ?Sized>(
    operator: &T,
    pairs: usize,
    seed: u64,
) -> Result<f64, T::Error> {
    let space = operator.domain();
    worst_of_pairs::<T::Domain, T::Domain, T::Error>(
        (&space, &space),
        (pairs, seed, 3),
        |u, v, first| between(operator, u, v, first),
    )
}

/// `|A(au + bv) − a Au − b Av| / (|a||Au| + |b||Av|)` with `a = 3/4`, `b = −3/2`, and zero where
/// the numerator is.
///
/// # Cost
///
/// Three products: of `u`, of `v` and of their combination.
///
/// # Errors
///
/// [`KrylovFault::NonFiniteArgument`](crate::KrylovFault::NonFiniteArgument), [`KrylovFault::NonFinite`](crate::KrylovFault::NonFinite), and those of the operator.
///
/// # Example
///
/// ```
/// use burnscape_krylov::{Dense, linearity_defect_between};
///
/// let a = Dense::diagonal(&[1.0, 2.0]);
/// assert_eq!(linearity_defect_between(&a, &vec![1.0, 0.0], &vec![0.0, 1.0])?, 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn linearity_defect_between<T: LinearOperator + ?Sized>(
    operator: &T,
    u: &T::Domain,
    v: &T::Domain,
) -> Result<f64, T::Error> {
    between(operator, u, v, 0)
}

/// After `first` products.
fn between<T: LinearOperator + ?Sized>(
    operator: &T,
    u: &T::Domain,
    v: &T::Domain,
    first: usize,
) -> Result<f64, T::Error> {
    norm_of_argument::<_, T::Error>("u", u)?;
    norm_of_argument::<_, T::Error>("v", v)?;
    let combined = u.clone().scale(A).axpy(B, v)?;
    let (tu, tv, whole) = (
        operator.matvec(u)?,
        operator.matvec(v)?,
        operator.matvec(&combined)?,
    );
    let (norm_tu, norm_tv) = (
        norm_of_product::<_, T::Error>(first, &tu)?,
        norm_of_product::<_, T::Error>(first + 1, &tv)?,
    );
    norm_of_product::<_, T::Error>(first + 2, &whole)?;
    let rest = whole.axpy(-A, &tu).and_then(|rest| rest.axpy(-B, &tv));
    let difference = rest.and_then(|rest| rest.norm())?;
    Ok(relative(difference, A.abs() * norm_tu + B.abs() * norm_tv))
}
