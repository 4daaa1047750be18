use serde::{Deserialize, Serialize};

use crate::dynamics::{Cost, Quantity, Reading};
use crate::writing::number;

/// What a [`TrajectoryLog`](super::TrajectoryLog) measured, and where the checkpoint is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrajectoryReading {
    /// The loss of the model, NaN or infinite where it is.
    #[serde(with = "number")]
    pub loss: f64,
    /// The metrics, by name.
    #[serde(with = "number")]
    pub metrics: Vec<(String, f64)>,
    /// The name of the checkpoint's file; none if [`Thinning::Moved`](super::Thinning::Moved) left it out. Later
    /// measurements may delete it.
    pub file: Option<String>,
    /// `|θ − θ'| / |θ'|`, with `θ'` the last checkpoint that was written. Only with
    /// [`Thinning::Moved`](super::Thinning::Moved), and not of the first one.
    #[serde(with = "number")]
    pub distance: Option<f64>,
}

const QUANTITIES: &[Quantity<TrajectoryReading>] = &[
    Quantity {
        name: "loss",
        description: "loss of the checkpoint on the log's data",
        value: |reading| Some(reading.loss),
    },
    Quantity {
        name: "distance",
        description: "distance from the last checkpoint that was written, in its length",
        value: |reading| reading.distance,
    },
];

impl Reading for TrajectoryReading {
    fn quantities() -> &'static [Quantity<Self>] {
        QUANTITIES
    }

    /// A pass over the data of the loss, and one over those of each metric.
    fn cost(&self) -> Cost {
        Cost {
            num_losses: 1 + self.metrics.len(),
            ..Cost::default()
        }
    }
}
