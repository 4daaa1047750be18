use std::fmt;
use std::io;

use serde::Serialize;

use super::{Measure, SharpnessReportConfig, SharpnessRow};
use crate::sharpness::SharpnessError;
use crate::space::Scale;
use crate::writing;

/// All measures of one model in one table: see [`SharpnessReportConfig`].
///
/// [`Display`](fmt::Display) aligns it for reading, [`write_csv`](Self::write_csv) and
/// [`to_json`](Self::to_json) keep all digits.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SharpnessReport {
    /// The measures, in the order in which they were taken.
    pub rows: Vec<SharpnessRow>,
    /// The loss over the data.
    pub base_loss: f64,
    /// Number of parameters.
    pub num_parameters: usize,
    /// Examples in the data.
    pub num_examples: usize,
    /// Losses over the data, in all.
    pub num_losses: usize,
    /// Losses with gradients over the data, in all; making an operator counts as one.
    pub num_gradients: usize,
    /// Products with curvature matrices, in all; the two that check a new operator are counted.
    pub num_matvecs: usize,
    /// The configuration, seed included.
    pub config: SharpnessReportConfig,
    /// False if the observer stopped the report: measures that were not finished are left out.
    pub completed: bool,
}

impl SharpnessReport {
    /// The first row of a measure in a scale; `None` as the scale for measures without one.
    pub fn row(&self, measure: Measure, scale: Option<Scale>) -> Option<&SharpnessRow> {
        let mut rows = self.rows.iter();
        rows.find(|row| row.measure == measure && row.scale == scale)
    }

    /// The number of [`row`](Self::row).
    pub fn value(&self, measure: Measure, scale: Option<Scale>) -> Option<f64> {
        self.row(measure, scale)?.value
    }

    /// The report as one JSON object, every number with all its digits.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::Write`].
    pub fn to_json(&self) -> Result<String, SharpnessError> {
        Ok(serde_json::to_string(self).map_err(io::Error::from)?)
    }

    /// Writes one line a row:
    /// `measure,part,scale,setting,value,standard_error,losses,gradients,products,note`. Cells without
    /// a value are empty; numbers are in the shortest form that reads back to the same bits.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::Write`].
    pub fn write_csv(&self, writer: impl io::Write) -> Result<(), SharpnessError> {
        let header = [
            "measure",
            "part",
            "scale",
            "setting",
            "value",
            "standard_error",
            "losses",
            "gradients",
            "products",
            "note",
        ];
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let rows = self.rows.iter().map(|row| {
            [
                row.measure.to_string(),
                row.part.clone().unwrap_or_default(),
                scale_name(row),
                row.setting.clone(),
                number(row.value),
                number(row.standard_error),
                row.losses.to_string(),
                row.gradients.to_string(),
                row.products.to_string(),
                row.note.clone().unwrap_or_default(),
            ]
        });
        Ok(writing::csv(header, rows, writer)?)
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
            match self.completed {
                true => "",
                false => "; stopped",
            }
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
            let name = match &row.part {
                Some(part) => format!("{} {part}", row.measure),
                None => row.measure.to_string(),
            };
            [
                name,
                scale_name(row),
                row.setting.clone(),
                row.value.map(short).unwrap_or_default(),
                row.standard_error.map(short).unwrap_or_default(),
                row.note.clone().unwrap_or_default(),
            ]
        }));
        write_aligned(f, &cells, [false, false, false, true, true, false])
    }
}

/// Columns as wide as their widest cell, numbers to the right.
pub(in crate::sharpness) fn write_aligned<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    cells: &[[String; N]],
    to_the_right: [bool; N],
) -> fmt::Result {
    let width = |column: usize| {
        let lengths = cells.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    for row in cells {
        let line: Vec<String> = (0..N)
            .map(|column| {
                let (cell, width) = (&row[column], widths[column]);
                match to_the_right[column] {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                }
            })
            .collect();
        writeln!(f, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

/// Five digits.
pub(in crate::sharpness) fn short(value: f64) -> String {
    let size = value.abs();
    match size == 0.0 || (1e-3..1e5).contains(&size) {
        true => format!("{value:.5}"),
        false => format!("{value:.4e}"),
    }
}

fn scale_name(row: &SharpnessRow) -> String {
    row.scale.map(|scale| scale.to_string()).unwrap_or_default()
}
