//! Tracing: a closure over a model and a batch, recorded as a program, together with its backward pass if
//! it has one.

mod field;
mod fields;
mod forward;
mod gradient;
mod inputs;
mod module;
mod outputs;
mod parameter;
mod returned;

pub use field::Field;
pub use forward::Forward;
pub use gradient::GradientTrace;
pub use inputs::Inputs;
pub use module::ModelInputs;
pub use outputs::OutputTrace;
pub use parameter::TracedParam;

pub(crate) use parameter::chosen;
