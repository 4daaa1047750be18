//! Losses: what is evaluated, on which data, in which mode.
//!
//! An [`Objective`] is a closure from a model and a batch to one number. A [`Batch`] is made of
//! tensors; a [`DataSet`] yields batches again and again. The [`Evaluator`] puts them together with
//! the right weights.

mod batch;
mod batches;
mod data_set;
mod error;
mod evaluator;
mod lift;
mod mode;
mod objective;
mod per_example;
mod reduction;
pub(crate) mod scalar;
mod split;

pub use batch::{Batch, BatchMapper};
pub use batches::Batches;
/// Implements [`Batch`](trait@Batch) for a struct of batches.
pub use burnscape_derive::Batch;
pub use data_set::DataSet;
pub use error::LossError;
pub use evaluator::{DataGradient, DataLoss, Evaluator, LossStep};
pub use mode::Mode;
pub use objective::{Objective, Summed};
pub use per_example::PerExample;
pub use reduction::Reduction;
pub use split::{Split, SplitLoss, SplitObjective};
