use std::io;

use serde::{Deserialize, Serialize};

use super::{PathError, PathLosses};
use crate::loss::{Mode, NormalizationPolicy};
use crate::writing;

/// The loss, and whatever else was asked for, along a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Profile {
    /// What became of running statistics.
    pub policy: NormalizationPolicy,
    /// The mode in which the models were evaluated.
    pub mode: Mode,
    /// The places, from 0 to 1.
    pub times: Vec<f64>,
    /// The length of the path up to each place, along the chords between them.
    pub lengths: Vec<f64>,
    /// The objective on the training data.
    pub train: PathLosses,
    /// The objective on the test data, if there are any.
    pub test: Option<PathLosses>,
    /// The metrics that were asked for.
    pub metrics: Vec<MetricProfile>,
    /// Passes over a data set, for losses and metrics. No gradient is taken.
    pub num_evaluations: usize,
    /// False if the observer stopped the profile: it then ends at the last place measured.
    pub completed: bool,
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

impl Profile {
    /// The length of the path along its chords. In parameter norm.
    pub fn length(&self) -> f64 {
        self.lengths.last().copied().unwrap_or(0.0)
    }

    /// The profile as one JSON object, every number with all its digits.
    ///
    /// # Errors
    ///
    /// [`PathError::Write`].
    pub fn to_json(&self) -> Result<String, PathError> {
        Ok(writing::json_string(self)?)
    }

    /// Writes the profile as one JSON object and a line break.
    ///
    /// # Errors
    ///
    /// [`PathError::Write`].
    pub fn write_json(&self, writer: impl io::Write) -> Result<(), PathError> {
        Ok(writing::json(self, writer)?)
    }

    /// Writes one line a place: `t,length,train_loss`, then `test_loss` and the metrics by their names, as far
    /// as there are any.
    ///
    /// # Errors
    ///
    /// [`PathError::Write`].
    pub fn write_csv(&self, writer: impl io::Write) -> Result<(), PathError> {
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
        Ok(writing::csv_of_columns(&columns, writer)?)
    }
}
