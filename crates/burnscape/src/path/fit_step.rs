use serde::{Deserialize, Serialize};

use crate::optim::StepReport;
use crate::writing::number;

/// One step of a fit, of a curve or of a simplex.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FitStep {
    /// Steps so far, this one included.
    pub step: usize,
    /// Passes over the data that [`run`](super::CurveFitter::run) had finished before this step.
    pub epoch: usize,
    /// The places on the curve; empty for a simplex.
    pub times: Vec<f64>,
    /// The weights of the control points, or vertices, at each place.
    pub weights: Vec<Vec<f64>>,
    /// The loss of the batch at these places, without weight decay or volume: the mean, in proportion to the
    /// weights of the places in a quadrature.
    #[serde(with = "number")]
    pub loss: f64,
    /// The optimizer's report about what moves: the free control points, or the last vertex.
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
        self.num_gradients += step.report.num_gradients;
        self.mean_loss += (step.loss - self.mean_loss) / self.num_steps as f64;
    }
}
