//! Derivatives of programs, which are programs again.

mod decisions;
mod jvp;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "for derivatives by the input, which do not use it yet"
    )
)]
mod rows;
mod slopes;
mod ties;
mod transpose;
mod vjp;

pub use jvp::Jvp;

pub(crate) use jvp::jvp_unnormalized;
pub(crate) use transpose::transpose;
pub(crate) use vjp::{Vjp, vjp};
