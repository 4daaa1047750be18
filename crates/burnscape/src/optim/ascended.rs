use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use super::core::Passes;
use crate::space::ParamSpace;

/// A model between ascent and descent: displaced, with its original weights held aside.
///
/// Take the second gradient at [`module`](Self::module) and give both to
/// [`Sam::descend`](super::Sam::descend). The original weights are held, not recomputed, so they
/// come back bit for bit. The displaced copy has running statistics of its own: the second pass
/// leaves the model's as the first pass left them.
#[must_use = "the model was moved into this; without `Sam::descend` (or `into_original`) it is lost"]
pub struct Ascended<M> {
    pub(super) original: M,
    pub(super) displaced: Option<M>,
    pub(super) space: ParamSpace,
    pub(super) passes: Passes,
    pub(super) lr: ModuleLearningRate,
}

impl<M: Module> Ascended<M> {
    /// The model at `w + e`; at `w` if this step does not ascend.
    pub fn module(&self) -> &M {
        self.displaced.as_ref().unwrap_or(&self.original)
    }

    /// Whether [`Sam::descend`](super::Sam::descend) needs a gradient at
    /// [`module`](Self::module). Not between LookSAM's ascents, outside the window, or when the
    /// first gradient was not finite.
    pub fn wants_gradient(&self) -> bool {
        self.displaced.is_some()
    }

    /// The model as it was, abandoning the step.
    pub fn into_original(self) -> M {
        self.original
    }
}
