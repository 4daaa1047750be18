use std::io;

use serde::{Deserialize, Serialize};

use super::{CurvatureReading, DynamicsError, rows};
use crate::writing;

/// The readings of a [`CurvatureMonitor`](super::CurvatureMonitor), in the order they were taken.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::{CurvatureHistory, CurvatureMonitorConfig};
/// use burnscape::loss::Risk;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
/// let mut monitor = CurvatureMonitorConfig::new(1).init()?;
/// let data = [Tensor::<2>::ones([4, 2], &device)];
/// monitor.measure(&Risk::new(&loss, &data), &model, 0, 0.1)?;
///
/// let text = monitor.history().to_json()?;
/// assert_eq!(CurvatureHistory::from_json(&text)?.len(), 1);
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CurvatureHistory {
    readings: Vec<CurvatureReading>,
}

impl CurvatureHistory {
    /// The readings, oldest first.
    pub fn readings(&self) -> &[CurvatureReading] {
        &self.readings
    }

    /// The latest reading.
    pub fn last(&self) -> Option<&CurvatureReading> {
        self.readings.last()
    }

    /// Number of readings.
    pub fn len(&self) -> usize {
        self.readings.len()
    }

    /// Whether nothing was measured yet.
    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
    }

    pub(super) fn push(&mut self, reading: CurvatureReading) {
        self.readings.push(reading);
    }

    /// Writes JSON, one object with the list `readings`, numbers in the shortest form that a correctly
    /// rounding reader reads back to the same bits.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::Write`].
    pub fn write_json(&self, writer: impl io::Write) -> Result<(), DynamicsError> {
        Ok(writing::json(self, writer)?)
    }

    /// The JSON of [`write_json`](Self::write_json), without the line end.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::Write`].
    pub fn to_json(&self) -> Result<String, DynamicsError> {
        Ok(serde_json::to_string(self).map_err(io::Error::from)?)
    }

    /// Reads what [`to_json`](Self::to_json) wrote. `serde_json` may be off in the last binary place of a
    /// number, unless its feature `float_roundtrip` is on.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::Read`].
    pub fn from_json(text: &str) -> Result<Self, DynamicsError> {
        serde_json::from_str(text).map_err(|error| DynamicsError::Read {
            message: error.to_string(),
        })
    }

    /// Writes CSV: a header, and a line for each reading, with the fields of [`CurvatureReading`] in
    /// their order. What a reading does not have is an empty cell; numbers are as in JSON.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::Write`].
    pub fn write_csv(&self, writer: impl io::Write) -> Result<(), DynamicsError> {
        let readings = self.readings.iter().map(rows::row);
        Ok(writing::csv(rows::HEADER, readings, writer)?)
    }
}
