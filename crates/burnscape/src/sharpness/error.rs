use thiserror::Error;

use crate::loss::LossError;
use crate::space::SpaceError;

/// What can go wrong while sharpness is measured.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SharpnessError {
    /// A configured value makes no sense.
    #[error("`{name}` is {value}, but it must be {expected}; correct it in the config")]
    BadArgument {
        /// Name of the field.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// The perturbation scale is zero for every coordinate.
    #[error(
        "the perturbation scale is zero for every parameter: there is no weight with filters, or \
         all weights are zero; use `PerturbationScale::Absolute` or `UnfilteredRule::AsOneFilter`"
    )]
    NothingToPerturb,
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
         look for an operation without derivative (a square root at zero) in the loss"
    )]
    NonFiniteGradient {
        /// Index of the start.
        start: usize,
        /// Index of the step, 0 for the start itself.
        step: usize,
        /// The norm.
        norm: f64,
    },
    /// The loss could not be evaluated.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Parameter space refused.
    #[error(transparent)]
    Space(#[from] SpaceError),
}
