//! Checks of claims about an operator, by a few products with random vectors.
//!
//! Each check returns a number that does not change when the operator is scaled; none compares it with a tolerance.

use crate::{KrylovFault, LinearOperator, Probe, VectorSpace};

// The factors are exact, differ in size and sign, and do not add to 1, so that an affine map is seen as well.
const A: f64 = 0.75;
const B: f64 = -1.5;

/// The largest `|⟨u, Av⟩ − ⟨Bu, v⟩| / max(|u||Av|, |v||Bu|)` over `pairs` pairs of vectors.
pub(crate) fn duality_defect<U, V, E>(
    (u_space, v_space): (&U::Space, &V::Space),
    pairs: usize,
    seed: u64,
    apply: impl Fn(&V) -> Result<U, E>,
    adjoint: impl Fn(&U) -> Result<V, E>,
) -> Result<f64, E>
where
    U: VectorSpace,
    V: VectorSpace,
    E: From<U::Error> + From<V::Error> + From<KrylovFault>,
{
    worst_of_pairs(pairs, |pair| {
        let (u, v) = gaussian_pair::<U, V, E>((u_space, v_space), pair, seed)?;
        let (av, bu) = (apply(&v)?, adjoint(&u)?);
        let norm_av = norm_of_product(2 * pair, &av)?;
        let norm_bu = norm_of_product(2 * pair + 1, &bu)?;
        let difference = (u.dot(&av)? - v.dot(&bu)?).abs();
        let scale = (u.norm()? * norm_av).max(v.norm()? * norm_bu);
        Ok(relative(difference, scale))
    })
}

/// The largest `|A(au + bv) − a Au − b Av| / (|a||Au| + |b||Av|)` over `pairs` pairs of vectors.
pub(crate) fn linearity_defect<T: LinearOperator + ?Sized>(
    operator: &T,
    pairs: usize,
    seed: u64,
) -> Result<f64, T::Error> {
    let space = operator.domain();
    worst_of_pairs(pairs, |pair| {
        let (u, v) = gaussian_pair::<T::Domain, T::Domain, T::Error>((&space, &space), pair, seed)?;
        let (tu, tv) = (operator.matvec(&u)?, operator.matvec(&v)?);
        let whole = operator.matvec(&u.scale(A).axpy(B, &v)?)?;
        let norm_tu = norm_of_product(3 * pair, &tu)?;
        let norm_tv = norm_of_product(3 * pair + 1, &tv)?;
        norm_of_product(3 * pair + 2, &whole)?;
        let difference = whole.axpy(-A, &tu)?.axpy(-B, &tv)?.norm()?;
        Ok(relative(difference, A.abs() * norm_tu + B.abs() * norm_tv))
    })
}

fn worst_of_pairs<E: From<KrylovFault>>(
    pairs: usize,
    defect: impl Fn(usize) -> Result<f64, E>,
) -> Result<f64, E> {
    KrylovFault::ensure_enough(("pairs", pairs), "the check", 1)?;
    (0..pairs).try_fold(0.0_f64, |worst, pair| Ok(worst.max(defect(pair)?)))
}

/// Gaussian, because signs alone are blind: a skew 2 × 2 matrix passes half of their pairs.
fn gaussian_pair<U: VectorSpace, V: VectorSpace, E: From<U::Error> + From<V::Error>>(
    (u_space, v_space): (&U::Space, &V::Space),
    pair: usize,
    seed: u64,
) -> Result<(U, V), E> {
    let index = 2 * pair as u64;
    let u = Probe::Gaussian.draw(u_space, seed, index)?;
    let v = Probe::Gaussian.draw(v_space, seed, index + 1)?;
    Ok((u, v))
}

/// The norm of a product, which must be finite.
fn norm_of_product<V: VectorSpace>(product: usize, v: &V) -> Result<f64, V::Error> {
    let norm = v.norm()?;
    if !norm.is_finite() {
        return Err(KrylovFault::NonFinite { product }.into());
    }
    Ok(norm)
}

/// `difference / scale`; zero where both are.
fn relative(difference: f64, scale: f64) -> f64 {
    if difference == 0.0 {
        0.0
    } else {
        difference / scale
    }
}
