use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use super::measure::{scale_name, title};
use super::{SharpnessMeasure, SharpnessReportConfig, SharpnessRow};
use crate::space::Scale;
use crate::writing::{csv, write_aligned};
use crate::{Csv, FormatError};

/// All measures of one model in one table: see [`SharpnessReportConfig`].
///
/// [`Display`](fmt::Display) aligns it for reading; [`Csv`] and [`Json`](crate::Json) keep all digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SharpnessReport {
    /// The measures, in the order of measurement.
    pub rows: Vec<SharpnessRow>,
    /// The loss over the data.
    pub base_loss: f64,
    /// Number of parameters.
    pub num_parameters: usize,
    /// Examples in the data.
    pub num_examples: usize,
    /// Losses over the data, in total.
    pub num_losses: usize,
    /// Losses with gradients over the data, in total; making the Hessian counts as one, and its check as another.
    pub num_gradients: usize,
    /// Products with curvature matrices, in total, including the two that check the Hessian.
    pub num_matvecs: usize,
    /// The configuration, seed included.
    pub config: SharpnessReportConfig,
    /// False if the observer stopped the report, which then has the finished measures only.
    pub completed: bool,
}

impl SharpnessReport {
    /// The first row of a measure in a scale; `None` as the scale for measures without one.
    pub fn row(&self, measure: SharpnessMeasure, scale: Option<Scale>) -> Option<&SharpnessRow> {
        let mut rows = self.rows.iter();
        rows.find(|row| row.measure == measure && row.scale == scale)
    }

    /// The number of [`row`](Self::row).
    pub fn value(&self, measure: SharpnessMeasure, scale: Option<Scale>) -> Option<f64> {
        self.row(measure, scale)?.value
    }
}

/// One line for each row. Cells without a value are empty.
impl Csv for SharpnessReport {
    fn write_csv(&self, writer: impl io::Write) -> Result<(), FormatError> {
        let header = [
            "measure",
            "part",
            "scale",
            "setting",
            "value",
            "standard_error",
            "num_losses",
            "num_gradients",
            "num_matvecs",
            "note",
        ];
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let rows = self.rows.iter().map(|row| {
            [
                row.measure.to_string(),
                row.part.clone().unwrap_or_default(),
                scale_name(row.scale),
                row.setting.clone(),
                number(row.value),
                number(row.standard_error),
                row.num_losses.to_string(),
                row.num_gradients.to_string(),
                row.num_matvecs.to_string(),
                row.note.clone().unwrap_or_default(),
            ]
        });
        Ok(csv(header, rows, writer)?)
    }
}

impl fmt::Display for SharpnessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "loss {} over {} examples, {} parameters; {} losses, {} gradients, {} products{}",
            short(self.base_loss),
            self.num_examples,
            self.num_parameters,
            self.num_losses,
            self.num_gradients,
            self.num_matvecs,
            if self.completed { "" } else { "; stopped" }
        )?;
        let mut cells = vec![
            [
                "measure",
                "scale",
                "setting",
                "value",
                "standard error",
                "note",
            ]
            .map(str::to_owned),
        ];
        cells.extend(self.rows.iter().map(|row| {
            [
                title(row.measure, row.part.as_deref()),
                scale_name(row.scale),
                row.setting.clone(),
                row.value.map(short).unwrap_or_default(),
                row.standard_error.map(short).unwrap_or_default(),
                row.note.clone().unwrap_or_default(),
            ]
        }));
        write_aligned(f, &cells, [false, false, false, true, true, false])
    }
}

/// Five digits.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-3..1e5).contains(&size) {
        format!("{value:.5}")
    } else {
        format!("{value:.4e}")
    }
}
