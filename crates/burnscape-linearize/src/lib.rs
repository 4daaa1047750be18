//! Exact derivatives of any Burn module, of any order.
//!
//! Burn's autodiff is first-order. This crate records a closure *and its backward pass* as a
//! [`Program`], a straight line of tensor operations, and differentiates the program. [`Program::jvp`] of a gradient
//! is the exact Hessian-vector product, and `jvp` of that product gives third derivatives.
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::{Device, Tensor};
//! use burnscape_linearize::{LinearizedGradient, GradientTrace};
//!
//! let device = Device::flex();
//! let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
//! let x = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &device);
//!
//! // A copy of the model is traced, with the batch as inputs.
//! let trace = GradientTrace::new(
//!     model.clone().train(),
//!     device.settings(),
//!     |inputs| inputs.float(x.clone()),
//!     |model: &Linear, x| model.forward(x).square().sum(),
//! )?;
//! let mut at_this_point = LinearizedGradient::new(&trace, device.settings(), &device)?;
//!
//! // L = |x w|², so the Hessian is 2 xᵀx = [[20, 28], [28, 40]].
//! let direction = Tensor::<1>::from_data([1.0, 0.0], &device);
//! let product = at_this_point.hvp(&[direction])?;
//! let product = product[0].clone().map(|part| part.into_data());
//! assert_eq!(product, Some(burn::tensor::TensorData::from([20.0_f32, 28.0])));
//! # Ok::<(), burnscape_linearize::LinearizeError>(())
//! ```
//!
//! A traced closure must not read tensor values or branch on them. Anything that cannot be traced or has no
//! derivative rule is an error that names it, never a wrong number. [`coverage`] lists the rules.

// The rooms from top to bottom. A room uses only those below it.
//
//   run       programs and linear maps on a device
//   map       programs split into a part per point and a part per tangent
//   batched   many tangents in one program
//   trace     closures recorded as programs
//   axes      the axes of a forward pass that are one, and how they may be permuted
//   derive    derivatives of programs
//   rule      one derivative rule per operation
//   lower     recordings rewritten so that they can be differentiated
//   record    Burn operations, captured instead of executed
//   program   the data structure
//   error     errors, and panics as errors
//   coverage  Burn's operations and how each is differentiated

#[cfg(not(any(
    feature = "flex",
    feature = "ndarray",
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "webgpu",
    feature = "cuda",
    feature = "rocm",
    feature = "cpu",
    feature = "remote"
)))]
compile_error!(
    "no backend is enabled; enable a feature of `burnscape`, for example `flex` (CPU), `wgpu` or `cuda`"
);

mod axes;
mod batched;
mod coverage;
mod derive;
mod error;
mod lower;
mod map;
mod program;
mod record;
mod rule;
mod run;
mod trace;

#[doc(hidden)]
pub use axes::axis_rule;
pub use axes::{
    Activation, Axes, AxisBlock, AxisBlocks, AxisFactor, AxisGroup, AxisScaling, AxisScalings,
    Contraction, Fixed, FixedReason, Mode as ScalingMode, Producer, ScaledPlace,
};
pub use coverage::{Rule, coverage};
pub use derive::{FieldNotes, Jvp};
pub use error::{LinearizeError, Place};
#[doc(hidden)]
pub use error::{caught, fail};
pub use map::{Likelihood, LinearMap, Noise, OutputMetric};
pub use program::{Port, Program};
#[doc(hidden)]
pub use record::is_recording;
#[doc(hidden)]
pub use run::Sharing;
pub use run::{
    Batching, Checkpointing, Linearized, LinearizedGradient, Point, PreparedForward,
    PreparedProgram, RecordedLoss,
};
#[cfg(feature = "flex")]
#[doc(hidden)]
pub use run::{Conv, Kind};
pub use trace::{Field, Forward, GradientTrace, Inputs, ModelInputs, OutputTrace, TracedParam};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
