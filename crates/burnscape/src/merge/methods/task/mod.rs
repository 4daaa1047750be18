//! Arithmetic of task vectors, the differences of models from the base from which they were trained: make each sparse,
//! combine them, add the result to the base.

mod arithmetic;
mod combine;
mod draws;
mod elements;
mod masks;
mod ranks;
mod selection;
mod sparsify;
mod whole_model;

pub use arithmetic::TaskArithmetic;
pub use combine::Combine;
pub use sparsify::Sparsify;
