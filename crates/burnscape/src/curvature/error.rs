use burnscape_krylov::HostError;
use burnscape_krylov::KrylovFault;
use burnscape_linearize::LinearizeError;
use thiserror::Error;

use crate::OutOfRange;
use crate::loss::LossError;
use crate::space::SpaceError;

/// Why a curvature operator could not be made, or multiplied.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum CurvatureError {
    /// The model or the loss could not be traced, differentiated, or run.
    #[error(transparent)]
    Linearize(#[from] LinearizeError),
    /// The data or the loss are not usable.
    #[error(transparent)]
    Loss(LossError),
    /// Parameter space refused.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// Numbers on the host do not fit a space.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A setting is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The operator is not symmetric, so that it is not the curvature of one function.
    #[error(
        "the operator is not symmetric: ⟨u, Av⟩ and ⟨Au, v⟩ differ by {defect:.1e} of their size, \
         more than {tolerance:.1e}; the loss detaches a tensor that depends on the parameters, or \
         is too ill-conditioned for its element type (take f64, or switch the check off with \
         `with_checks(false)`)"
    )]
    NotSymmetric {
        /// `|⟨u, Av⟩ − ⟨Au, v⟩| / (|u| |Av| + |Au| |v|)`.
        defect: f64,
        /// What is allowed, by element type.
        tolerance: f64,
    },
    /// Burn's backward pass is not that of the forward pass.
    #[error(
        "what Burn differentiates is not the function that runs: derivatives forwards and backwards \
         differ by {defect:.1e} of their size at displaced weights; a tensor that depends on the \
         parameters is detached in the loss or the model. Make it an input of the batch, or freeze those \
         parameters"
    )]
    Detached {
        /// `|⟨u, Jv⟩ − ⟨Jᵀu, v⟩| / (|Jv| + |Jᵀu|)` for Gaussian `u` and `v` (`u = 1` for a loss), at
        /// displaced weights.
        defect: f64,
    },
    /// The outputs of the model hold NaN or an infinity.
    #[error(
        "the outputs of the model on batch {batch} are not finite; look at that batch, or mask with large \
         numbers in place of infinities"
    )]
    NonFiniteOutputs {
        /// Index of the batch.
        batch: usize,
    },
    /// The gradient of a batch is NaN or infinite at a finite loss.
    #[error(
        "the gradient of batch {batch} is not finite (its norm is {norm}) although its loss is; look for a \
         function whose derivative is infinite there (`sqrt` at zero, a norm of zeros)"
    )]
    NonFiniteGradient {
        /// Index of the batch.
        batch: usize,
        /// The norm.
        norm: f64,
    },
    /// A product holds a number that is not finite although loss and gradient are finite.
    #[error(
        "the product with a batch is not finite: batch {batch}, {operation}; look for a function \
         without a finite derivative there, of the second order for a Hessian and of the first for other \
         matrices (`sqrt` at zero, a norm of zeros), or for numbers beyond the range of the element type \
         (multiply the loss by a small number, or take f64)"
    )]
    NonFiniteProduct {
        /// Index of the batch.
        batch: usize,
        /// The first operation whose result is not finite, where known.
        operation: String,
    },
    /// A Monte-Carlo estimate without samples.
    #[error("a sampled Fisher matrix needs at least one sample; set `FisherSampling::samples`")]
    NoSamples,
    /// An observer stopped the work before there was a result.
    #[error("the observer stopped the work before there was a result; let it go on for longer")]
    Stopped,
    /// A method on an operator refused, or failed.
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
            LossError::Space(error) => Self::Space(error),
            other => Self::Loss(other),
        }
    }
}
