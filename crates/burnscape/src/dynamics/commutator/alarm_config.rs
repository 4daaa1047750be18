use std::ops::Bound;

use burn::config::Config;

use super::{Alarm, AlarmPoint};
use crate::OutOfRange;
use crate::dynamics::DynamicsError;
use crate::range::ensure;

/// Whether a rise of a number announces that a run will generalize, judged beside a run that never does.
///
/// A run has memorized at the first step with a training accuracy of [`memorized`](Self::memorized), and generalized at the
/// first one with a test accuracy of [`generalized`](Self::generalized). The alarm is the first reading after memorization
/// that is at least `factor` times the least one between memorization and itself. A baseline from before memorization, when
/// everything is still in motion, would tell about memorization.
///
/// The control is a run that memorizes and never generalizes, without weight decay for instance. An alarm that it gives as
/// well is false. One pair of runs may show that an alarm fails, not that it works: for a rate of false alarms, take many
/// seeds. In a transformer that learned to add modulo 59, the [commutator](super::CommutatorConfig) rose while it
/// memorized, with weight decay and without.
///
/// # Errors
///
/// [`DynamicsError::OutOfRange`] for a factor that is not above 1, accuracies outside 0 to 1, readings that are negative or
/// not finite, steps that do not ascend, a run without points; and for a control without points, one that generalizes, one
/// that does not memorize, and one that ends before the step of the run's alarm, or is watched after it memorizes for fewer
/// steps than the run until its alarm.
///
/// # Defaults
///
/// Memorized at 0.99, generalized at 0.5: ours.
///
/// # Example
///
/// ```
/// use burnscape::dynamics::{AlarmConfig, AlarmPoint};
///
/// let point = |step, value, train_accuracy, test_accuracy| AlarmPoint {
///     step,
///     value,
///     train_accuracy,
///     test_accuracy,
/// };
/// let run = [
///     point(0, 5.0, 0.1, 0.1),
///     point(100, 1.0, 1.0, 0.1),
///     point(200, 2.5, 1.0, 0.2),
///     point(300, 3.0, 1.0, 0.9),
/// ];
/// let control = [point(0, 5.0, 0.1, 0.1), point(100, 1.2, 1.0, 0.1), point(300, 1.4, 1.0, 0.1)];
/// let alarm = AlarmConfig::new(2.0).run(&run, &control)?;
/// assert_eq!((alarm.step, alarm.lead, alarm.control_step), (Some(200), Some(100), None));
/// assert!(alarm.is_specific);
/// println!("{alarm}");
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct AlarmConfig {
    /// How far a reading must be above the least one.
    pub factor: f64,
    /// The training accuracy of a run that has memorized.
    #[config(default = 0.99)]
    pub memorized: f64,
    /// The test accuracy of a run that generalizes.
    #[config(default = 0.5)]
    pub generalized: f64,
}

