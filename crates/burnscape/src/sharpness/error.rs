use burnscape_krylov::KrylovFault;
use thiserror::Error;

use crate::OutOfRange;
use crate::curvature::CurvatureError;
use crate::loss::LossError;
use crate::space::SpaceError;

/// Errors of measures of sharpness.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SharpnessError {
    /// A setting or an argument is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The loss at a sampled point is NaN or infinite.
    #[error(
        "the loss at sample {sample} is {value} (batch {batch}); measure with a smaller \
         perturbation"
    )]
    NonFiniteSample {
        /// Index of the sample.
        sample: usize,
        /// Index of the batch.
        batch: usize,
        /// The loss of that batch.
        value: f64,
    },
    /// The loss at a point of the ascent is NaN or infinite, so that the rise has no finite bound.
    #[error(
        "the loss at step {step} of start {start} is {value} (batch {batch}); measure with a smaller \
         rho"
    )]
    NonFiniteStep {
        /// Index of the start.
        start: usize,
        /// Index of the step, 0 for the start itself.
        step: usize,
        /// Index of the batch.
        batch: usize,
        /// The loss of that batch.
        value: f64,
    },
    /// The gradient at a point of the ascent is NaN or infinite although the loss is not.
    #[error(
        "the gradient at step {step} of start {start} has norm {norm} although the loss is finite; \
         look for an operation without derivative (a square root at zero) in the loss, or, where the \
         gradient is beyond the range of its element type, multiply the loss by a small number"
    )]
    NonFiniteGradient {
        /// Index of the start.
        start: usize,
        /// Index of the step, 0 for the start itself.
        step: usize,
        /// The norm.
        norm: f64,
    },
    /// Keskar's measure divides by one plus the loss.
    #[error(
        "the loss is {loss}, but Keskar's measure divides by 1 + loss, which must be positive; \
         measure a loss that is not negative"
    )]
    NegativeLoss {
        /// The loss.
        loss: f64,
    },
    /// A measure of a positive semidefinite matrix was applied to another one.
    #[error(
        "the matrix is not positive semidefinite: `⟨w, F w⟩` is {value:e}; pass a `Fisher` or \
         `GaussNewton` matrix in place of a `Hessian`"
    )]
    Indefinite {
        /// The negative quadratic form.
        value: f64,
    },
    /// The operator's parameters include no weight with filters, or not the one named.
    #[error(
        "the operator's parameters include no weight with filters {wanted}; name a weight by a path \
         like `{example}`"
    )]
    NoWeight {
        /// The path, as part of a sentence.
        wanted: String,
        /// A path of the model.
        example: String,
    },
    /// A layer to rescale does not exist, or is not trainable.
    #[error(
        "the model has no trainable parameter `{path}`; name a layer by the path of its fields, as \
         in `{example}` without its last part"
    )]
    NoLayer {
        /// The missing path.
        path: String,
        /// A path of the model.
        example: String,
    },
    /// Rescaling changed the function: more than a positively homogeneous activation lies between the two layers.
    #[error(
        "rescaling changed the loss from {before} to {after}: more than ReLU (or another activation \
         with f(ax) = a f(x)) lies between `{first}` and `{second}`; name two layers with nothing else between"
    )]
    FunctionChanged {
        /// Path of the first layer.
        first: String,
        /// Path of the second layer.
        second: String,
        /// The loss before.
        before: f64,
        /// The loss after.
        after: f64,
    },
    /// A result of finite numbers is too large.
    #[error(
        "{what} is beyond the range of f64, 1.8e308; multiply the loss by a small power of two, and the \
         result by its inverse"
    )]
    Overflow {
        /// The result.
        what: &'static str,
    },
    /// The observer stopped a measurement before it had a first estimate.
    #[error("the observer stopped the measurement before its first estimate; let it run longer")]
    Stopped,
    /// A curvature operator, or a product with it.
    #[error(transparent)]
    Curvature(CurvatureError),
    /// A Krylov method.
    #[error(transparent)]
    Krylov(KrylovFault),
    /// The evaluation of the loss.
    #[error(transparent)]
    Loss(LossError),
    /// Parameters, vectors, or their device.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// Every curvature is zero, so that none sets a unit.
    #[error(
        "every curvature is zero, and none sets a unit; use `BasinVolumeConfig::run`, which needs none"
    )]
    NoCurvature,
}

impl From<LossError> for SharpnessError {
    fn from(error: LossError) -> Self {
        match error {
            LossError::Stopped { .. } => Self::Stopped,
            other => Self::Loss(other),
        }
    }
}

impl From<CurvatureError> for SharpnessError {
    fn from(error: CurvatureError) -> Self {
        match error {
            CurvatureError::Stopped => Self::Stopped,
            CurvatureError::Krylov(fault) => Self::Krylov(fault),
            CurvatureError::OutOfRange(error) => Self::OutOfRange(error),
            CurvatureError::Space(error) => Self::Space(error),
            other => Self::Curvature(other),
        }
    }
}
