use std::collections::BTreeMap;

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
    /// The parameters that no layer has, each with the reason why it is left as it is: its channels are those of the
    /// outputs, a normalization behind it is repaired in its place, or it belongs to no layer that was recognized, as
    /// embeddings and weights that are computed from parameters. Every parameter that a group permutes is here or in a
    /// layer.
    pub left: BTreeMap<String, String>,
    /// Whether an observer let the repair finish. Otherwise the layers that it did not reach are missing.
    pub completed: bool,
    /// Batches in a pass.
    pub num_batches: usize,
}

impl RepairReport {
    /// The layers without a shift. Their means were not restored, but multiplied by the factors of the channels.
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
    /// The path of the bias or shift. Without one, the mean of a channel is not restored, but multiplied by its factor.
    pub shift: Option<String>,
    /// The number of channels.
    pub num_channels: usize,
    /// The channels of the merged model without a deviation, up to rounding. They keep their scale.
    pub dead: Vec<usize>,
    /// The smallest factor of a channel. It is 1 for channels that keep their scale.
    #[serde(with = "number")]
    pub smallest_factor: f64,
    /// The largest factor of a channel. If it is many times the others, the channel was nearly dead, and its factor
    /// multiplies rounding errors and whatever the data did not show.
    #[serde(with = "number")]
    pub largest_factor: f64,
    /// The deviation of the merged model relative to the restored one, as the mean over the channels that have both. Below
    /// 1: the variance of the merged units has collapsed. NaN if no channel has both.
    #[serde(with = "number")]
    pub deviation_ratio: f64,
}
