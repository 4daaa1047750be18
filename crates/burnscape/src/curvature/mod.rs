//! Exact curvature of any model, as operators: products with the Hessian, Gauss-Newton and Fisher
//! matrices, the Jacobian and the neural tangent kernel, over a batch or a whole data set.
//!
//! Operators implement the traits of [`krylov`](crate::krylov): `matvec` for a product, `matmat` for a
//! block of them in one pass over the data. They are made of a [`Risk`](crate::loss::Risk), by its method
//! of that name or with the settings of a [`CurvatureConfig`], at a model, whose code is not touched.
//!
//! Operators are `Send` and `Sync`, and `'static` where their risk is. Products of one operator take turns, batch
//! by batch.
//!
//! | operator | definition | needs |
//! |---|---|---|
//! | [`Hessian`] | `∂²L/∂w²` | a loss |
//! | [`GaussNewton`] | `Jᵀ (∂²ℓ/∂z²) J` | [`Risk::split`](crate::loss::Risk::split) |
//! | [`Fisher`] | `1/n Σ Jᵀ E[r rᵀ] J` | [`Risk::split`](crate::loss::Risk::split), a [`Likelihood`](crate::loss::Likelihood) |
//! | [`EmpiricalFisher`] | `1/n Σ g gᵀ` | [`Risk::per_example`](crate::loss::Risk::per_example) |
//! | [`Jacobian`] | `∂z/∂w` and its transpose | [`Risk::split`](crate::loss::Risk::split) |
//! | [`Ntk`] | `J Jᵀ` | [`Risk::split`](crate::loss::Risk::split) |
//! | [`WeightDecay`] | `λ I` | a space; a summand |
//! | [`FiniteDifference`] | the Hessian by differences of gradients | a loss, traceable or not |
//!
//! The loss is traced: the closure runs once on a device that records, so it must not read a value,
//! branch on one, or use tensors other than the model's and the batch's. A loss module with tensors
//! of its own (class weights) is built inside the closure, on `outputs.device()`.

mod batch_points;
mod batch_sum;
mod config;
mod diagonally_scaled;
mod displaced;
mod empirical_fisher;
mod error;
mod finite_difference;
mod fisher;
mod gauss_newton;
mod hessian;
mod hvp;
mod jacobian;
mod matrix;
mod noise;
mod ntk;
mod output_vector;
mod reverse;
mod site;
mod usable;
mod weight_decay;

pub use config::CurvatureConfig;
pub use diagonally_scaled::DiagonallyScaled;
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

/// Every operator can be kept in a struct and sent to a thread.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Hessian<'static>>();
    is_send_and_sync::<GaussNewton<'static>>();
    is_send_and_sync::<Fisher<'static>>();
    is_send_and_sync::<EmpiricalFisher<'static>>();
    is_send_and_sync::<Jacobian<'static>>();
    is_send_and_sync::<Ntk<'static>>();
    is_send_and_sync::<FiniteDifference<'static>>();
    is_send_and_sync::<WeightDecay>();
};
