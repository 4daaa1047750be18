use burnscape_linearize::LinearizeError;
use thiserror::Error;

use super::DeviceError;
use crate::space::SpaceError;

/// Errors in the evaluation of a loss over data.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LossError {
    /// The loss is not a single number.
    #[error("the loss has shape {shape:?}, expected one element; reduce it with `mean` or `sum`")]
    NotScalar {
        /// The returned shape.
        shape: Vec<usize>,
    },
    /// The loss has no autodiff graph, so it has no gradient.
    #[error(
        "the loss is not tracked by autodiff; build the model on `device.autodiff()` or call \
         `model.train()`, and do not detach its output"
    )]
    Untracked,
    /// The closure, the data set, or Burn's backward pass panicked.
    #[error("the loss panicked: {message}")]
    Panicked {
        /// The message of the panic, with file and line if known.
        message: String,
    },
    /// The loss is NaN or infinite.
    #[error("the loss of batch {batch} is {value}; inspect that batch, or lower the learning rate")]
    NonFinite {
        /// Index of the batch.
        batch: usize,
        /// The value.
        value: f64,
    },
    /// The gradient is NaN or infinite, but the loss is finite (`sqrt` at zero, for instance).
    #[error(
        "the norm of the gradient is {norm}, but the loss is finite; look for a function with an infinite \
         derivative, or, if the gradient exceeds the range of its element type, multiply the loss by a \
         small number"
    )]
    NonFiniteGradient {
        /// The norm.
        norm: f64,
    },
    /// The data set has no batch.
    #[error("the data set is empty; it needs at least one batch")]
    EmptyData,
    /// A batch has no examples.
    #[error("batch {batch} has no examples; remove empty batches from the data set")]
    EmptyBatch {
        /// Index of the batch.
        batch: usize,
    },
    /// The weight of a batch is not positive and finite.
    #[error(
        "batch {batch} has weight {weight}; return a positive, finite number from `Batch::weight`"
    )]
    BadWeight {
        /// Index of the batch.
        batch: usize,
        /// The weight.
        weight: f64,
    },
    /// The tensors of a batch have different numbers of examples.
    #[error(
        "the tensors of a batch have different numbers of examples: {first} and {second}; the first axis of \
         every tensor must be the example; mark fields without that axis with `#[batch(skip)]`"
    )]
    RaggedBatch {
        /// Examples in one tensor.
        first: usize,
        /// Examples in another tensor.
        second: usize,
    },
    /// The index of an example is out of bounds.
    #[error("there is no example {index}: the batch has {examples}; use indices below {examples}")]
    NoSuchExample {
        /// The index.
        index: usize,
        /// Number of examples in the batch.
        examples: usize,
    },
    /// The objective does not return the losses of single examples.
    #[error(
        "this method needs the loss of every example, but the objective returns only their sum or mean; \
         return one loss per example and wrap the closure in `ExampleLosses`"
    )]
    NotPerExample,
    /// The number of losses differs from the number of examples.
    #[error(
        "the objective returned {found} losses for a batch of {expected} examples; return one loss per \
         example, shape `[n]`"
    )]
    WrongExampleLosses {
        /// Examples in the batch.
        expected: usize,
        /// Losses returned.
        found: usize,
    },
    /// The loss draws random numbers.
    #[error(
        "the loss draws random numbers (a sampled latent variable, noise, dropout in `Mode::Train` or while \
         running statistics are re-estimated), so every evaluation is a different function; fix the draws with \
         `with_draws_seed`, or draw the numbers beforehand and store them in the batch"
    )]
    Draws,
    /// Two evaluations at the same point differ.
    #[error(
        "the {what} is not deterministic: first {first}, then {second}; use `Mode::Eval`, fix random draws \
         with `with_draws_seed`, or collect the batches of a shuffling loader with `Batches::collect`"
    )]
    NotDeterministic {
        /// `loss`, `gradient` (its norm), `number of examples` or `number of batches`.
        what: &'static str,
        /// The first value.
        first: f64,
        /// The second value.
        second: f64,
    },
    /// A batch changed when the data was read again.
    #[error(
        "batch {batch} is different on the second reading: the loader shuffles or has several workers, or \
         the closure does not yield the same batches on every call; collect the batches with `Batches::collect`, \
         or build the loader without `shuffle` and with one worker"
    )]
    DataChanged {
        /// Index of the first batch that differs.
        batch: usize,
    },
    /// Running statistics cannot be re-estimated.
    #[error(
        "cannot re-estimate the running statistics: {what}; use `NormalizationPolicy::Leave` or \
         `Interpolate`"
    )]
    Statistics {
        /// The reason.
        what: String,
    },
    /// Running statistics cannot be re-estimated from zero batches.
    #[error("cannot re-estimate running statistics from 0 batches; use at least 1")]
    NoBatches,
    /// The observer stopped a pass that must be complete.
    #[error(
        "the observer stopped the pass after {batches} batches, but the result needs all of them; return \
         `ControlFlow::Continue` until the pass ends"
    )]
    Stopped {
        /// Batches processed.
        batches: usize,
    },
    /// The data loader failed.
    #[error("the data loader failed: {message}")]
    Loader {
        /// The message of the loader.
        message: String,
    },
    /// The loss cannot be recorded, or the recorded program cannot run.
    #[error(transparent)]
    Trace(#[from] LinearizeError),
    /// A recorded loss of a model that updates running statistics.
    #[error(
        "the model is in training mode and has running statistics (`{}`), which a recorded loss does not update; \
         evaluate it in evaluation mode, use a normalization without running statistics, or do not wrap the loss in \
         `Recorded`",
        paths.join("`, `")
    )]
    RunningStatistics {
        /// The paths of the statistics.
        paths: Vec<String>,
    },
    /// A recorded loss is not what Burn computes.
    #[error(
        "the recorded loss is {recorded} and Burn's is {burn}, and they or their gradients differ by {defect:.1e} of \
         their size; the objective computes something that is not recorded (it reads a clock or a counter, or draws numbers that it \
         does not use): do not wrap it in `Recorded`"
    )]
    RecordedDiffers {
        /// The loss that Burn computes.
        burn: f64,
        /// The loss of the program.
        recorded: f64,
        /// The difference of losses or gradients, relative to their size.
        defect: f64,
    },
    /// The devices of the risk cannot be used, or one of them failed.
    #[error(transparent)]
    Device(Box<DeviceError>),
    /// The parameters or vectors are invalid.
    #[error(transparent)]
    Space(#[from] SpaceError),
}

impl From<DeviceError> for LossError {
    fn from(error: DeviceError) -> Self {
        Self::Device(Box::new(error))
    }
}
