use thiserror::Error;

use crate::loss::LossError;
use crate::space::SpaceError;

/// A slice that cannot be taken.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LandscapeError {
    /// A direction without a length.
    #[error(
        "direction {index} has norm {norm}; use another direction, or `UnfilteredRule::AsOneFilter` \
         if it is filter-normalized and the model has no weights with filters"
    )]
    NoDirection {
        /// 0 for the first direction, 1 for the second.
        index: usize,
        /// Its norm.
        norm: f64,
    },
    /// Parallel directions that cannot be made orthogonal.
    #[error(
        "both directions are parallel (cosine {cosine}) and span no plane; draw the second one \
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
    /// Parameters that do not match.
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
