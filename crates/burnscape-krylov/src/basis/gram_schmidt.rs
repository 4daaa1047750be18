use super::push_outside;
use crate::{KrylovFault, VectorBlock, VectorSpace};

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
