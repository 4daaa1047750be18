//! Vectors that can be added, scaled and dotted, one by one and as a block.

mod block;
mod host;
mod list;
mod probe;
mod range;
mod space;

pub use block::VectorBlock;
pub use list::VectorList;
pub use probe::Probe;
pub(crate) use range::{divided, excess, exponent, is_ordinary, length, norm, raised, times_power};
pub use space::VectorSpace;
