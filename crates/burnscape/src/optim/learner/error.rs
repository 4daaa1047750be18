use std::path::PathBuf;

use burn::train::TrainingError;
use burn::train::checkpoint::CheckpointerError;
use thiserror::Error;

use crate::optim::OptimError;

/// What ends a training. Burn's own error has no room for it but a message, so this stays private.
#[derive(Debug, Error)]
pub(super) enum StrategyError {
    #[error("a sharpness-aware step failed: {0}")]
    Step(#[from] OptimError),
    #[error(
        "{feature} has a memory that Burn's checkpoints leave out; give `with_checkpoints` the \
         directory they are in"
    )]
    NoDirectory { feature: &'static str },
    #[error(
        "{feature} cannot resume without its record `{}`; resume from an epoch that has one, or \
         start anew (`ActiveSteps` delays the ascents of a run)",
        path.display()
    )]
    MissingRecord {
        feature: &'static str,
        path: PathBuf,
    },
    #[error("the record `{}` is refused: {error}", path.display())]
    Record {
        path: PathBuf,
        error: Box<OptimError>,
    },
    #[error("{feature} compares losses: say where the loss is with `with_loss`")]
    NeedsLoss { feature: &'static str },
}

impl From<StrategyError> for TrainingError {
    fn from(error: StrategyError) -> Self {
        // The only variant with a text of one's own.
        Self::Checkpoint(CheckpointerError::Unknown(error.to_string()))
    }
}
