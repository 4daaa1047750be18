//! Exact derivatives of any Burn module, of any order.
//!
//! Burn's autodiff is first-order. This crate records a closure *and its backward pass* as a
//! [`Program`], a straight line of tensor operations, and differentiates that: [`jvp`] of a gradient
//! is the exact Hessian-vector product, and `jvp` of that a third derivative.

mod coverage;
mod error;
mod jvp;
mod lifter;
mod linearized;
mod lower;
mod merge;
mod program;
mod recording;
mod replay;
mod rule;
mod run;
mod split;
mod tape;
mod trace;

pub use coverage::{Rule, coverage};
pub use error::LinearizeError;
pub use jvp::{Jvp, jvp};
pub use lifter::Lifter;
pub use linearized::LinearizedGradient;
pub use program::{Port, Program};
pub use split::{Split, split};
pub use trace::{GradientTrace, TracedParam, trace_gradient};
