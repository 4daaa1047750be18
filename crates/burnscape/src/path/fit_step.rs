use serde::{Deserialize, Serialize};

use crate::optim::StepReport;
use crate::writing::number;

/// One step of a fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FitStep {
    /// Steps so far, this one included.
    pub step: usize,
    /// Passes over the data that were finished before this step.
    pub epoch: usize,
    /// The places of this step.
    pub times: Vec<f64>,
    /// The loss of the batch at these places, without weight decay: the mean, in proportion to the
    /// weights of the places.
    #[serde(with = "number")]
    pub loss: f64,
    /// The optimizer's report about the free control points.
    pub report: StepReport,
}

/// The work of one call of [`CurveFitter::run`](super::CurveFitter::run).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FitReport {
    /// Steps taken.
    pub num_steps: usize,
    /// Gradients taken by the optimizer; each is one gradient of the loss for each place of a step.
    pub num_gradients: usize,
    /// The mean of the steps' losses.
    #[serde(with = "number")]
    pub mean_loss: f64,
    /// False if the observer stopped the fit.
    pub completed: bool,
}

impl FitReport {
    pub(super) fn add(&mut self, step: &FitStep) {
        self.num_steps += 1;
        self.num_gradients += step.report.gradients;
        self.mean_loss += (step.loss - self.mean_loss) / self.num_steps as f64;
    }
}
