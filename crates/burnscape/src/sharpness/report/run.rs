//! One measure after the other, under the eyes of an observer.

use std::ops::ControlFlow;

use super::{Measure, SharpnessRow};
use crate::sharpness::{PerturbationScale, SharpnessError};

/// A step of a report, as an observer sees it: after every sample, step or product of a measure.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReportStep {
    /// The measure under way.
    pub measure: Measure,
    /// Its scale, where it has one.
    pub scale: Option<PerturbationScale>,
    /// Samples, steps or products of this measure so far.
    pub steps: usize,
    /// Measures done before it.
    pub done: usize,
    /// Measures planned.
    pub total: usize,
}

/// What a measure calls after each of its steps.
pub(super) type Tick<'t> = dyn FnMut() -> ControlFlow<()> + 't;

/// The rows of a measure, and whether it was finished.
pub(super) struct Outcome {
    pub(super) rows: Vec<SharpnessRow>,
    pub(super) completed: bool,
}

/// The rows so far, and who looks on.
pub(super) struct Run<'r> {
    pub(super) rows: Vec<SharpnessRow>,
    pub(super) done: usize,
    pub(super) total: usize,
    pub(super) stopped: bool,
    pub(super) observe: &'r mut dyn FnMut(&ReportStep) -> ControlFlow<()>,
}

impl Run<'_> {
    /// Takes one measure, unless the observer has stopped the run. A number that cannot be had at
    /// this model becomes a row that says why; the other measures still stand.
    pub(super) fn take(
        &mut self,
        measure: Measure,
        scale: Option<PerturbationScale>,
        task: impl FnOnce(&mut Tick<'_>) -> Result<Outcome, SharpnessError>,
    ) -> Result<(), SharpnessError> {
        if self.stopped {
            return Ok(());
        }
        let (done, total) = (self.done, self.total);
        let (mut steps, mut stopped) = (0, false);
        let observe = &mut self.observe;
        let mut tick = || {
            steps += 1;
            let flow = observe(&ReportStep {
                measure,
                scale,
                steps,
                done,
                total,
            });
            stopped = flow.is_break();
            flow
        };
        let outcome = match task(&mut tick) {
            Err(SharpnessError::Stopped) => Outcome {
                rows: Vec::new(),
                completed: false,
            },
            Err(error) if is_of_the_model(&error) => {
                let row = SharpnessRow::new(measure, scale);
                Outcome {
                    rows: vec![row.note_unless(false, &error.to_string())],
                    completed: true,
                }
            }
            other => other?,
        };
        if outcome.completed {
            self.rows.extend(outcome.rows);
            self.done += 1;
        }
        self.stopped = stopped;
        Ok(())
    }
}

/// Whether an error says something about the loss around this model, rather than about the call.
fn is_of_the_model(error: &SharpnessError) -> bool {
    matches!(
        error,
        SharpnessError::NothingToPerturb
            | SharpnessError::NonFiniteSample { .. }
            | SharpnessError::NonFiniteStep { .. }
            | SharpnessError::NonFiniteGradient { .. }
            | SharpnessError::NegativeLoss { .. }
            | SharpnessError::Indefinite { .. }
            | SharpnessError::NoWeight { .. }
            | SharpnessError::Krylov(_)
    )
}
