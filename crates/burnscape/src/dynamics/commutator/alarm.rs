use std::fmt;

use serde::{Deserialize, Serialize};

use crate::writing::number;

/// One reading of a run, with the accuracies at the same step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AlarmPoint {
    /// The step.
    pub step: usize,
    /// The number that is watched: a commutator defect, say.
    #[serde(with = "number")]
    pub value: f64,
    /// The accuracy on the training data, 0 to 1.
    pub train_accuracy: f64,
    /// The accuracy on other data, 0 to 1.
    pub test_accuracy: f64,
}

/// What [`AlarmConfig`](super::AlarmConfig) found. It prints as sentences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alarm {
    /// The step at which the run had memorized its training data.
    pub memorized: Option<usize>,
    /// The step of the alarm.
    pub step: Option<usize>,
    /// The step at which the run generalized.
    pub generalized: Option<usize>,
    /// Steps from the alarm to generalization, negative if the alarm came later. None unless there are both.
    pub lead: Option<i64>,
    /// The step at which the control had memorized its training data.
    pub control_memorized: usize,
    /// The step of the alarm in the control, which does not generalize: a false one.
    pub control_step: Option<usize>,
    /// Whether the alarm comes before the run generalizes, and the control has none.
    pub is_specific: bool,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.memorized, self.step) {
            (None, _) => write!(f, "The run does not memorize its training data.")?,
            (Some(memorized), None) => {
                write!(
                    f,
                    "The run memorizes at step {memorized}, without an alarm."
                )?;
            }
            (Some(memorized), Some(step)) => {
                write!(
                    f,
                    "The run memorizes at step {memorized}, with an alarm at step {step}"
                )?;
                match self.lead {
                    None => write!(f, ".")?,
                    Some(lead) if lead < 0 => {
                        write!(f, ", {} steps after it generalizes.", lead.unsigned_abs())?;
                    }
                    Some(lead) => write!(f, ", {lead} steps before it generalizes.")?,
                }
            }
        }
        if let (Some(step), None) = (self.generalized, self.lead) {
            write!(f, " It generalizes at step {step}.")?;
        }
        if self.generalized.is_none() {
            write!(f, " It does not generalize.")?;
        }
        match self.control_step {
            None => write!(f, " There is no alarm in the control.")?,
            Some(step) => {
                write!(
                    f,
                    " The control, which never generalizes, has one at step {step}."
                )?;
            }
        }
        match (self.step, self.is_specific) {
            (Some(_), true) => write!(f, " In these two runs the alarm is specific."),
            (Some(_), false) => write!(f, " The alarm does not announce generalization."),
            (None, _) => Ok(()),
        }
    }
}
