//! Derivatives of programs, which are programs again.

mod decisions;
mod jvp;
mod slopes;
mod ties;
mod transpose;
mod vjp;

pub use jvp::Jvp;

pub(crate) use jvp::jvp_unnormalized;
#[allow(unused_imports, reason = "for derivatives inside of losses")]
pub(crate) use transpose::transpose;
#[allow(unused_imports, reason = "for derivatives inside of losses")]
pub(crate) use vjp::{Vjp, vjp};
