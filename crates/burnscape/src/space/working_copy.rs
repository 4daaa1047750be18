use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::GradientCheckpointingStrategy;

use super::read::Contexts;
use super::write::{Purpose, edited_copy, rewritten_copy};

/// A copy of `model` that shares nothing a forward pass writes to, and is otherwise the same:
/// values, identifiers, leaf status, checkpointing strategy, flags, ties.
///
/// `Clone` alone shares the running statistics of batch norm.
pub fn unshared_copy<M: Module>(model: &M) -> M {
    edited_copy(model, Purpose::Same, HashMap::new())
}

/// An unshared copy that is ready for gradients, whatever state `model` is in: on autodiff, with
/// trainable parameters requiring gradients. Training flags (dropout, batch statistics) are off
/// unless `training`.
pub fn copy_for_gradients<M: Module>(model: &M, training: bool) -> M {
    edited_copy(model, Purpose::Gradients { training }, HashMap::new())
}

/// The gradient-checkpointing strategy of the model's parameters: that of the first one on autodiff.
///
/// Burn refuses operations between tensors of different strategies, so inputs must follow this.
pub fn checkpointing_strategy<M: Module>(model: &M) -> Option<GradientCheckpointingStrategy> {
    Contexts::of(model).checkpointing()
}

/// Whether a training flag is on (dropout, batch statistics). What has no flags is the same in both
/// modes.
pub(crate) fn is_training<M: Module>(model: &M) -> bool {
    Contexts::of(model).flags.iter().any(|&flag| flag)
}

/// An unshared copy whose parameters carry identifiers of their own, a function of `salt` and of
/// their place in the model: several copies can then stand in one module, and one optimizer holds a
/// state for each. Ties are kept.
pub(crate) fn renamed_copy<M: Module>(model: &M, salt: u64) -> M {
    rewritten_copy(model, Purpose::Same, HashMap::new(), Some(salt))
}