impl AlarmConfig {
    /// Judges a run beside its control. Points are in the order of their steps.
    ///
    /// # Errors
    ///
    /// As [`AlarmConfig`] states.
    pub fn run(&self, run: &[AlarmPoint], control: &[AlarmPoint]) -> Result<Alarm, DynamicsError> {
        let above_one = (Bound::Excluded(1.0), Bound::Unbounded);
        ensure("factor", self.factor, above_one)?;
        let share = (Bound::Excluded(0.0), Bound::Included(1.0));
        ensure("memorized", self.memorized, share)?;
        ensure("generalized", self.generalized, share)?;
        check(&RUN, run)?;
        check(&CONTROL, control)?;
        let best = control.iter().map(|point| point.test_accuracy);
        let best = best.fold(0.0, f64::max);
        if best >= self.generalized {
            let expected = format!(
                "less than {}: the control is a run that never generalizes",
                self.generalized
            );
            return Err(OutOfRange::new("control.test_accuracy", best, expected).into());
        }
        let Some(control_memorized) = self.memorized_at(control) else {
            let best = control.iter().map(|point| point.train_accuracy);
            let expected = format!(
                "{} or more at some step: the control is a run that memorizes",
                self.memorized
            );
            let best = best.fold(0.0, f64::max);
            return Err(OutOfRange::new("control.train_accuracy", best, expected).into());
        };
        let step = self.alarm(run);
        let last = control.last().map_or(0, |point| point.step);
        if let Some(step) = step.filter(|step| *step > last) {
            let expected = format!("{step} or more for the last step, that of the alarm");
            return Err(OutOfRange::new("control.step", last as f64, expected).into());
        }
        if let (Some(memorized), Some(step)) = (self.memorized_at(run), step) {
            let watched = last - control_memorized;
            let needed = step - memorized;
            if watched < needed {
                let expected = format!(
                    "{} or more for the last step: the control must be watched after it memorizes as long as the run until \
                     its alarm, {needed} steps",
                    control_memorized + needed
                );
                return Err(OutOfRange::new("control.step", last as f64, expected).into());
            }
        }
        let control_step = self.alarm(control);
        let generalized = run
            .iter()
            .find(|point| point.test_accuracy >= self.generalized)
            .map(|point| point.step);
        let lead = generalized
            .zip(step)
            .map(|(generalized, step)| generalized as i64 - step as i64);
        Ok(Alarm {
            memorized: self.memorized_at(run),
            step,
            generalized,
            lead,
            control_memorized,
            control_step,
            is_specific: lead.is_some_and(|lead| lead > 0) && control_step.is_none(),
        })
    }

    /// The step at which a run has memorized.
    fn memorized_at(&self, points: &[AlarmPoint]) -> Option<usize> {
        self.since_memorized(points).first().map(|point| point.step)
    }

    fn since_memorized<'p>(&self, points: &'p [AlarmPoint]) -> &'p [AlarmPoint] {
        let first = points
            .iter()
            .position(|point| point.train_accuracy >= self.memorized);
        &points[first.unwrap_or(points.len())..]
    }

    /// The step of the first alarm.
    fn alarm(&self, points: &[AlarmPoint]) -> Option<usize> {
        let mut least = f64::INFINITY;
        let mut fires = |point: &&AlarmPoint| {
            // Readings of zero are no rise above zero.
            let is_alarm = point.value >= self.factor * least && point.value > least;
            least = least.min(point.value);
            is_alarm
        };
        let found = self
            .since_memorized(points)
            .iter()
            .find(|point| fires(point));
        found.map(|point| point.step)
    }
}

/// The names of what is checked.
struct Names {
    len: &'static str,
    step: &'static str,
    value: &'static str,
    train_accuracy: &'static str,
    test_accuracy: &'static str,
    needs: &'static str,
}

const RUN: Names = Names {
    len: "run.len()",
    step: "run.step",
    value: "run.value",
    train_accuracy: "run.train_accuracy",
    test_accuracy: "run.test_accuracy",
    needs: "at least one point",
};

const CONTROL: Names = Names {
    len: "control.len()",
    step: "control.step",
    value: "control.value",
    train_accuracy: "control.train_accuracy",
    test_accuracy: "control.test_accuracy",
    needs: "the points of a run that memorizes and never generalizes: without it, no alarm means anything",
};

fn check(names: &Names, points: &[AlarmPoint]) -> Result<(), OutOfRange> {
    if points.is_empty() {
        return Err(OutOfRange::new(names.len, 0.0, names.needs));
    }
    for pair in points.windows(2) {
        if pair[1].step <= pair[0].step {
            let expected = format!("more than {}, the step before", pair[0].step);
            return Err(OutOfRange::new(names.step, pair[1].step as f64, expected));
        }
    }
    for point in points {
        ensure(names.value, point.value, 0.0..)?;
        ensure(names.train_accuracy, point.train_accuracy, 0.0..=1.0)?;
        ensure(names.test_accuracy, point.test_accuracy, 0.0..=1.0)?;
    }
    Ok(())
}
