//! Tracing: a closure over a model and a batch, recorded as a program together with its backward pass.

mod gradient;
mod inputs;
mod module;
mod outputs;
mod parameter;
mod returned;

pub use gradient::{GradientTrace, trace_gradient};
pub use inputs::Inputs;
pub use outputs::{OutputTrace, trace_outputs, trace_split};
pub use parameter::TracedParam;

pub(crate) use parameter::chosen;
