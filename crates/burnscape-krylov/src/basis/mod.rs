//! Orthonormal vectors, and unit vectors outside their span.

mod first_block;
mod gram_schmidt;
mod orthonormal;
mod outside;

pub(crate) use first_block::first_block;
pub(crate) use gram_schmidt::orthonormal;
pub use orthonormal::Orthonormal;
pub(crate) use outside::{ROUNDING, outside, polished, push_outside};
