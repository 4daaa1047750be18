//! Eigenpairs by blocks of vectors, and by the power iteration for comparison.

mod block_lanczos;
mod lobpcg;
mod power;

pub use block_lanczos::BlockLanczosConfig;
pub use lobpcg::LobpcgConfig;
pub use power::PowerConfig;

use crate::error::raise;
use crate::vector::{orthonormal, push_orthogonal};
use crate::{KrylovError, Probe, VectorBlock, VectorSpace};

/// `width` orthonormal vectors: what `starts` span, and random ones. Counts what was drawn.
fn first_block<V: VectorSpace, E: From<V::Error>>(
    space: &V::Space,
    starts: &[V],
    width: usize,
    (seed, drawn): (u64, &mut u64),
) -> Result<V::Block, KrylovError<E>> {
    let mut block = orthonormal(space, starts, "starts")?;
    block.truncate(V::dimension(space));
    while block.len() < width {
        let v = Probe::Gaussian
            .draw::<V>(space, seed, *drawn)
            .map_err(raise)?;
        *drawn += 1;
        push_orthogonal(&mut block, v).map_err(raise)?;
    }
    Ok(block)
}
