use std::io;

use serde::{Deserialize, Serialize};

use super::{CurvatureReading, rows};
use crate::writing::{Csv, FormatError, csv};

/// The readings of a [`CurvatureMonitor`](super::CurvatureMonitor), in the order they were taken.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::{CurvatureHistory, CurvatureMonitorConfig};
/// use burnscape::prelude::*;
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
/// # Ok::<(), Box<dyn std::error::Error>>(())
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

    /// Whether the history is empty.
    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
    }

    pub(super) fn push(&mut self, reading: CurvatureReading) {
        self.readings.push(reading);
    }
}

impl Csv for CurvatureHistory {
    /// A line for each reading, with the fields of [`CurvatureReading`] in their order. What a reading does
    /// not have is an empty cell.
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let readings = self.readings.iter().map(rows::row);
        Ok(csv(rows::HEADER, readings, writer)?)
    }
}
