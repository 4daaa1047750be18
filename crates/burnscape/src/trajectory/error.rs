use thiserror::Error;

use crate::OutOfRange;
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
    /// The principal components are those of another trajectory of the same model.
    #[error(
        "the components are those of another trajectory: {message}; pass the trajectory that was analyzed, or analyze \
         this one"
    )]
    OtherTrajectory {
        /// What differs.
        message: String,
    },
    /// Two metrics of a log have one name.
    #[error("two metrics are called `{name}`; give one of them another name")]
    DuplicateMetric {
        /// The name.
        name: String,
    },
    /// A metric has the name of something that a trajectory has anyway.
    #[error(
        "a metric is called `{name}`, and a trajectory has something else of this name; give the metric another name"
    )]
    ReservedMetric {
        /// The name.
        name: String,
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
    /// Running statistics are not interpolated along a trajectory, or over a plane.
    #[error(
        "running statistics are not interpolated along a trajectory, or over a plane; use `NormalizationPolicy::Leave`, \
         `ReestimateAll` or `Reestimate`"
    )]
    NoInterpolation,
    /// The observer of the risk stopped the work before there was a result.
    #[error("the observer stopped the work before there was a result; let it run longer")]
    Stopped,
    /// The loss could not be evaluated.
    #[error(transparent)]
    Loss(LossError),
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
