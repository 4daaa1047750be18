use serde::{Deserialize, Serialize};

use crate::writing::number;

/// A model with repaired layers, the result of [`RepairConfig::run`](super::RepairConfig::run).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Repaired<M> {
    /// The merged model with other scales and shifts. Everything else is as it was, and no state is shared.
    pub model: M,
    /// What was repaired.
    pub report: RepairReport,
}

/// What a repair has done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RepairReport {
    /// The layers that were repaired, in the order of the program.
    pub layers: Vec<RepairedLayer>,
    /// Parameters of layers that were left as they are, because no group permutes their channels: those of the outputs,
    /// for instance. Also of layers whose channels are not scaled one by one.
    pub left: Vec<String>,
    /// Batches in a pass.
    pub num_batches: usize,
}

impl RepairReport {
    /// The layers without a shift, whose means were not restored.
    pub fn without_shift(&self) -> impl Iterator<Item = &RepairedLayer> {
        self.layers.iter().filter(|layer| layer.shift.is_none())
    }
}

/// A layer that was repaired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RepairedLayer {
    /// The paths of the parameters that scale the channels: a weight, or the gain of a normalization.
    pub scale: Vec<String>,
    /// The path of the bias or shift. Without one, means are not restored.
    pub shift: Option<String>,
    /// The number of channels.
    pub num_channels: usize,
    /// The channels of the merged model without a deviation, up to rounding. They keep their scale.
    pub dead: Vec<usize>,
    /// The deviation of the merged model relative to the restored one, as the mean over the channels that have both. Below
    /// 1: the variance of the merged units has collapsed. NaN if no channel has both.
    #[serde(with = "number")]
    pub deviation_ratio: f64,
}
