//! The measures of a report, one after the other.

use burn::module::Module;

use super::{SharpnessMeasure, SharpnessReport, SharpnessReportConfig, SharpnessRow};
use crate::loss::{Progress, Risk, Work};
use crate::sharpness::SharpnessError;
use crate::space::{Scale, SpaceError};

/// A report in the making.
pub(super) struct Run<'r, 'a, M, K> {
    pub(super) config: &'r SharpnessReportConfig,
    pub(super) risk: &'r Risk<'a, M, K>,
    pub(super) model: &'r M,
    pub(super) report: SharpnessReport,
    pub(super) done: usize,
    pub(super) total: usize,
    pub(super) is_stopped: bool,
}

impl<M: Module, K> Run<'_, '_, M, K> {
    /// Takes one measure, unless the run has been stopped.
    pub(super) fn take(
        &mut self,
        measure: SharpnessMeasure,
        scale: Option<Scale>,
        task: impl FnOnce(&Self, SharpnessRow) -> Result<Option<Vec<SharpnessRow>>, SharpnessError>,
    ) -> Result<(), SharpnessError> {
        if self.is_stopped {
            return Ok(());
        }
        // A break of earlier work does not stop this measure.
        let _ = self.risk.take_break();
        let rows = task(self, SharpnessRow::new(measure, scale));
        if !self.report.add(measure, scale, rows)? {
            self.is_stopped = true;
            return Ok(());
        }
        self.done += 1;
        let progress = Progress::new(Work::Measure, self.done).of(self.total);
        self.is_stopped = self.risk.take_break() || self.risk.report(progress).is_break();
        Ok(())
    }
}

impl SharpnessReport {
    /// Adds the rows of a measure and their cost. Returns false if there are none, because the observer stopped the
    /// measure. A number that cannot be measured at this model becomes a row that states the reason.
    pub(super) fn add(
        &mut self,
        measure: SharpnessMeasure,
        scale: Option<Scale>,
        rows: Result<Option<Vec<SharpnessRow>>, SharpnessError>,
    ) -> Result<bool, SharpnessError> {
        let rows = match rows {
            Err(SharpnessError::Stopped) | Ok(None) => return Ok(false),
            Err(error) if is_of_the_model(&error) => vec![SharpnessRow {
                note: Some(error.to_string()),
                ..SharpnessRow::new(measure, scale)
            }],
            Ok(Some(rows)) => rows,
            Err(error) => return Err(error),
        };
        self.num_losses += rows.iter().map(|row| row.num_losses).sum::<usize>();
        self.num_gradients += rows.iter().map(|row| row.num_gradients).sum::<usize>();
        self.num_matvecs += rows.iter().map(|row| row.num_matvecs).sum::<usize>();
        self.rows.extend(rows);
        Ok(true)
    }
}

/// Whether an error describes the loss around this model, rather than a mistake in the call.
fn is_of_the_model(error: &SharpnessError) -> bool {
    matches!(
        error,
        SharpnessError::Space(SpaceError::NothingToPerturb)
            | SharpnessError::NonFiniteSample { .. }
            | SharpnessError::NonFiniteStep { .. }
            | SharpnessError::NonFiniteGradient { .. }
            | SharpnessError::NegativeLoss { .. }
            | SharpnessError::Indefinite { .. }
            | SharpnessError::NoWeight { .. }
            | SharpnessError::Krylov(_)
    )
}
