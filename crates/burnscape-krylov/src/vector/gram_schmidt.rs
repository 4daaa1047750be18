use super::{VectorBlock, VectorSpace, divided};
use crate::KrylovFault;

/// The orthonormal basis of what vectors span; those that depend on the ones before are left out.
pub(crate) fn orthonormal<V: VectorSpace, E: From<V::Error> + From<KrylovFault>>(
    space: &V::Space,
    vectors: &[V],
    name: &'static str,
) -> Result<V::Block, E> {
    let mut basis = V::Block::with_capacity(space, vectors.len())?;
    for v in vectors {
        V::check_same(space, &v.space())?;
        let value = v.norm()?;
        if !value.is_finite() {
            return Err(KrylovFault::NonFiniteArgument { name, value }.into());
        }
        push_orthogonal(&mut basis, v.clone())?;
    }
    Ok(basis)
}

/// Appends the part of `v` that is orthogonal to the basis, with norm one, unless it is rounding.
pub(crate) fn push_orthogonal<B: VectorBlock>(
    basis: &mut B,
    v: B::Vector,
) -> Result<bool, <B::Vector as VectorSpace>::Error> {
    let norm = v.norm()?;
    let smallest = 64.0 * norm * v.epsilon();
    let rest = basis.project_out(v)?;
    let remainder = rest.norm()?;
    if remainder <= smallest {
        return Ok(false);
    }
    let rest = basis.project_out(divided(rest, remainder))?;
    let length = rest.norm()?;
    basis.push(divided(rest, length))?;
    Ok(true)
}

/// `(c, w)` with `v = Qᵀ c + w` and `w` orthogonal to the basis, by two passes: the second takes out what
/// rounding left of the first.
pub(crate) fn split<V: VectorSpace>(basis: &V::Block, v: V) -> Result<(Vec<f64>, V), V::Error> {
    let mut along = basis.dots(&v)?;
    let rest = remove(basis, v, &along)?;
    let second = basis.dots(&rest)?;
    let rest = remove(basis, rest, &second)?;
    along.iter_mut().zip(&second).for_each(|(a, b)| *a += b);
    Ok((along, rest))
}

/// `v − Qᵀ c`.
pub(crate) fn remove<V: VectorSpace>(
    basis: &V::Block,
    v: V,
    coefficients: &[f64],
) -> Result<V, V::Error> {
    v.axpy(-1.0, &basis.linear_combination(coefficients)?)
}
