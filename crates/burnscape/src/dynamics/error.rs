use std::io;

use thiserror::Error;

use crate::curvature::CurvatureError;
use crate::space::SpaceError;

/// What can go wrong while a run is monitored, or its history written and read.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DynamicsError {
    /// A number is outside its range.
    #[error("{name} is {value}; give {expected}")]
    OutOfRange {
        /// The setting or argument.
        name: &'static str,
        /// What it was set to.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// A measured number is NaN or infinite although the loss is finite.
    #[error(
        "{what} is {value} at step {step}; lower the learning rate, or measure in a type with a \
         larger range"
    )]
    NonFinite {
        /// What was measured.
        what: &'static str,
        /// When.
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
    /// A history could not be read.
    #[error("the text is no history: {message}; give what `to_json` wrote")]
    Read {
        /// What the reader said.
        message: String,
    },
    /// Writing failed.
    #[error("the history could not be written ({kind}): {message}; check the destination")]
    Write {
        /// What kind of failure it was.
        kind: io::ErrorKind,
        /// What the writer said.
        message: String,
    },
}

impl DynamicsError {
    /// Refuses a number that is not good.
    pub(super) fn check(
        name: &'static str,
        value: f64,
        expected: &'static str,
        is_good: bool,
    ) -> Result<(), Self> {
        match is_good {
            true => Ok(()),
            false => Err(Self::OutOfRange {
                name,
                value,
                expected,
            }),
        }
    }
}

impl From<io::Error> for DynamicsError {
    fn from(error: io::Error) -> Self {
        Self::Write {
            kind: error.kind(),
            message: error.to_string(),
        }
    }
}
