use burn::optim::OptimizerRecord;

use super::StepStart;

/// What measures before the steps of a training and belongs to its checkpoints. A layer above this one implements it.
///
/// Errors are messages: Burn's own error carries no more.
pub(crate) trait StepWatcher<M> {
    /// A training begins or resumes. Its items count from zero.
    fn begin(&self);

    /// Measures if the step is due; nothing else costs anything. An error interrupts the training after the step.
    fn observe(&self, model: &M, start: &StepStart, record: &RecordOf<'_>) -> Result<(), String>;

    /// The state, for a checkpoint.
    fn to_bytes(&self) -> Result<Vec<u8>, String>;

    /// Restores the state of a checkpoint.
    fn load(&self, bytes: &[u8]) -> Result<(), String>;
}

/// Makes the record of the learner's optimizer, which costs a copy of its state and of the weights.
pub(crate) type RecordOf<'a> = dyn Fn() -> Result<OptimizerRecord, String> + 'a;
