use crate::optim::StepReport;

/// One step of a fit, as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
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
    pub loss: f64,
    /// What the optimizer did with the free control points.
    pub report: StepReport,
}

/// What a call of [`CurveFitter::run`](super::CurveFitter::run) did.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct FitReport {
    /// Steps taken.
    pub steps: usize,
    /// Gradients taken by the optimizer; each is one gradient of the loss for each place of a step.
    pub gradients: usize,
    /// The mean of the steps' losses.
    pub mean_loss: f64,
    /// False if the observer stopped the fit.
    pub completed: bool,
}

impl FitReport {
    pub(super) fn add(&mut self, step: &FitStep) {
        self.steps += 1;
        self.gradients += step.report.gradients;
        self.mean_loss += (step.loss - self.mean_loss) / self.steps as f64;
    }
}
