use serde::{Deserialize, Serialize};

use crate::writing::number;

/// What a [`Trajectory`](super::Trajectory) knows of one of its models.
///
/// Numbers from a directory are read by `serde_json`: their last binary place may differ from what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The step of the training. The model is that before the step.
    pub step: usize,
    /// The learning rate of the step; none for a model in memory.
    pub lr: Option<f64>,
    /// The loss of the model, by the risk of the log; none for a model in memory.
    #[serde(with = "number")]
    pub loss: Option<f64>,
    /// The metrics of the log, by name.
    pub metrics: Vec<(String, f64)>,
    /// The name of its file; none for a model in memory.
    pub file: Option<String>,
}
