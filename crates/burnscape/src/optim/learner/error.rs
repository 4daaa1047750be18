use burn::train::TrainingError;
use burn::train::checkpoint::CheckpointerError;
use thiserror::Error;

use crate::optim::OptimError;

/// The end of a training. Burn's own error carries a message only, so this does too.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct StrategyError(pub(super) String);

impl From<OptimError> for StrategyError {
    fn from(error: OptimError) -> Self {
        Self(format!("a sharpness-aware step failed: {error}"))
    }
}

impl From<StrategyError> for TrainingError {
    fn from(error: StrategyError) -> Self {
        // The only variant with a free text.
        Self::Checkpoint(CheckpointerError::Unknown(error.0))
    }
}
