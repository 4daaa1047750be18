//! Exact curvature of any model as operators: products with the Hessian, Gauss-Newton and Fisher matrices, the
//! Jacobian and the neural tangent kernel, over a batch or a data set.
//!
//! Operators implement the traits of [`krylov`](crate::krylov): `matvec` computes a product, `matmat` a block of
//! products in one pass over the data. A [`Risk`](crate::loss::Risk) makes them at a model, with a method named after
//! the operator, and its settings apply to them. The code of the model does not change.
//!
//! Operators are `Send` and `Sync`, and `'static` if their risk is. Concurrent products with one operator alternate
//! batch by batch. With [several devices](crate::loss::Risk::with_devices) each of them has some of the batches.
//!
//! | operator | definition | needs |
//! |---|---|---|
//! | [`Hessian`] | `∂²L/∂w²` | a loss |
//! | [`GaussNewton`] | `Jᵀ (∂²ℓ/∂z²) J` | [`Risk::split`](crate::loss::Risk::split) |
//! | [`Fisher`] | `1/n Σ Jᵀ E[r rᵀ] J` | [`Risk::split`](crate::loss::Risk::split), a [`Likelihood`](crate::loss::Likelihood) |
//! | [`EmpiricalFisher`] | `1/n Σ g gᵀ` | [`Risk::per_example`](crate::loss::Risk::per_example) |
//! | [`GradientCovariance`] | `1/(n − 1) Σ (g − ḡ)(g − ḡ)ᵀ` | [`Risk::per_example`](crate::loss::Risk::per_example) |
//! | [`Jacobian`] | `∂z/∂w` and its transpose | [`Risk::split`](crate::loss::Risk::split) |
//! | [`Ntk`] | `J Jᵀ` | [`Risk::split`](crate::loss::Risk::split) |
//! | [`Diagonal`] | `diag(d)` | a vector; weight decay, a preconditioner |
//! | [`FiniteDifference`] | the Hessian by differences of gradients | a loss, traceable or not |
//!
//! [`LayerCouplingConfig`] measures the blocks of an operator between all pairs of parameter tensors.
//!
//! Operators trace the loss: the closure runs once on a recording device, so it must not read a value, branch on
//! one, or use tensors other than those of the model and the batch. Build a loss module with its own tensors (class
//! weights) inside the closure, on `outputs.device()`. See the [guide](crate::guide::curvature).

mod batch_hessians;
mod batch_points;
mod batch_sum;
mod coupling;
mod diagonal;
mod diagonally_scaled;
mod displaced;
mod empirical_fisher;
mod error;
mod finite_difference;
mod fisher;
mod fitted;
mod gauss_newton;
mod gradient_covariance;
mod hessian;
mod hessian_derivative;
mod hvp;
mod jacobian;
mod joined;
mod kept;
mod layer_value;
mod matrix;
mod memory;
mod memory_plan;
mod noise;
mod ntk;
mod origin;
mod output_vector;
mod outputs;
mod reverse;
mod row_space;
mod site;
mod spread;
mod stale;
mod symmetric;
mod usable;
mod watch;
mod weights;

pub(crate) use batch_hessians::BatchHessians;
pub use coupling::{LayerCoupling, LayerCouplingConfig};
pub use diagonal::Diagonal;
pub use diagonally_scaled::DiagonallyScaled;
pub use empirical_fisher::EmpiricalFisher;
pub use error::CurvatureError;
pub use finite_difference::FiniteDifference;
pub use fisher::{Fisher, FisherSampling};
pub use gauss_newton::GaussNewton;
pub use gradient_covariance::GradientCovariance;
pub use hessian::Hessian;
pub(crate) use hessian_derivative::HessianDerivative;
pub use hvp::hvp;
pub use jacobian::Jacobian;
pub(crate) use kept::Kept;
pub use layer_value::LayerValue;
pub use memory_plan::MemoryPlan;
pub use ntk::Ntk;
pub use output_vector::OutputSpace;
pub(crate) use outputs::Outputs;
pub use row_space::OffRowSpace;

/// Every operator can be kept in a struct and sent to a thread.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Hessian<'static>>();
    is_send_and_sync::<GaussNewton<'static>>();
    is_send_and_sync::<Fisher<'static>>();
    is_send_and_sync::<EmpiricalFisher<'static>>();
    is_send_and_sync::<GradientCovariance<'static>>();
    is_send_and_sync::<Jacobian<'static>>();
    is_send_and_sync::<Ntk<'static>>();
    is_send_and_sync::<FiniteDifference<'static>>();
    is_send_and_sync::<Diagonal>();
};
