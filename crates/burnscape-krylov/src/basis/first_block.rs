use super::{orthonormal, push_outside};
use crate::{Probe, VectorBlock, VectorSpace};

/// `width` orthonormal vectors: a basis of the span of `starts`, and random ones. Counts the draws.
pub(crate) fn first_block<V: VectorSpace>(
    space: &V::Space,
    starts: &[V],
    width: usize,
    (seed, drawn): (u64, &mut u64),
) -> Result<V::Block, V::Error> {
    let mut block = orthonormal(space, starts, "starts")?;
    block.truncate(V::dimension(space));
    while block.len() < width {
        let v = Probe::Gaussian.draw::<V>(space, seed, *drawn)?;
        *drawn += 1;
        push_outside(&mut block, v)?;
    }
    Ok(block)
}
