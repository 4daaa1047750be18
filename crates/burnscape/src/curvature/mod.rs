//! Exact curvature of any model, as operators: products with the Hessian, Gauss-Newton and Fisher
//! matrices, the Jacobian and the neural tangent kernel, over a batch or a whole data set.
//!
//! Operators implement the traits of [`krylov`](crate::krylov): `matvec` for a product, `matmat` for a
//! block of them in one pass over the data. They are made by [`CurvatureConfig`], or by `new` with
//! its defaults, from a model, a loss and data; the model's code is not touched.
//!
//! | operator | definition | needs |
//! |---|---|---|
//! | [`Hessian`] | `∂²L/∂w²` | a loss |
//! | [`GaussNewton`] | `Jᵀ (∂²ℓ/∂z²) J` | outputs and criterion apart |
//! | [`Fisher`] | `1/n Σ Jᵀ E[r rᵀ] J` | outputs, a [`Likelihood`](crate::loss::Likelihood) |
//! | [`EmpiricalFisher`] | `1/n Σ g gᵀ` | losses of single examples |
//! | [`Jacobian`] | `∂z/∂w` and its transpose | outputs |
//! | [`Ntk`] | `J Jᵀ` | outputs |
//! | [`WeightDecay`] | `λ I` | a space; a summand |
//! | [`FiniteDifference`] | the Hessian by differences of gradients | a loss, traceable or not |
//!
//! The loss is traced: the closure runs once on a device that records, so it must not read a value,
//! branch on one, or use tensors other than the model's and the batch's. A loss module with tensors
//! of its own (class weights) is built inside the closure, on `outputs.device()`.

mod config;
mod displaced;
mod empirical_fisher;
mod error;
mod finite_difference;
mod fisher;
mod gauss_newton;
mod hessian;
mod hvp;
mod jacobian;
mod lift;
mod matrix;
mod noise;
mod ntk;
mod output_vector;
mod reverse;
mod sweep;
mod usable;
mod weight_decay;

pub use config::{CurvatureConfig, CurvatureStep, Pass};
pub use empirical_fisher::EmpiricalFisher;
pub use error::CurvatureError;
pub use finite_difference::FiniteDifference;
pub use fisher::{Fisher, FisherSampling};
pub use gauss_newton::GaussNewton;
pub use hessian::Hessian;
pub use hvp::hvp;
pub use jacobian::Jacobian;
pub use ntk::Ntk;
pub use output_vector::{OutputSpace, OutputVector};
pub use weight_decay::WeightDecay;
