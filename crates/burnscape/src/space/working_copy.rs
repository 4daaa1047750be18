use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::GradientCheckpointingStrategy;

use super::read::Contexts;
use super::write::{Purpose, edited_copy, rewritten_copy};

/// A copy of `model` that does not share running statistics, with the same values, identifiers, leaf status,
/// checkpointing strategy, flags and ties.
///
/// A plain `clone` shares the running statistics of batch norm with the original.
pub fn unshared_copy<M: Module>(model: &M) -> M {
    edited_copy(model, Purpose::Same, HashMap::new())
}

/// An unshared copy that is ready for gradients, whatever the state of `model`: it is on autodiff, and its
/// trainable parameters require gradients. Training flags (dropout, batch statistics) are off unless `training`.
pub fn copy_for_gradients<M: Module>(model: &M, training: bool) -> M {
    edited_copy(model, Purpose::Gradients { training }, HashMap::new())
}

/// The gradient-checkpointing strategy of the model: that of its first parameter on autodiff.
///
/// Burn rejects operations between tensors of different strategies, so inputs must use the same one.
pub(crate) fn checkpointing_strategy<M: Module>(
    model: &M,
) -> Option<GradientCheckpointingStrategy> {
    Contexts::of(model).checkpointing()
}

/// Whether a training flag is on (dropout, batch statistics). A model without flags behaves the same in both
/// modes.
pub(crate) fn is_training<M: Module>(model: &M) -> bool {
    Contexts::of(model).flags.iter().any(|&flag| flag)
}

/// An unshared copy with new parameter identifiers, which depend on `salt` and the position in the model. Several
/// such copies can be part of one module, and one optimizer keeps a state for each. Ties are preserved.
pub(crate) fn renamed_copy<M: Module>(model: &M, salt: u64) -> M {
    rewritten_copy(model, Purpose::Same, HashMap::new(), Some(salt))
}
