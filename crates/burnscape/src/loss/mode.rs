use serde::{Deserialize, Serialize};

/// The mode in which a model is evaluated.
///
/// Measurements set the mode on a copy; the user's model does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Mode {
    /// Dropout is off, and normalization uses running statistics: the function that is deployed.
    #[default]
    Eval,
    /// Dropout is on, and normalization uses the statistics of the batch: the function that is trained. The running
    /// statistics of the user's model do not change.
    Train,
}
