//! One measure after the other.

use super::{Measure, SharpnessRow};
use crate::loss::{Progress, Risk, Work};
use crate::sharpness::SharpnessError;
use crate::space::{Scale, SpaceError};

/// The rows of a measure, and whether it was finished.
pub(super) struct Measured {
    pub(super) rows: Vec<SharpnessRow>,
    pub(super) completed: bool,
}

/// The rows so far.
pub(super) struct Run {
    pub(super) rows: Vec<SharpnessRow>,
    pub(super) done: usize,
    pub(super) total: usize,
    pub(super) stopped: bool,
}

impl Run {
    /// Takes one measure, unless the run has been stopped. A number that cannot be had at this model becomes
    /// a row that says why; the other measures still stand.
    pub(super) fn take<M, K>(
        &mut self,
        risk: &Risk<'_, M, K>,
        (measure, scale): (Measure, Option<Scale>),
        task: impl FnOnce() -> Result<Measured, SharpnessError>,
    ) -> Result<(), SharpnessError> {
        if self.stopped {
            return Ok(());
        }
        // Of work before.
        let _ = risk.take_break();
        let outcome = match task() {
            Err(SharpnessError::Stopped) => Measured {
                rows: Vec::new(),
                completed: false,
            },
            Err(error) if is_of_the_model(&error) => {
                let row = SharpnessRow::new(measure, scale);
                Measured {
                    rows: vec![row.note_unless(false, &error.to_string())],
                    completed: true,
                }
            }
            other => other?,
        };
        if !outcome.completed {
            self.stopped = true;
            return Ok(());
        }
        self.rows.extend(outcome.rows);
        self.done += 1;
        let progress = Progress::new(Work::Measure, self.done).of(self.total);
        self.stopped = risk.take_break() || risk.report(progress).is_break();
        Ok(())
    }
}

/// Whether an error says something about the loss around this model, rather than about the call.
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
