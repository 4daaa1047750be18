use std::fmt;

use serde::{Deserialize, Serialize};

use super::measure::{scale_name, title};
use super::table::short;
use super::{SharpnessMeasure, SharpnessReport};
use crate::space::Scale;
use crate::writing::{number, write_aligned};

/// Two reports, measure by measure: see [`SharpnessReport::compare`].
///
/// [`Display`](fmt::Display) is a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SharpnessComparison {
    /// The measures that both reports have a number for.
    pub changes: Vec<SharpnessChange>,
    /// The loss of the first report.
    pub loss_before: f64,
    /// The loss of the second.
    pub loss_after: f64,
}

/// How one measure changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SharpnessChange {
    /// The measure.
    pub measure: SharpnessMeasure,
    /// The parameter that it is measured on, if not all.
    pub part: Option<String>,
    /// Its scale, where it has one.
    pub scale: Option<Scale>,
    /// The number in the first report.
    #[serde(with = "number")]
    pub before: f64,
    /// The number in the second.
    #[serde(with = "number")]
    pub after: f64,
    /// `|after − before| / |before|`; 0 if both are zero.
    #[serde(with = "number")]
    pub relative_change: f64,
}

impl SharpnessReport {
    /// Compares the report with a second one, for instance of a [rescaled](crate::sharpness::rescale_relu_pair) or a
    /// trained model. Use the same seed for both, so that the noise is the same.
    pub fn compare(&self, after: &Self) -> SharpnessComparison {
        let mut changes = Vec::new();
        for row in &self.rows {
            let key = (row.measure, row.scale, &row.part);
            let mut others = after.rows.iter();
            let other = others.find(|other| (other.measure, other.scale, &other.part) == key);
            let (Some(before), Some(after)) = (row.value, other.and_then(|other| other.value))
            else {
                continue;
            };
            let relative_change = if before == after {
                0.0
            } else {
                (after - before).abs() / before.abs()
            };
            changes.push(SharpnessChange {
                measure: row.measure,
                part: row.part.clone(),
                scale: row.scale,
                before,
                after,
                relative_change,
            });
        }
        SharpnessComparison {
            changes,
            loss_before: self.base_loss,
            loss_after: after.base_loss,
        }
    }
}

impl SharpnessComparison {
    /// The first change of a measure in a scale; `None` as the scale for measures without one.
    pub fn change(
        &self,
        measure: SharpnessMeasure,
        scale: Option<Scale>,
    ) -> Option<&SharpnessChange> {
        let mut changes = self.changes.iter();
        changes.find(|change| change.measure == measure && change.scale == scale)
    }
}

impl fmt::Display for SharpnessComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = [self.loss_before, self.loss_after].map(short);
        writeln!(f, "loss {before} and {after}")?;
        let mut cells = vec![["measure", "scale", "before", "after", "change"].map(str::to_owned)];
        cells.extend(self.changes.iter().map(|change| {
            [
                title(change.measure, change.part.as_deref()),
                scale_name(change.scale),
                short(change.before),
                short(change.after),
                format!("{:.1e}", change.relative_change),
            ]
        }));
        write_aligned(f, &cells, [false, false, true, true, true])
    }
}
