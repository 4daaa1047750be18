use std::io;

use serde::{Deserialize, Serialize};

use super::{Barriers, PathValues};
use crate::loss::{Mode, NormalizationPolicy};
use crate::writing::{Csv, FormatError, csv_of_columns, number};

/// The loss and metrics along a path, the result of a [`CurveProfileConfig`](super::CurveProfileConfig).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CurveProfile {
    /// How running statistics were treated.
    pub policy: NormalizationPolicy,
    /// The mode of the models.
    pub mode: Mode,
    /// The places, from 0 to 1.
    pub times: Vec<f64>,
    /// The length of the path up to each place, along the chords between places.
    #[serde(with = "number")]
    pub lengths: Vec<f64>,
    /// The loss on training data.
    pub train: PathValues,
    /// The loss on test data, with [`with_test`](super::CurveProfileConfig::with_test).
    pub test: Option<PathValues>,
    /// The metrics, in the order in which they were added.
    pub metrics: Vec<PathValues>,
    /// The cross-entropy at the best temperature of each place, with
    /// [`with_calibration`](super::CurveProfileConfig::with_calibration).
    pub calibrated: Option<PathValues>,
    /// The inverse of the best temperature at each place, from 0 to 1000; empty without calibration.
    pub inverse_temperatures: Vec<f64>,
    /// Passes over a data set for the values of this path. No gradient is taken.
    pub num_losses: usize,
    /// False if the observer stopped the measurement or its controls: the profile then ends at the last place
    /// measured.
    pub completed: bool,
    /// The straight line between the ends, with
    /// [controls](super::CurveProfileConfig::with_controls).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Box<CurveProfile>>,
    /// A straight line from the first end in a random direction, as long as the line between the ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random: Option<Box<CurveProfile>>,
}

impl CurveProfile {
    /// The barriers on the training data; none if the measurement was stopped before the end of the path.
    pub fn barriers(&self) -> Option<Barriers> {
        self.train.barriers
    }

    /// The length of the path along its chords, in parameter norm.
    pub fn length(&self) -> f64 {
        self.lengths.last().copied().unwrap_or(0.0)
    }
}

impl Csv for CurveProfile {
    /// One line for each place: `t,length,train_loss`, then `test_loss`, the metrics by name, and
    /// `calibrated_loss,inverse_temperature`, if measured. Controls are separate tables.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let mut columns: Vec<(String, &[f64])> =
            vec![("t".into(), &self.times), ("length".into(), &self.lengths)];
        let measured = [Some(&self.train), self.test.as_ref()]
            .into_iter()
            .flatten();
        let measured = measured.chain(&self.metrics).chain(&self.calibrated);
        columns.extend(measured.map(|path| (path.name.clone(), &path.values[..])));
        if self.calibrated.is_some() {
            columns.push(("inverse_temperature".into(), &self.inverse_temperatures));
        }
        Ok(csv_of_columns(&columns, writer)?)
    }
}
