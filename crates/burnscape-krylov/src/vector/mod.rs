//! What can be added, scaled and dotted, one by one and as a block.

mod block;
mod elementwise;
mod gram_schmidt;
mod host;
mod list;
mod orthonormal;
mod probe;
mod range;
mod space;

pub use block::VectorBlock;
pub use elementwise::Elementwise;
pub(crate) use gram_schmidt::{orthonormal, push_orthogonal, remove, split};
pub use list::VectorList;
pub use orthonormal::Orthonormal;
pub use probe::Probe;
pub(crate) use range::{divided, excess, exponent, is_ordinary, length, raised, times_power};
pub use space::VectorSpace;
