use thiserror::Error;

use crate::loss::LossError;
use crate::space::SpaceError;

/// A slice that cannot be taken.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LandscapeError {
    /// A direction leads nowhere.
    #[error(
        "direction {index} has norm {norm}; a filter-normalized direction is zero where the model \
         has no weights with filters: use `UnfilteredRule::AsOneFilter`, or another direction"
    )]
    NoDirection {
        /// 0 for the first direction, 1 for the second.
        index: usize,
        /// Its norm.
        norm: f64,
    },
    /// Two directions that were to be made orthogonal are parallel.
    #[error(
        "the two directions are parallel (cosine {cosine}), so they span no plane; draw the second \
         with another seed"
    )]
    Parallel {
        /// The cosine between them.
        cosine: f64,
    },
    /// The observer of the risk stopped the work before there was a result.
    #[error("the observer stopped the work before there was a result; let it run longer")]
    Stopped,
    /// The loss could not be evaluated.
    #[error(transparent)]
    Loss(LossError),
    /// Parameter space refused.
    #[error(transparent)]
    Space(#[from] SpaceError),
}

impl From<LossError> for LandscapeError {
    fn from(error: LossError) -> Self {
        match error {
            LossError::Stopped { .. } => Self::Stopped,
            other => Self::Loss(other),
        }
    }
}
