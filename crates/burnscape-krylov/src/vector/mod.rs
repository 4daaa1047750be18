//! What can be added, scaled and dotted, one by one and as a block.

mod block;
mod host;
mod list;
mod orthonormal;
mod probe;
mod space;

pub use block::VectorBlock;
pub use list::VectorList;
pub use orthonormal::Orthonormal;
pub use probe::Probe;
pub use space::VectorSpace;
