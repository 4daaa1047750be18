use burnscape_topology::TopologyError;
use thiserror::Error;

use crate::OutOfRange;
use crate::loss::{LossError, Risk, WorkerError};
use crate::optim::OptimError;
use crate::space::SpaceError;

/// A path that cannot be built, fitted or measured.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PathError {
    /// A setting or an argument is outside its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A fit of a straight line.
    #[error(
        "a straight line has no free control point; use a `BezierCurve` of degree 2 or more, or \
         a `PolygonalChain` with a bend"
    )]
    NothingToFit,
    /// Points that do not span enough dimensions.
    #[error(
        "the points are not in general position: {what}; give models that differ, of which none \
         lies in the span of the others"
    )]
    Degenerate {
        /// The defect.
        what: &'static str,
    },
    /// The loss or a metric is NaN or infinite at a place of the path.
    #[error(
        "{what} is {value} in batch {batch} at t = {t}; look at that batch, re-estimate the \
         normalization statistics with a `NormalizationPolicy`, or lower the learning rate"
    )]
    NonFinite {
        /// The loss, or the name of a metric.
        what: String,
        /// Where on the path.
        t: f64,
        /// Index of the batch.
        batch: usize,
        /// The value.
        value: f64,
    },
    /// A batch that cannot be calibrated.
    #[error(
        "{targets} labels for {outputs} outputs of {classes} classes, or labels out of range; return \
         logits `[n, classes]` and `n` labels below `classes`"
    )]
    BadTargets {
        /// Number of labels.
        targets: usize,
        /// Rows of logits.
        outputs: usize,
        /// Columns of logits.
        classes: usize,
    },
    /// The record of another fit.
    #[error("the record belongs to another fit: {difference}; resume with the same settings")]
    OtherFit {
        /// The first difference.
        difference: String,
    },
    /// A training run given as a closure failed.
    #[error("training failed at step {step}: {message}; check the training closure")]
    Training {
        /// The first step of the run that failed.
        step: usize,
        /// The message of the closure.
        message: String,
    },
    /// A fit of a risk with a parameter group.
    #[error(
        "{fit} moves every parameter, and the risk has a group; use a risk without `with_group`"
    )]
    Group {
        /// The fit.
        fit: &'static str,
    },
    /// A profile that ends before its path.
    #[error(
        "the profile of the path from model {first} to model {second} was stopped at t = {t}, and the path may be \
         higher after it; measure it to its end"
    )]
    StoppedProfile {
        /// The model at which the path starts.
        first: usize,
        /// The model at which it ends.
        second: usize,
        /// The last place measured.
        t: f64,
    },
    /// A profile whose ends are not the models that it is said to join.
    #[error(
        "the path from model {first} to model {second} has losses {found:?} at its ends, and these models have \
         {expected:?}; pass the profile of a path between them, or the losses measured with the data, mode and \
         `NormalizationPolicy` of the profile"
    )]
    OtherEnds {
        /// The model at which the path starts.
        first: usize,
        /// The model at which it ends.
        second: usize,
        /// The losses of the two models.
        expected: [f64; 2],
        /// The losses at the ends of the profile.
        found: [f64; 2],
    },
    /// Models and paths that are no graph.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The optimizer failed.
    #[error(transparent)]
    Optim(#[from] OptimError),
    /// The observer of the risk stopped the work before there was a result.
    #[error("the observer stopped the work before there was a result; let it run longer")]
    Stopped,
    /// The loss could not be evaluated.
    #[error(transparent)]
    Loss(LossError),
    /// Parameters that do not match.
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

impl WorkerError for PathError {
    fn device_failure(&self) -> Option<String> {
        match self {
            Self::Loss(error) => error.device_failure(),
            Self::Space(error) => LossError::from(error.clone()).device_failure(),
            _ => None,
        }
    }
}

/// Refuses a risk that is restricted to some of the parameters, where all of them move.
pub(super) fn check_no_group<M, K>(
    fit: &'static str,
    risk: &Risk<'_, M, K>,
) -> Result<(), PathError> {
    if risk.has_group() {
        Err(PathError::Group { fit })
    } else {
        Ok(())
    }
}
