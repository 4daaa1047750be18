use std::io;

use thiserror::Error;

use crate::loss::{LossError, Risk};
use crate::optim::OptimError;
use crate::space::SpaceError;

/// What can go wrong while a path is built, fitted, measured or written.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PathError {
    /// A place outside the path.
    #[error("t is {t}; a path is defined from 0 to 1")]
    TimeOutOfRange {
        /// The place asked for.
        t: f64,
    },
    /// A number is outside its range.
    #[error("{name} is {value}; give {expected}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// What it was set to.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// A curve with too few control points.
    #[error("{found} control points; give at least {needed}")]
    TooFewControlPoints {
        /// Number given.
        found: usize,
        /// Number needed.
        needed: usize,
    },
    /// There is nothing to fit.
    #[error(
        "a straight segment has no free control point; take a `BezierCurve` of degree 2 or more, or \
         a `PolygonalChain` with a bend"
    )]
    NothingToFit,
    /// Points that span less than they should.
    #[error(
        "the points are not in general position: {what}; give models that differ, of which none \
         lies in the span of the others"
    )]
    Degenerate {
        /// What is missing.
        what: &'static str,
    },
    /// The loss or a metric is NaN or infinite at a place of the path.
    #[error(
        "{what} is {value} in batch {batch} at t = {t}; look at that batch, re-estimate the \
         normalization statistics with a `NormalizationPolicy`, or lower the learning rate"
    )]
    NonFinite {
        /// `the loss`, or the name of a metric.
        what: String,
        /// Where on the path.
        t: f64,
        /// Index of the batch.
        batch: usize,
        /// The value.
        value: f64,
    },
    /// A batch cannot be used for a calibrated barrier.
    #[error(
        "{targets} targets for {outputs} outputs of {classes} classes; return logits \
         `[n, classes]` and one class below `classes` for each"
    )]
    BadTargets {
        /// Targets given.
        targets: usize,
        /// Rows of the logits.
        outputs: usize,
        /// Columns of the logits.
        classes: usize,
    },
    /// A checkpoint does not belong to this fit.
    #[error("the checkpoint is not one of this fit: {difference}; resume with the same settings")]
    OtherFit {
        /// The first difference.
        difference: String,
    },
    /// A training run given as a closure failed.
    #[error("training failed at step {step}: {message}; look at the closure given")]
    Training {
        /// The first step that it was asked for.
        step: usize,
        /// What it said.
        message: String,
    },
    /// Writing failed.
    #[error("the result could not be written ({kind}): {message}; check the destination")]
    Write {
        /// What kind of failure it was.
        kind: io::ErrorKind,
        /// What the writer said.
        message: String,
    },
    /// A fit is given a risk with a setting that it cannot follow.
    #[error(
        "{fit} moves every parameter, and the risk has a group; use a risk without `with_group`"
    )]
    Group {
        /// What was to be run.
        fit: &'static str,
    },
    /// The optimizer refused.
    #[error(transparent)]
    Optim(#[from] OptimError),
    /// The observer of the risk stopped the work before there was a result.
    #[error("the observer stopped the work before there was a result; let it go on for longer")]
    Stopped,
    /// The loss could not be evaluated.
    #[error(transparent)]
    Loss(LossError),
    /// Parameter space refused.
    #[error(transparent)]
    Space(#[from] SpaceError),
}

impl PathError {
    /// The error of an evaluation, with the place where it happened.
    pub(super) fn at(t: f64, what: &str) -> impl Fn(LossError) -> Self + '_ {
        move |error| match error {
            LossError::NonFinite { batch, value } => Self::NonFinite {
                what: what.to_string(),
                t,
                batch,
                value,
            },
            other => other.into(),
        }
    }
}

impl From<LossError> for PathError {
    fn from(error: LossError) -> Self {
        match error {
            LossError::Stopped { .. } => Self::Stopped,
            other => Self::Loss(other),
        }
    }
}

impl From<io::Error> for PathError {
    fn from(error: io::Error) -> Self {
        Self::Write {
            kind: error.kind(),
            message: error.to_string(),
        }
    }
}

/// Refuses a place outside the path.
pub(super) fn check_time(t: f64) -> Result<(), PathError> {
    if (0.0..=1.0).contains(&t) {
        Ok(())
    } else {
        Err(PathError::TimeOutOfRange { t })
    }
}

/// Refuses a risk that is restricted to some of the parameters, where all of them move.
pub(super) fn check_no_group<M, K>(
    fit: &'static str,
    risk: &Risk<'_, M, K>,
) -> Result<(), PathError> {
    match risk.has_group() {
        true => Err(PathError::Group { fit }),
        false => Ok(()),
    }
}

/// Refuses a number outside its range.
pub(super) fn check_range(
    name: &'static str,
    value: f64,
    expected: &'static str,
    is_valid: impl Fn(f64) -> bool,
) -> Result<(), PathError> {
    if value.is_finite() && is_valid(value) {
        Ok(())
    } else {
        Err(PathError::OutOfRange {
            name,
            value,
            expected,
        })
    }
}
