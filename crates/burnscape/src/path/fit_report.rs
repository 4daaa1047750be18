use serde::{Deserialize, Serialize};

use crate::optim::StepReport;
use crate::writing::number;

/// The work of one call of [`CurveFitter::run`](super::CurveFitter::run).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FitReport {
    /// Steps taken.
    pub num_steps: usize,
    /// Gradients taken by the optimizer; each is one gradient of the loss at each place of a step.
    pub num_gradients: usize,
    /// The mean of the steps' losses.
    #[serde(with = "number")]
    pub mean_loss: f64,
    /// False if the observer stopped the fit.
    pub completed: bool,
}

impl FitReport {
    pub(super) fn add(&mut self, step: &StepReport) {
        let loss = step.loss.unwrap_or(f64::NAN);
        self.num_steps += 1;
        self.num_gradients += step.num_gradients;
        self.mean_loss += (loss - self.mean_loss) / self.num_steps as f64;
    }
}
