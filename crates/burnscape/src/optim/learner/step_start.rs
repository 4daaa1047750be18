/// A step of a [`SamStrategy`](super::SamStrategy) that is about to be taken.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StepStart {
    /// Which step of the optimizer, from zero. It goes on where a training resumes with a record of
    /// [`with_checkpoints`](super::SamStrategy::with_checkpoints), and starts anew otherwise.
    pub step: usize,
    /// The base learning rate of the step.
    pub lr: f64,
    /// Batches taken in since this training began or resumed, those of this step included: the metrics
    /// of Burn's training split see as many items.
    pub items: usize,
}
