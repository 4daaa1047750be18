use super::push_outside;
use crate::{Dense, KrylovFault, VectorBlock, VectorSpace};

/// An orthonormal basis of the span of vectors; those that depend on the ones before are left out.
pub(crate) fn orthonormal<V: VectorSpace>(
    space: &V::Space,
    vectors: &[V],
    name: &'static str,
) -> Result<V::Block, V::Error> {
    let mut basis = V::Block::with_capacity(space, vectors.len())?;
    for v in vectors {
        V::check_same(space, &v.space())?;
        KrylovFault::ensure_finite(name, v.norm()?)?;
        push_outside(&mut basis, v.clone())?;
    }
    Ok(basis)
}

/// `(c, w)` with `v = Qᵀ c + w` and `w` orthogonal to the basis, by two passes: the second removes the rounding errors of
/// the first.
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

/// Replaces a basis by combinations of its vectors, one for each row, in a block with room for `capacity` vectors.
pub(crate) fn transform_with_room<B: VectorBlock>(
    basis: &mut B,
    coefficients: &Dense,
    capacity: usize,
) -> Result<(), <B::Vector as VectorSpace>::Error> {
    // The old basis is dropped before the room is allocated.
    *basis = basis.transform(coefficients)?;
    let mut roomy = B::with_capacity(&basis.space(), capacity)?;
    for v in basis.vectors() {
        roomy.push(v)?;
    }
    *basis = roomy;
    Ok(())
}
