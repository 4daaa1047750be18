use burn::module::Module;

use super::RunningStatistics;
use super::read::Contexts;

/// A snapshot of the float values of a model that are not trained, mostly running statistics.
///
/// A forward pass in training mode writes to them, and every clone of the model shares them. To undo such a
/// pass, for instance after a batch with a NaN, take a snapshot before it and restore it afterwards. Quantized
/// tensors, which no forward pass writes, are not included.
///
/// # Cost
///
/// Two visits of the module; the tensors are shared, not copied.
#[derive(Debug, Clone)]
pub(crate) struct BufferSnapshot(RunningStatistics);

impl BufferSnapshot {
    /// Records the current values.
    pub(crate) fn of<M: Module>(model: &M) -> Self {
        if Contexts::of(model).has_no_buffers() {
            return Self(RunningStatistics::none());
        }
        // `valid` applies pending updates.
        let plain = model.valid();
        let trained = Contexts::of(&plain.clone().train());
        Self(RunningStatistics::without_gradients(&plain, trained))
    }

    /// Writes the values back to `model` and to every clone that shares them.
    pub(crate) fn restore<M: Module>(&self, model: M) -> M {
        self.0.write_to(model)
    }
}
