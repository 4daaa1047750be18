use thiserror::Error;

use crate::OutOfRange;
use crate::landscape::LandscapeError;
use crate::loss::LossError;
use crate::space::SpaceError;

/// A trajectory that cannot be kept, read or analyzed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TrajectoryError {
    /// A setting or an argument is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The trajectory has too few checkpoints for what is asked.
    #[error(
        "{found} checkpoints are too few, {needed} is the least; keep more of them, at more steps of the training"
    )]
    TooFewCheckpoints {
        /// The number found.
        found: usize,
        /// The least number.
        needed: usize,
    },
    /// The checkpoints are those of a model with other parameters.
    #[error(
        "the trajectory is that of another model: {message}; pass a model of the same architecture, with the same \
         parameters frozen"
    )]
    OtherModel {
        /// The first parameter that differs.
        message: String,
    },
    /// A file or directory cannot be read or written, or is not what it should be.
    #[error("`{path}`: {message}")]
    File {
        /// The file or directory.
        path: String,
        /// The reason, and what to do.
        message: String,
    },
    /// A model that files cannot store, or a state that does not belong to the log.
    #[error("the trajectory cannot be recorded: {message}")]
    Record {
        /// The reason, and what to do.
        message: String,
    },
    /// All checkpoints are the same, so that there is no direction.
    #[error(
        "all checkpoints of the trajectory are equal; keep checkpoints of a model that is trained"
    )]
    NotMoving,
    /// There are fewer principal components.
    #[error(
        "{asked} components are more than the {available} that there are; ask for fewer, or keep more checkpoints"
    )]
    NoComponent {
        /// The number asked for.
        asked: usize,
        /// The number of components.
        available: usize,
    },
    /// A parameter of a checkpoint, or a number computed from it, is NaN or infinite.
    #[error(
        "the checkpoint of step {step} has numbers that are not finite; leave out what follows the divergence"
    )]
    NonFinite {
        /// The step.
        step: usize,
    },
    /// A plane has no statistics between which to interpolate.
    #[error(
        "a plane has no running statistics to interpolate; use `NormalizationPolicy::Leave`, or `ReestimateAll`"
    )]
    NoInterpolation,
    /// The observer of the risk stopped the work before there was a result.
    #[error("the observer stopped the work before there was a result; let it run longer")]
    Stopped,
    /// The loss could not be evaluated.
    #[error(transparent)]
    Loss(LossError),
    /// A landscape could not be evaluated.
    #[error(transparent)]
    Landscape(LandscapeError),
    /// Parameters that do not match, or a device that cannot be read.
    #[error(transparent)]
    Space(#[from] SpaceError),
}

impl From<LossError> for TrajectoryError {
    fn from(error: LossError) -> Self {
        match error {
            LossError::Stopped { .. } => Self::Stopped,
            other => Self::Loss(other),
        }
    }
}

impl From<LandscapeError> for TrajectoryError {
    fn from(error: LandscapeError) -> Self {
        match error {
            LandscapeError::Stopped => Self::Stopped,
            other => Self::Landscape(other),
        }
    }
}
