//! What a few products say about a claim.
//!
//! Each check comes twice: over seeded random vectors, and for given ones. Each answers with a
//! number that does not change when the operator or a vector is scaled; none compares it with a
//! tolerance.

mod adjoint;
mod linearity;
mod symmetry;

pub use adjoint::{adjoint_defect, adjoint_defect_between};
pub use linearity::{linearity_defect, linearity_defect_between};
pub use symmetry::{symmetry_defect, symmetry_defect_between};

use crate::error::raise;
use crate::vector::{excess, raised};
use crate::{KrylovError, Probe, VectorSpace};

/// The largest of `defect(u, v)` over `pairs` pairs of Gaussian vectors. `products` is what one
/// call takes, so that a product that is not finite is counted over all pairs.
///
/// Gaussian, for signs alone are blind: a skew 2 × 2 matrix passes half of their pairs.
fn worst_of_pairs<U, V, E>(
    spaces: (&U::Space, &V::Space),
    (pairs, seed, products): (usize, u64, usize),
    defect: impl Fn(&U, &V) -> Result<f64, KrylovError<E>>,
) -> Result<f64, KrylovError<E>>
where
    U: VectorSpace,
    V: VectorSpace,
    E: From<U::Error> + From<V::Error>,
{
    if pairs == 0 {
        return Err(KrylovError::NoProbes);
    }
    let mut worst = 0.0_f64;
    for pair in 0..pairs {
        let index = 2 * pair as u64;
        let u: U = Probe::Gaussian.draw(spaces.0, seed, index).map_err(raise)?;
        let v: V = Probe::Gaussian
            .draw(spaces.1, seed, index + 1)
            .map_err(raise)?;
        let found = defect(&u, &v).map_err(|error| match error {
            KrylovError::NonFinite { product } => KrylovError::NonFinite {
                product: pair * products + product,
            },
            other => other,
        })?;
        worst = worst.max(found);
    }
    Ok(worst)
}

/// The norm of a given vector, which must be finite: else the operator would be blamed.
fn norm_of_argument<V: VectorSpace, E: From<V::Error>>(
    name: &'static str,
    v: &V,
) -> Result<f64, KrylovError<E>> {
    let value = v.norm().map_err(raise)?;
    if !value.is_finite() {
        return Err(KrylovError::NonFiniteArgument { name, value });
    }
    Ok(value)
}

/// The norm of a product, which must be finite.
fn norm_of_product<V: VectorSpace, E: From<V::Error>>(
    product: usize,
    v: &V,
) -> Result<f64, KrylovError<E>> {
    let norm = v.norm().map_err(raise)?;
    if !norm.is_finite() {
        return Err(KrylovError::NonFinite { product });
    }
    Ok(norm)
}

/// A given vector, multiplied by a power of two if products of its norm would leave their range; none
/// if not.
fn near_one<V: VectorSpace>(v: &V, norm: f64) -> Option<V> {
    match excess(norm, v.epsilon()) {
        0 => None,
        power => Some(raised(v.clone(), -power)),
    }
}

/// `difference / scale`; zero where both are.
fn relative(difference: f64, scale: f64) -> f64 {
    if difference == 0.0 {
        0.0
    } else {
        difference / scale
    }
}
