use std::io;

use serde::{Deserialize, Serialize};

use super::{Barriers, PathLosses};
use crate::loss::{Mode, NormalizationPolicy};
use crate::writing::{Csv, FormatError, csv_of_columns, number};

/// The loss and metrics along a path, as a [`CurveProfileConfig`](super::CurveProfileConfig) measured them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CurveProfile {
    /// How running statistics were treated.
    pub policy: NormalizationPolicy,
    /// The mode in which the models were evaluated.
    pub mode: Mode,
    /// The places, from 0 to 1.
    pub times: Vec<f64>,
    /// The length of the path up to each place, along the chords between them.
    #[serde(with = "number")]
    pub lengths: Vec<f64>,
    /// The objective on the training data.
    pub train: PathLosses,
    /// The objective on the test data, if there are any.
    pub test: Option<PathLosses>,
    /// The other metrics.
    pub metrics: Vec<MetricProfile>,
    /// Passes over a data set, for losses and metrics of this path. No gradient is taken.
    pub num_losses: usize,
    /// False if the observer stopped the measurement, controls included: the profile then ends at the last place
    /// measured.
    pub completed: bool,
    /// The straight line between the ends, with
    /// [controls](super::CurveProfileConfig::with_controls).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Box<CurveProfile>>,
    /// A straight line from the first end in a random direction, as long as the one between the ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random: Option<Box<CurveProfile>>,
}

/// A metric along a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MetricProfile {
    /// Its name.
    pub name: String,
    /// Its value at each place.
    pub values: Vec<f64>,
}

impl CurveProfile {
    /// The barriers on the training data; none if the measurement was stopped before the end of the path.
    pub fn barriers(&self) -> Option<Barriers> {
        self.train.barriers
    }

    /// The length of the path along its chords. In parameter norm.
    pub fn length(&self) -> f64 {
        self.lengths.last().copied().unwrap_or(0.0)
    }
}

impl Csv for CurveProfile {
    /// One line a place: `t,length,train_loss`, then `test_loss` and the metrics by their names, as far
    /// as there are any. Controls are tables of their own.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let mut columns: Vec<(String, &[f64])> = vec![
            ("t".into(), &self.times),
            ("length".into(), &self.lengths),
            ("train_loss".into(), &self.train.losses),
        ];
        if let Some(test) = &self.test {
            columns.push(("test_loss".into(), &test.losses));
        }
        for metric in &self.metrics {
            columns.push((metric.name.clone(), &metric.values));
        }
        Ok(csv_of_columns(&columns, writer)?)
    }
}
