use thiserror::Error;

use crate::OutOfRange;
use crate::curvature::CurvatureError;
use crate::loss::LossError;
use crate::space::SpaceError;

/// A configuration that no optimizer can be built from.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum OptimConfigError {
    /// A setting is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// Active steps that end before they start.
    #[error("the active steps start at {start} and end at {end}; they must end later")]
    InvertedActiveSteps {
        /// First step inside.
        start: usize,
        /// First step after it.
        end: usize,
    },
    /// A learning-rate range of length zero or less.
    #[error(
        "the radius follows the learning rate from {lr_min} to {lr_max}; `lr_max` must be larger"
    )]
    InvertedLearningRates {
        /// Rate at which the radius is smallest.
        lr_min: f64,
        /// Rate at which it is largest.
        lr_max: f64,
    },
    /// Two parts that exclude each other.
    #[error("{first} cannot be combined with {second}; choose one")]
    Incompatible {
        /// One part.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}

/// What can go wrong in an optimizer's step. The model's weights are then unchanged.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum OptimError {
    /// The configuration itself is invalid.
    #[error(transparent)]
    Config(#[from] OptimConfigError),
    /// The variant looks at single examples, splits the batch, or traces the loss on it.
    #[error("{feature} needs the batch itself: call `step_on` with a batch and an objective")]
    NeedsBatch {
        /// What needs it.
        feature: &'static str,
    },
    /// The variant evaluates at points of its own choice.
    #[error("{feature} evaluates at points of its own: call `step` with a closure")]
    NeedsClosure {
        /// What needs it.
        feature: &'static str,
    },
    /// The variant has a memory, which a single call has not.
    #[error(
        "{feature} needs the step, the rate or the past, which `TrainStep::step` has not: use the \
         training strategy or a loop of your own"
    )]
    NeedsState {
        /// What needs it.
        feature: &'static str,
    },
    /// Points are compared by their losses, and the closure returns gradients alone.
    #[error("{feature} compares losses: let the closure return the loss, or `(loss, gradients)`")]
    NeedsLoss {
        /// What needs it.
        feature: &'static str,
    },
    /// `descend` was called without the gradient that the step needs.
    #[error(
        "this step needs the gradient at `Ascended::module`; pass it, or ask \
         `Ascended::wants_gradient` first"
    )]
    MissingGradient,
    /// A parameter occurs twice, and a Burn optimizer would move only its first occurrence.
    #[error(
        "`{first}` and `{second}` are one parameter, which Burn's optimizer would untie; share it \
         inside one field, or use `SamConfig::with_tied(TiedParameters::Restore)`"
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
        /// What the format said.
        message: String,
    },
    /// A certificate failed, or gave a number that is not finite.
    #[error("the point cannot be certified: {message}; no point is certified without a number")]
    Certificate {
        /// What went wrong.
        message: String,
    },
    /// An average was asked for before anything was averaged.
    #[error("no model was averaged yet; call `update` at least once")]
    NothingAveraged,
    /// The loss or its gradient was refused.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Parameter space refused.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// The Hessian of the loss could not be made.
    #[error(transparent)]
    Curvature(#[from] CurvatureError),
}
