//! Losses: what is evaluated, on which data, in which mode.
//!
//! An [`Objective`] is a closure from a model and a batch to one number. A [`Batch`] is made of
//! tensors; a [`DataSet`] yields batches again and again. A [`Risk`] puts them together with the right
//! weights, and is what the rest of the library looks at.

mod agreement;
mod batch;
mod batches;
mod data_set;
pub(crate) mod draws;
mod error;
mod example_losses;
mod lift;
mod mode;
mod normalization_policy;
mod objective;
mod pass;
mod reduction;
mod reestimate;
mod risk;
pub(crate) mod scalar;
mod tally;
mod tensors;

pub(crate) use agreement::{Agreement, Sides, Tolerance, compare};
pub use batch::{Batch, BatchMapper};
pub use batches::Batches;
/// Implements [`Batch`](trait@Batch) for a struct of batches.
///
/// Every field is a batch, or is marked `#[batch(skip)]` and passed on as it is. The struct must be
/// `Clone`. A generic parameter is required to be a batch where a field that is not skipped uses it.
///
/// # Example
///
/// ```
/// use burn::tensor::Tensor;
/// use burnscape::loss::Batch;
///
/// #[derive(Batch, Clone)]
/// struct Digits {
///     images: Tensor<3>,
///     #[batch(skip)]
///     source: String,
/// }
/// # fn is_batch<B: Batch>() {}
/// # is_batch::<Digits>();
/// ```
///
/// # Refusals
///
/// A field that is no batch is refused at its type, with the two ways out:
///
/// ```compile_fail,E0277
/// use burn::tensor::Tensor;
/// use burnscape::loss::Batch;
///
/// #[derive(Batch, Clone)]
/// struct Digits {
///     images: Tensor<3>,
///     source: String, // `String` is not a batch: not a tensor, nor made of tensors
/// }
/// # fn is_batch<B: Batch>() {}
/// # is_batch::<Digits>();
/// ```
///
/// So is an enum:
///
/// ```compile_fail
/// use burn::tensor::Tensor;
/// use burnscape::loss::Batch;
///
/// #[derive(Batch, Clone)]
/// enum Digits {
///     Images(Tensor<3>), // `Batch` can be derived for structs only
/// }
/// # fn is_batch<B: Batch>() {}
/// # is_batch::<Digits>();
/// ```
pub use burnscape_derive::Batch;
/// The law of targets that a model's outputs stand for.
pub use burnscape_linearize::Likelihood;
pub use data_set::DataSet;
pub use error::LossError;
pub use example_losses::ExampleLosses;
pub(crate) use lift::{Lift, lifted};
pub use mode::Mode;
pub use normalization_policy::NormalizationPolicy;
pub use objective::{Objective, Summed};
pub use reduction::Reduction;
pub use reestimate::reestimate;
pub(crate) use risk::{
    BatchScores, Draws, Observer, RiskBatch, SharedData, Source, each, each_tensors, of_one_batch,
};
pub use risk::{Classes, PerExample, Progress, Risk, RiskGradient, RiskValue, Split, Whole, Work};
pub(crate) use tally::examples_and_weight;
pub(crate) use tensors::{Fingerprint, Signature, Tensors};
