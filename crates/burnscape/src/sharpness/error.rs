use std::io;

use burnscape_krylov::KrylovFault;
use thiserror::Error;

use crate::OutOfRange;
use crate::curvature::CurvatureError;
use crate::loss::LossError;
use crate::space::SpaceError;

/// What can go wrong while sharpness is measured.
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
    /// The loss at a point of the ascent is NaN or infinite: the rise has no finite bound there.
    #[error(
        "the loss at step {step} of start {start} is {value} (batch {batch}); measure in a smaller \
         ball"
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
    /// A measure of a positive semi-definite matrix was given another one.
    #[error(
        "the matrix is not positive semi-definite: {value:e} where nothing negative can be; give \
         `GaussNewton` or `Fisher` in place of `Hessian`"
    )]
    Indefinite {
        /// The eigenvalue, or quadratic form, that is negative.
        value: f64,
    },
    /// The operator's parameters hold no weight matrix, or not the one that was named.
    #[error(
        "there is no weight with filters {wanted} among the operator's parameters; paths look like \
         `{example}`"
    )]
    NoWeight {
        /// The path that was asked for, in words if none was.
        wanted: String,
        /// One path as the model spells it.
        example: String,
    },
    /// A layer to be rescaled is not there, or not trainable.
    #[error(
        "the model has no trainable parameter `{path}`; name a layer by the path of its fields, as \
         in `{example}` without its last part"
    )]
    NoLayer {
        /// The path of the parameter that was looked for.
        path: String,
        /// One path as the model spells it.
        example: String,
    },
    /// Rescaling changed the function: the two layers are no pair around a positively homogeneous
    /// activation.
    #[error(
        "rescaling changed the loss from {before} to {after}: `{first}` and `{second}` are not \
         joined by ReLU (or another activation with f(ax) = a f(x)) alone; name two layers that are"
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
    /// A result that is too large, of numbers that are finite.
    #[error(
        "{what} is beyond the range of f64, 1.8e308; multiply the loss by a small power of two, and the \
         result by its inverse"
    )]
    Overflow {
        /// What was to be reported.
        what: &'static str,
    },
    /// The observer stopped a measurement before it had a first estimate.
    #[error("stopped by the observer before there was anything to report; let it run longer")]
    Stopped,
    /// Writing failed.
    #[error("the report could not be written ({kind}): {message}; check the destination")]
    Write {
        /// What kind of failure it was.
        kind: io::ErrorKind,
        /// What the writer said.
        message: String,
    },
    /// A curvature operator could not be made, or multiplied.
    #[error(transparent)]
    Curvature(CurvatureError),
    /// A Krylov method refused.
    #[error(transparent)]
    Krylov(KrylovFault),
    /// The loss could not be evaluated.
    #[error(transparent)]
    Loss(LossError),
    /// Parameter space refused.
    #[error(transparent)]
    Space(#[from] SpaceError),
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

impl From<io::Error> for SharpnessError {
    fn from(error: io::Error) -> Self {
        Self::Write {
            kind: error.kind(),
            message: error.to_string(),
        }
    }
}
