use thiserror::Error;

use super::Need;
use crate::OutOfRange;
use crate::curvature::CurvatureError;
use crate::loss::{LossError, WorkerError};
use crate::space::SpaceError;

/// An error of an optimizer: of its configuration, a step or a record. The model's weights are then unchanged.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum OptimError {
    /// A setting is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// Two parts that exclude each other.
    #[error("{first} cannot be combined with {second}; choose one")]
    Incompatible {
        /// One part.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// The entry point does not provide what a part needs.
    #[error("{feature} {need}")]
    Unmet {
        /// The part.
        feature: &'static str,
        /// Its need.
        need: Need,
    },
    /// `descend` was called without the gradient that the step needs.
    #[error(
        "this step needs the gradient at `Ascended::module`; pass it wherever \
         `Ascended::wants_gradient` is true"
    )]
    MissingGradient,
    /// A parameter occurs twice, and a Burn optimizer would move only its first occurrence.
    #[error(
        "`{first}` and `{second}` are one parameter, which Burn's optimizer would untie; share it \
         inside one field, or use `SamConfig::with_restore_tied(true)`"
    )]
    TiedParameter {
        /// First path.
        first: String,
        /// Second path.
        second: String,
    },
    /// A learning rate is negative, NaN or infinite.
    #[error("the learning rate of `{path}` is {lr}; it must be finite and not negative")]
    LearningRate {
        /// The first parameter with such a rate.
        path: String,
        /// The rate.
        lr: f64,
    },
    /// A `ModuleLearningRate` without any rate.
    #[error("the learning rate has no value; make it from a number or a scheduler")]
    NoLearningRate,
    /// A record belongs to another model.
    #[error(
        "the record belongs to another model: {difference}; parameters must agree in path, shape and \
         order"
    )]
    OtherModel {
        /// The first difference.
        difference: String,
    },
    /// A record cannot be read or written.
    #[error("the record cannot be read or written: {message}")]
    Record {
        /// The cause.
        message: String,
    },
    /// A certificate failed, or gave a number that is not finite.
    #[error("the certificate failed: {message}; fix its cause and step again")]
    Certificate {
        /// The cause.
        message: String,
    },
    /// An average of no models.
    #[error("no model was averaged yet; call `update` at least once")]
    NothingAveraged,
    /// The loss or its gradient is invalid.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Parameters or vectors do not fit.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// The Hessian of the loss could not be made.
    #[error(transparent)]
    Curvature(#[from] CurvatureError),
    /// A mask of a model, or of a group, without weights.
    #[error(
        "none of the {parameters} trained parameters is a weight (rank two or more, outside normalization layers), so \
         that nothing can be pruned; pass a model or a parameter group with weights"
    )]
    NothingToPrune {
        /// Trained parameters of the model or the group.
        parameters: usize,
    },
    /// A mask belongs to another model.
    #[error(
        "the mask belongs to another model: {difference}; make one of this model with `WeightMask::of`"
    )]
    OtherMask {
        /// The first difference.
        difference: String,
    },
    /// Weights that cannot be ordered by size.
    #[error(
        "a weight of `{path}` is {value}, so that weights cannot be ordered by size; lower the learning rate, or prune \
         by an earlier model"
    )]
    NonFiniteWeight {
        /// The parameter.
        path: String,
        /// The weight.
        value: f64,
    },
    /// A pruned weight is not zero after training.
    #[error(
        "a pruned weight of `{path}` is {value} after training; train with a `MaskedOptimizer`, or apply the mask after \
         every step"
    )]
    Revived {
        /// The parameter.
        path: String,
        /// The weight.
        value: f64,
    },
    /// A training run given as a closure failed.
    #[error(
        "training of {num_kept} weights from step {step} with seed {seed} failed: {message}; check the training closure"
    )]
    Training {
        /// The first step of the run.
        step: usize,
        /// Number of kept weights.
        num_kept: usize,
        /// The seed of its search.
        seed: u64,
        /// The message of the closure.
        message: String,
    },
    /// Two initial models with the same weights.
    #[error(
        "the initial model of seed {seed} has the weights of an earlier one, so that they are no two draws; draw them \
         from the seed that the closure gets, or set `reinitialized` to false and use one seed"
    )]
    SameInitialization {
        /// The second seed.
        seed: u64,
    },
    /// A projection on no directions.
    #[error(
        "there are no directions to project gradients on; pass at least one, or use the base optimizer alone"
    )]
    NoDirections,
    /// A direction that those before it span.
    #[error(
        "direction {index} is in the span of those before it: a share of {share:e} of its length is outside, which is \
         rounding; leave it out, or pass one that is independent of them"
    )]
    DependentDirection {
        /// Its place in the list.
        index: usize,
        /// The share of its length outside of that span.
        share: f64,
    },
    /// The model is not at the point of its random subspace.
    #[error(
        "the model is at a distance of {distance} from the point of the subspace where the optimizer left it; step on \
         the model that the optimizer moved, load the state that was saved with this model, or begin a new subspace \
         there with `RandomSubspaceConfig::init`"
    )]
    OutsideSubspace {
        /// The Euclidean distance.
        distance: f64,
    },
}

impl WorkerError for OptimError {
    fn device_failure(&self) -> Option<String> {
        match self {
            Self::Loss(error) => error.device_failure(),
            Self::Space(error) => LossError::from(error.clone()).device_failure(),
            Self::Curvature(error) => error.device_failure(),
            _ => None,
        }
    }
}
