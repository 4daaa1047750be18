use burnscape_krylov::KrylovFault;
use burnscape_linearize::LinearizeError;
use thiserror::Error;

use crate::OutOfRange;
use crate::loss::{LossError, WorkerError};
use crate::space::SpaceError;

/// Errors when a curvature operator is made or multiplied.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum CurvatureError {
    /// The model or the loss cannot be traced, differentiated or run.
    #[error(transparent)]
    Linearize(#[from] LinearizeError),
    /// The data or the loss is invalid.
    #[error(transparent)]
    Loss(LossError),
    /// The parameters or vectors are invalid.
    #[error(transparent)]
    Space(SpaceError),
    /// A setting is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The operator is not symmetric, so it is not the curvature of a function.
    #[error(
        "the operator is not symmetric: the relative difference of ⟨u, Av⟩ and ⟨Au, v⟩ is {defect:.1e}, \
         more than {tolerance:.1e}; do not detach tensors that depend on the parameters, or, if the loss is \
         too ill-conditioned for its element type, use f64 or disable the check with `with_checks(false)`"
    )]
    NotSymmetric {
        /// `|⟨u, Av⟩ − ⟨Au, v⟩| / (|u| |Av| + |Au| |v|)`.
        defect: f64,
        /// The largest defect allowed for the element type.
        tolerance: f64,
    },
    /// Burn's backward pass does not match the forward pass.
    #[error(
        "Burn's backward pass does not match the forward pass: the relative difference of forward and \
         backward derivatives at displaced weights is {defect:.1e}; a tensor that depends on the parameters \
         is detached in the loss or the model. Make it an input of the batch, or freeze those parameters"
    )]
    Detached {
        /// `|⟨u, Jv⟩ − ⟨Jᵀu, v⟩| / (|Jv| + |Jᵀu|)` for Gaussian `u` and `v` (`u = 1` for a loss), at
        /// displaced weights.
        defect: f64,
    },
    /// The outputs of the model contain NaN or infinity.
    #[error(
        "the outputs of the model on batch {batch} are not finite; inspect that batch, or mask with large \
         numbers instead of infinities"
    )]
    NonFiniteOutputs {
        /// Index of the batch.
        batch: usize,
    },
    /// The gradient of a batch is NaN or infinite at a finite loss.
    #[error(
        "the gradient of batch {batch} is not finite (its norm is {norm}), but its loss is; look for a \
         function with an infinite derivative (`sqrt` at zero, the norm of a zero vector)"
    )]
    NonFiniteGradient {
        /// Index of the batch.
        batch: usize,
        /// The norm.
        norm: f64,
    },
    /// A product is not finite although loss and gradient are finite.
    #[error(
        "the product of batch {batch} is not finite ({operation}); look for a function without a finite \
         derivative, of second order for a Hessian and of first order for other matrices (`sqrt` at zero, \
         the norm of a zero vector), or, if numbers exceed the range of the element type, multiply the loss \
         by a small number or use f64"
    )]
    NonFiniteProduct {
        /// Index of the batch.
        batch: usize,
        /// The first operation with a non-finite result, if known.
        operation: String,
    },
    /// Nothing fits the memory budget.
    #[error(
        "the operator does not fit a memory budget of {budget} bytes: it needs at least {least}{why}; raise \
         `with_memory_budget`, or use smaller batches"
    )]
    MemoryBudget {
        /// The budget in bytes.
        budget: u64,
        /// The least budget that fits, as predicted.
        least: u64,
        /// Why batches could not be split further; empty if they were.
        why: &'static str,
    },
    /// An operator cannot move to this model, because its trace has another value there than the closure.
    #[error(
        "the trace has the value {traced:e} on a batch where the closure has {found:e}: something that a trace holds \
         fixed has changed (a field of type `Tensor`, a rate of dropout, a number that the loss reads); make a new \
         operator at this model"
    )]
    StaleTrace {
        /// The loss of the trace on one batch, or the mean of its outputs.
        traced: f64,
        /// That of the closure.
        found: f64,
    },
    /// A Monte-Carlo estimate needs at least one sample.
    #[error(
        "the sampled Fisher matrix has no samples; set `FisherSampling::samples` to at least 1"
    )]
    NoSamples,
    /// A covariance needs at least two examples.
    #[error("the data have a single example, which has no covariance of gradients; use at least 2")]
    OneExample,
    /// An observer stopped the work before there was a result.
    #[error("the observer stopped the work before there was a result; let it run longer")]
    Stopped,
    /// A method on an operator failed, or a vector or matrix on the host has the wrong size.
    #[error(transparent)]
    Krylov(#[from] KrylovFault),
}

impl CurvatureError {
    /// Whether a product ended because an observer stopped it.
    pub(super) fn is_stop(&self) -> bool {
        matches!(self, Self::Stopped)
    }
}

impl From<LossError> for CurvatureError {
    fn from(error: LossError) -> Self {
        match error {
            LossError::Stopped { .. } => Self::Stopped,
            LossError::Space(error) => error.into(),
            other => Self::Loss(other),
        }
    }
}

impl WorkerError for CurvatureError {
    fn device_failure(&self) -> Option<String> {
        match self {
            Self::Linearize(
                LinearizeError::Execution { message } | LinearizeError::Panicked { message },
            ) => Some(message.clone()),
            Self::Loss(error) => error.device_failure(),
            Self::Space(error) => LossError::from(error.clone()).device_failure(),
            _ => None,
        }
    }
}

impl From<SpaceError> for CurvatureError {
    fn from(error: SpaceError) -> Self {
        match error {
            SpaceError::Krylov(fault) => Self::Krylov(fault),
            other => Self::Space(other),
        }
    }
}
