//! Derivatives of programs, which are programs again.

mod decisions;
mod fields;
mod jvp;
mod laplacian;
mod rows;
mod slopes;
mod ties;
mod transpose;
mod vjp;

pub use fields::FieldNotes;
pub use jvp::Jvp;

pub(crate) use fields::{Derivative, with_derivatives};
pub(crate) use jvp::jvp_unnormalized;
#[cfg(test)]
pub(crate) use vjp::vjp;
