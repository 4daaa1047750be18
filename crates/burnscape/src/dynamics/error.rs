use thiserror::Error;

use crate::OutOfRange;
use crate::curvature::CurvatureError;
use crate::space::SpaceError;

/// A measurement that cannot be made.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DynamicsError {
    /// A setting or an argument is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A measured number is NaN or infinite, although the loss is finite.
    #[error(
        "{what} is {value} at step {step}; lower the learning rate, or measure in a type with a \
         larger range"
    )]
    NonFinite {
        /// The measured number.
        what: &'static str,
        /// The step.
        step: usize,
        /// The value.
        value: f64,
    },
    /// The Hessian could not be made or multiplied.
    #[error(transparent)]
    Curvature(#[from] CurvatureError),
    /// Vectors of another model.
    #[error(transparent)]
    Space(#[from] SpaceError),
}
