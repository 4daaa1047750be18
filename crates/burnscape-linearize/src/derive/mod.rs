//! Derivatives of programs, which are programs again.

mod decisions;
mod jvp;
mod slopes;
mod ties;

pub use jvp::Jvp;

pub(crate) use jvp::jvp_unnormalized;
