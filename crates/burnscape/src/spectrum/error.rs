use std::io;

use burnscape_krylov::{HostError, KrylovError};
use thiserror::Error;

use crate::curvature::CurvatureError;
use crate::space::SpaceError;

/// Why a question about a spectrum has no answer.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SpectrumError {
    /// The operator failed, or a product is not finite, or more was asked for than there is.
    #[error(transparent)]
    Krylov(KrylovError<CurvatureError>),
    /// The operator's gradient could not be had.
    #[error(transparent)]
    Curvature(CurvatureError),
    /// Parameter space refused.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// A setting on the host is out of range.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A number is outside its range.
    #[error("{name} is {value}; give {expected}")]
    OutOfRange {
        /// The argument.
        name: &'static str,
        /// What it was.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// An observer stopped the work before there was a result.
    #[error("the observer stopped the work before there was a result; let it go on for longer")]
    Stopped,
    /// A result could not be written.
    #[error("cannot write the result: {message}; check the path and the space left")]
    Write {
        /// What the system said.
        message: String,
    },
}

impl From<CurvatureError> for SpectrumError {
    fn from(error: CurvatureError) -> Self {
        match error {
            CurvatureError::Stopped { .. } => Self::Stopped,
            other => Self::Curvature(other),
        }
    }
}

impl From<KrylovError<CurvatureError>> for SpectrumError {
    fn from(error: KrylovError<CurvatureError>) -> Self {
        match error {
            KrylovError::Operator(error) => error.into(),
            other => Self::Krylov(other),
        }
    }
}

impl From<io::Error> for SpectrumError {
    fn from(error: io::Error) -> Self {
        Self::Write {
            message: error.to_string(),
        }
    }
}

/// Refuses what is not a positive, finite number.
pub(super) fn check_positive(name: &'static str, value: f64) -> Result<(), SpectrumError> {
    match value > 0.0 && value.is_finite() {
        true => Ok(()),
        false => Err(SpectrumError::OutOfRange {
            name,
            value,
            expected: "a finite number > 0",
        }),
    }
}

/// Refuses what is not a probability that an interval can have.
pub(super) fn check_probability(name: &'static str, value: f64) -> Result<(), SpectrumError> {
    match value > 0.0 && value < 1.0 {
        true => Ok(()),
        false => Err(SpectrumError::OutOfRange {
            name,
            value,
            expected: "a number between 0 and 1",
        }),
    }
}
