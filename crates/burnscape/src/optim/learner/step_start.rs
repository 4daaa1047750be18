/// A step of a [`SamStrategy`](super::SamStrategy) that is about to be taken.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StepStart {
    /// Number of the step, from zero. It continues where a training resumes with a record of
    /// [`with_checkpoints`](super::SamStrategy::with_checkpoints), and restarts otherwise.
    pub step: usize,
    /// The base learning rate of the step.
    pub lr: f64,
    /// Batches since this training began or resumed, including those of this step: the metrics of Burn's training
    /// split have as many items.
    pub items: usize,
}
