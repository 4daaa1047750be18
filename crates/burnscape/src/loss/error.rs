use thiserror::Error;

use crate::space::SpaceError;

/// What can go wrong between a model, a loss closure and data.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LossError {
    /// The closure returned more or less than one number.
    #[error("the loss has shape {shape:?}, expected one element; reduce it with `mean` or `sum`")]
    NotScalar {
        /// The shape that was returned.
        shape: Vec<usize>,
    },
    /// The loss carries no graph, so it has no gradient.
    #[error(
        "the loss is not tracked by autodiff: build the model on `device.autodiff()` or call \
         `model.train()`, and do not detach its output"
    )]
    Untracked,
    /// The closure panicked, or Burn did in its backward pass.
    #[error("the loss panicked: {message}")]
    Panicked {
        /// The panic's message, with its file and line where they are known.
        message: String,
    },
    /// The loss is NaN or infinite.
    #[error("the loss of batch {batch} is {value}; look at that batch, or lower the learning rate")]
    NonFinite {
        /// Index of the batch.
        batch: usize,
        /// The value.
        value: f64,
    },
    /// The gradient is NaN or infinite at a finite loss (`sqrt` at zero, for instance).
    #[error(
        "the norm of the gradient is {norm} although the loss is finite; look for a function \
         whose derivative is infinite there, or, where the gradient is beyond the range of its element \
         type, multiply the loss by a small number"
    )]
    NonFiniteGradient {
        /// The norm.
        norm: f64,
    },
    /// The data set has no batch.
    #[error("the data set is empty; give it at least one batch")]
    EmptyData,
    /// A batch has no example.
    #[error("batch {batch} has no example; drop empty batches from the data set")]
    EmptyBatch {
        /// Index of the batch.
        batch: usize,
    },
    /// A batch has a weight that no mean can be taken with.
    #[error("batch {batch} has weight {weight}; `Batch::weight` must be positive and finite")]
    BadWeight {
        /// Index of the batch.
        batch: usize,
        /// The weight.
        weight: f64,
    },
    /// The tensors of a batch do not agree about the number of examples.
    #[error(
        "the parts of a batch disagree on its number of examples: {first} and {second}; the first axis of \
         every tensor must be the examples, and parts that are not per example need `#[batch(skip)]`"
    )]
    RaggedBatch {
        /// Examples by one part.
        first: usize,
        /// Examples by another part.
        second: usize,
    },
    /// An example was asked for that the batch does not have.
    #[error("example {index} does not exist: the batch has {examples}, counted from 0")]
    NoSuchExample {
        /// The index.
        index: usize,
        /// Number of examples in the batch.
        examples: usize,
    },
    /// The objective cannot tell the losses of single examples.
    #[error(
        "this needs the loss of every example, but the objective gives only their sum or mean; \
         wrap it in `ExampleLosses`"
    )]
    NotPerExample,
    /// A per-example objective gave another number of losses than there are examples.
    #[error(
        "the objective returned {found} losses for a batch of {expected} examples; return one loss per \
         example, of shape `[n]`"
    )]
    WrongExampleLosses {
        /// Examples in the batch.
        expected: usize,
        /// Losses returned.
        found: usize,
    },
    /// The loss draws random numbers.
    #[error(
        "the loss draws random numbers (a sampled latent variable, noise, dropout in `Mode::Train`), so \
         it is a different function at each evaluation; freeze the draws with `with_draws_seed`, or draw \
         the numbers beforehand and put them into the batch"
    )]
    Draws,
    /// Two evaluations at one point differed.
    #[error(
        "the {what} is not deterministic: {first} at the first evaluation, {second} at the second; use \
         `Mode::Eval`, freeze what the loss draws with `with_draws_seed`, or keep one order of a \
         shuffling loader with `Batches::collect`"
    )]
    NotDeterministic {
        /// `loss`, `gradient` (its norm) or `number of examples`.
        what: &'static str,
        /// The first value.
        first: f64,
        /// The second value.
        second: f64,
    },
    /// A data set gave another batch when it was read again.
    #[error(
        "batch {batch} differs when the data are read again: the loader shuffles, or the closure \
         does not yield the same batches on every call; build the loader without `shuffle`, or keep one \
         order with `Batches::collect`"
    )]
    DataChanged {
        /// Index of the first batch that differs.
        batch: usize,
    },
    /// Statistics cannot be re-estimated.
    #[error(
        "normalization statistics do not follow the batches ({what}); use \
         `NormalizationPolicy::Leave` or `Interpolate`"
    )]
    Statistics {
        /// What was seen.
        what: String,
    },
    /// Running statistics of no batch.
    #[error("running statistics cannot be re-estimated on no batch; give at least one")]
    NoBatches,
    /// The observer stopped a pass that a number needs as a whole.
    #[error("the observer stopped the pass after {batches} batches; let it run to its end")]
    Stopped {
        /// Batches done.
        batches: usize,
    },
    /// The data loader failed.
    #[error("the data loader failed: {message}")]
    Loader {
        /// What it said.
        message: String,
    },
    /// Parameter space refused.
    #[error(transparent)]
    Space(#[from] SpaceError),
}
