use std::fmt;

use serde::Serialize;

use super::ReparameterizationConfig;
use crate::sharpness::report::{short, write_aligned};
use crate::sharpness::{Measure, SharpnessReport};
use crate::space::Scale;

/// What [`ReparameterizationConfig::run`] found: every measure at a model and at the rescaled one.
///
/// [`Display`](fmt::Display) is a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Reparameterization {
    /// The measures that both models have a number for.
    pub changes: Vec<MeasureChange>,
    /// The loss of the model.
    pub loss_before: f64,
    /// The loss of the rescaled model: the same to rounding.
    pub loss_after: f64,
    /// The measures of the model.
    pub before: SharpnessReport,
    /// The measures of the rescaled model; none if the observer stopped before.
    pub after: Option<SharpnessReport>,
    /// The configuration, seed included.
    pub config: ReparameterizationConfig,
    /// False if the observer stopped it.
    pub completed: bool,
}

/// How one measure changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MeasureChange {
    /// The measure.
    pub measure: Measure,
    /// The parameter that it is measured on, if not all.
    pub part: Option<String>,
    /// Its scale, where it has one.
    pub scale: Option<Scale>,
    /// At the model.
    pub before: f64,
    /// At the rescaled model.
    pub after: f64,
    /// `|after − before| / |before|`; 0 where both are zero.
    pub relative_change: f64,
    /// Whether that is more than the tolerance.
    pub moved: bool,
}

impl Reparameterization {
    pub(super) fn compare(
        config: &ReparameterizationConfig,
        [loss_before, loss_after]: [f64; 2],
        before: SharpnessReport,
        after: Option<SharpnessReport>,
    ) -> Self {
        let mut changes = Vec::new();
        let rows_after = after.as_ref().map_or(&[][..], |after| &after.rows);
        for row in &before.rows {
            let key = (row.measure, row.scale, &row.part);
            let mut others = rows_after.iter();
            let other = others.find(|other| (other.measure, other.scale, &other.part) == key);
            let (Some(was), Some(is)) = (row.value, other.and_then(|other| other.value)) else {
                continue;
            };
            let relative_change = match was == is {
                true => 0.0,
                false => (is - was).abs() / was.abs(),
            };
            changes.push(MeasureChange {
                measure: row.measure,
                part: row.part.clone(),
                scale: row.scale,
                before: was,
                after: is,
                relative_change,
                moved: relative_change > config.tolerance,
            });
        }
        Self {
            changes,
            loss_before,
            loss_after,
            completed: after.as_ref().is_some_and(|after| after.completed),
            config: config.clone(),
            before,
            after,
        }
    }

    /// The first change of a measure in a scale; `None` as the scale for measures without one.
    pub fn change(&self, measure: Measure, scale: Option<Scale>) -> Option<&MeasureChange> {
        let mut changes = self.changes.iter();
        changes.find(|change| change.measure == measure && change.scale == scale)
    }
}

impl fmt::Display for Reparameterization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "`{}` times {}, `{}` divided by it; loss {} and {}{}",
            self.config.first,
            self.config.alpha,
            self.config.second,
            short(self.loss_before),
            short(self.loss_after),
            match self.completed {
                true => "",
                false => "; stopped",
            }
        )?;
        let mut cells =
            vec![["measure", "scale", "before", "after", "change", ""].map(str::to_owned)];
        cells.extend(self.changes.iter().map(|change| {
            let name = match &change.part {
                Some(part) => format!("{} {part}", change.measure),
                None => change.measure.to_string(),
            };
            let scale = change.scale.map(|scale| scale.to_string());
            [
                name,
                scale.unwrap_or_default(),
                short(change.before),
                short(change.after),
                format!("{:.1e}", change.relative_change),
                if change.moved { "moved" } else { "stayed" }.to_owned(),
            ]
        }));
        write_aligned(f, &cells, [false, false, true, true, true, false])
    }
}
