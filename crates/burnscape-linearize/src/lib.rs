//! Exact derivatives of any Burn module, of any order.
//!
//! Burn's autodiff is first-order. This crate records a closure *and its backward pass* as a
//! [`Program`], a straight line of tensor operations, and differentiates that: [`jvp`] of a gradient
//! is the exact Hessian-vector product, and `jvp` of that a third derivative.
//!
//! ```
//! use burn::module::Module;
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::{Device, Tensor};
//! use burnscape_linearize::{LinearizedGradient, trace_gradient};
//!
//! let device = Device::flex();
//! let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
//! let x = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &device);
//!
//! // A copy of the model is traced, and the batch enters as placeholders.
//! let trace = trace_gradient(
//!     model.clone().train(),
//!     device.settings(),
//!     |lifter| lifter.float(x.clone()),
//!     |model: &Linear, x| model.forward(x).square().sum(),
//! )?;
//! let mut at_this_point = LinearizedGradient::new(&trace, device.settings(), &device)?;
//!
//! // L = |x w|², so that the Hessian is 2 xᵀx = [[20, 28], [28, 40]].
//! let direction = Tensor::<1>::from_data([1.0, 0.0], &device);
//! let product = at_this_point.hvp(&[direction])?;
//! let product = product[0].clone().map(|part| part.into_data());
//! assert_eq!(product, Some(burn::tensor::TensorData::from([20.0_f32, 28.0])));
//! # Ok::<(), burnscape_linearize::LinearizeError>(())
//! ```
//!
//! A closure that is traced must not read a value and must not branch on one; what cannot be traced,
//! or has no rule, is refused by name, never answered wrongly. [`coverage`] lists the rules.

mod batched;
mod coverage;
mod decisions;
mod deformable;
mod error;
mod executable;
mod factors;
mod flat;
mod folding;
mod hessian;
mod inspect;
mod jvp;
mod lanes;
mod lifter;
mod likelihood;
mod linear_map;
mod linearized;
mod linearized_gradient;
mod lower;
mod merge;
mod output_maps;
mod output_metric;
mod output_trace;
mod panics;
mod product_backward;
mod products;
mod program;
mod recording;
mod refusal;
mod replay;
mod rule;
mod run;
mod slopes;
mod stable;
mod stats;
mod tape;
mod ties;
mod trace;
mod upstream;

pub use coverage::{Rule, coverage};
pub use error::LinearizeError;
pub use jvp::{Jvp, jvp};
pub use lifter::Lifter;
pub use likelihood::Likelihood;
pub use linear_map::LinearMap;
pub use linearized::{Batching, Linearized, Point, Residuals};
pub use linearized_gradient::LinearizedGradient;
pub use output_metric::{Noise, OutputMetric};
pub use output_trace::{OutputTrace, trace_outputs, trace_split};
pub use panics::Place;
#[doc(hidden)]
pub use panics::{Panic, caught};
pub use program::{Port, Program};
pub use stats::ProgramStats;
pub use trace::{GradientTrace, TracedParam, trace_gradient};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
