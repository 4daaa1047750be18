//! Checks of claims by a few products.
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

use crate::vector::{excess, raised};
use crate::{KrylovFault, Probe, VectorSpace};

/// The largest of `defect(u, v)` over `pairs` pairs of Gaussian vectors. `products` is the number
/// of products of one call; `defect` is given the number of those before it, to name one that is not finite.
///
/// Gaussian, for signs alone are blind: a skew 2 × 2 matrix passes half of their pairs.
fn worst_of_pairs<U, V, E>(
    spaces: (&U::Space, &V::Space),
    (pairs, seed, products): (usize, u64, usize),
    defect: impl Fn(&U, &V, usize) -> Result<f64, E>,
) -> Result<f64, E>
where
    U: VectorSpace,
    V: VectorSpace,
    E: From<U::Error> + From<V::Error> + From<KrylovFault>,
{
    if pairs == 0 {
        return Err(KrylovFault::NoProbes.into());
    }
    let mut worst = 0.0_f64;
    for pair in 0..pairs {
        let index = 2 * pair as u64;
        let u: U = Probe::Gaussian.draw(spaces.0, seed, index)?;
        let v: V = Probe::Gaussian.draw(spaces.1, seed, index + 1)?;
        let found = defect(&u, &v, pair * products)?;
        worst = worst.max(found);
    }
    Ok(worst)
}

/// The norm of a given vector, which must be finite: else the operator would be blamed.
fn norm_of_argument<V: VectorSpace, E: From<V::Error> + From<KrylovFault>>(
    name: &'static str,
    v: &V,
) -> Result<f64, E> {
    let value = v.norm()?;
    if !value.is_finite() {
        return Err(KrylovFault::NonFiniteArgument { name, value }.into());
    }
    Ok(value)
}

/// The norm of a product, which must be finite.
fn norm_of_product<V: VectorSpace, E: From<V::Error> + From<KrylovFault>>(
    product: usize,
    v: &V,
) -> Result<f64, E> {
    let norm = v.norm()?;
    if !norm.is_finite() {
        return Err(KrylovFault::NonFinite { product }.into());
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
