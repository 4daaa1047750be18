//! Losses over data: objectives, batches, data sets, and the risk that combines them.
//!
//! An [`Objective`] is a closure from a model and a batch to a number. A [`Batch`] consists of tensors. A [`DataSet`]
//! yields the same batches on every reading. A [`Risk`] combines an objective and a data set with the right weights;
//! all measurements of the library start from one.

mod agreement;
mod batch;
mod batches;
mod data_set;
mod devices;
pub(crate) mod draws;
mod error;
mod example_losses;
mod in_order;
mod lift;
mod mode;
mod normalization_policy;
mod objective;
mod pass;
mod programs;
mod recorded;
mod reduction;
mod reestimate;
mod risk;
pub(crate) mod scalar;
mod tally;
mod tensors;

pub(crate) use agreement::{Agreement, Sides, Tolerance, compare, compare_nearby};
pub(crate) use batch::moved_to;
pub use batch::{Batch, BatchMapper};
pub use batches::Batches;
/// Implements [`Batch`](trait@Batch) for a struct of batches.
///
/// Every field must be a batch or be marked with `#[batch(skip)]`, which leaves it unchanged. The struct must be
/// `Clone`. A type parameter must be a batch if a field that is not skipped uses it.
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
/// # Compile errors
///
/// A field that is not a batch is an error at its type, with two suggestions:
///
/// ```compile_fail,E0277
/// use burn::tensor::Tensor;
/// use burnscape::loss::Batch;
///
/// #[derive(Batch, Clone)]
/// struct Digits {
///     images: Tensor<3>,
///     source: String, // `String` is not a batch: neither a tensor nor made of tensors
/// }
/// # fn is_batch<B: Batch>() {}
/// # is_batch::<Digits>();
/// ```
///
/// An enum is an error, too:
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
/// The distribution of targets that the outputs of a model parameterize.
pub use burnscape_linearize::Likelihood;
/// A function of the rows of a batch with its derivatives, and what is worth knowing about them.
pub use burnscape_linearize::{Field, FieldNotes};
pub use data_set::DataSet;
pub(crate) use devices::{Copies, Cost, Costs, Devices, Reports, Worker, WorkerError};
pub use devices::{DeviceError, DeviceQueue, DeviceWork};
pub use error::LossError;
pub use example_losses::ExampleLosses;
pub(crate) use in_order::in_order;
pub(crate) use lift::{Lift, lifted};
pub use mode::Mode;
pub use normalization_policy::NormalizationPolicy;
pub use objective::{Objective, SumLoss};
pub(crate) use programs::MOST_PROGRAMS;
pub use recorded::Recorded;
pub use reduction::Reduction;
pub(crate) use risk::Digest;
pub(crate) use risk::{
    BatchScores, DataReading, Draws, InParts, Observer, OperatorSettings, PartGradient,
    PendingLoss, RiskBatch, SharedData, Source, SourceInParts, each, each_begun, each_tensors,
    of_one_batch,
};
pub use risk::{Classes, PerExample, Progress, Risk, RiskGradient, RiskValue, Split, Whole, Work};
pub(crate) use tally::examples_and_weight;
pub(crate) use tensors::{Fingerprint, Signature, Tensors, traced};
