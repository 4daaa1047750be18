use thiserror::Error;

use super::Need;
use crate::OutOfRange;
use crate::curvature::CurvatureError;
use crate::loss::LossError;
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
}
