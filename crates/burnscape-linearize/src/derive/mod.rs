//! Derivatives of programs, which are programs again.

mod decisions;
mod jvp;
mod slopes;
mod ties;
mod transpose;
mod vjp;

pub use jvp::Jvp;

pub(crate) use jvp::jvp_unnormalized;
pub(crate) use transpose::transpose;
pub(crate) use vjp::{Vjp, vjp};
