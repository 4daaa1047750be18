//! Writes modules: copies of the user's model with edited parameters, which share no state with it.

use std::any::Any;
use std::collections::HashMap;

use burn::module::{Flag, Module, ModuleMapper, Param, ParamId};
use burn::tensor::{DType, GradientCheckpointingStrategy, Tensor};

use super::context::ParamContext;
use super::range::scaled;
use super::read::Contexts;
use super::seed::mix;

/// An edit of one parameter.
pub(super) enum Edit {
    /// Replaces the parameter.
    Set(Tensor<1>),
    /// Adds the tensor times the factor to the parameter.
    Add(Tensor<1>, f64),
}

/// The intended use of the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The same as that of the original: autodiff and flags are preserved.
    Same,
    /// Gradients: autodiff is on and trainable parameters require gradients. Flags are on if `training`.
    Gradients { training: bool },
}

/// A copy of `model` with edited parameters. The edits are keyed by the identifiers in `model`.
///
/// Clones of a batch norm share its running statistics, and even mapping a clone writes to the original. Burn's
/// only way to an unshared copy is `valid`; this function restores the state that `valid` drops (autodiff,
/// checkpointing strategy, flags, ties).
///
/// A mapper cannot reach a plain tensor field of a module (one without `Param`). `train` would move it to autodiff
/// with the default checkpointing strategy, and Burn rejects mixed strategies. If the model has another strategy,
/// the field therefore stays plain, and Burn treats it as a constant.
pub(super) fn edited_copy<M: Module>(
    model: &M,
    purpose: Purpose,
    edits: HashMap<ParamId, Edit>,
) -> M {
    rewritten_copy(model, purpose, edits, None)
}

/// Same as [`edited_copy`]; with a salt, parameters also get new identifiers, which depend on the salt and the
/// position in the model.
pub(super) fn rewritten_copy<M: Module>(
    model: &M,
    purpose: Purpose,
    edits: HashMap<ParamId, Edit>,
    salt: Option<u64>,
) -> M {
    let contexts = Contexts::of(model);
    if purpose == Purpose::Same && contexts.has_no_buffers() {
        // A clone without buffers shares no mutable state, and every parameter is rebuilt.
        let mut rewriter = Rewriter {
            contexts,
            edits,
            salt,
            ..Rewriter::default()
        };
        return model.clone().map(&mut rewriter);
    }
    let strategy = contexts.checkpointing().unwrap_or_default();
    let was_autodiff = |(_, context): &(_, ParamContext)| context.is_autodiff();
    let plain = model.valid();
    let (contexts, is_autodiff) = match purpose {
        Purpose::Same => {
            let is_autodiff = contexts.floats.iter().any(was_autodiff);
            (contexts, is_autodiff)
        }
        Purpose::Gradients { training } => {
            // The state after `train` decides which parameters require gradients and which flags are on.
            let mut trained = Contexts::of(&plain.clone().train());
            for ((_, trained), (_, present)) in trained.floats.iter_mut().zip(&contexts.floats) {
                *trained = present.trained(trained.is_require_grad());
            }
            trained.flags.iter_mut().for_each(|flag| *flag &= training);
            (trained, true)
        }
    };
    let rewriter = Rewriter {
        contexts,
        edits,
        salt,
        ..Rewriter::default()
    };
    restored(plain, is_autodiff, strategy, rewriter)
}

/// A copy of `model` whose numbers `relocate` has moved, for instance to another device. It is given a model without
/// autodiff that shares nothing with the original, so that what it moves is not part of a graph.
pub(super) fn relocated_copy<M: Module, E>(
    model: &M,
    relocate: impl FnOnce(M) -> Result<M, E>,
) -> Result<M, E> {
    let contexts = Contexts::of(model);
    let strategy = contexts.checkpointing().unwrap_or_default();
    let mut floats = contexts.floats.iter();
    let is_autodiff = floats.any(|(_, context)| context.is_autodiff());
    let plain = relocate(model.valid())?;
    let rewriter = Rewriter {
        contexts,
        ..Rewriter::default()
    };
    Ok(restored(plain, is_autodiff, strategy, rewriter))
}

/// A plain model, rewritten, on autodiff again if it was.
fn restored<M: Module>(
    plain: M,
    is_autodiff: bool,
    strategy: GradientCheckpointingStrategy,
    mut rewriter: Rewriter,
) -> M {
    let copy = if is_autodiff && strategy == GradientCheckpointingStrategy::default() {
        plain.train()
    } else {
        plain
    };
    copy.map(&mut rewriter)
}

#[derive(Default)]
struct Rewriter {
    contexts: Contexts,
    edits: HashMap<ParamId, Edit>,
    next_float: usize,
    next_flag: usize,
    /// Parameters that occur more than once. All occurrences must be the same autodiff leaf, unless one of them
    /// is frozen.
    tied: Vec<(ParamId, ParamContext, Box<dyn Any>)>,
    /// The salt of new identifiers; `None` keeps the old ones.
    salt: Option<u64>,
    renamed: HashMap<ParamId, ParamId>,
}

impl Rewriter {
    /// The new identifier of a parameter.
    fn name(&mut self, id: ParamId) -> ParamId {
        let Some(salt) = self.salt else { return id };
        let index = self.renamed.len() as u64;
        *self
            .renamed
            .entry(id)
            .or_insert_with(|| ParamId::from(mix(salt, index)))
    }

    /// The new value of an earlier occurrence of the parameter.
    fn tied<const D: usize>(&self, id: ParamId, context: ParamContext) -> Option<Tensor<D>> {
        let mut tied = self.tied.iter();
        let (_, _, value) = tied.find(|(other, its, _)| (*other, *its) == (id, context))?;
        value.downcast_ref::<Tensor<D>>().cloned()
    }
}

impl ModuleMapper for Rewriter {
    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        let wanted = self.contexts.flags.get(self.next_flag).copied();
        self.next_flag += 1;
        flag.map(|flag| flag.with(wanted.unwrap_or(flag.is_enabled())))
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let context = self.contexts.floats.get(self.next_float);
        let Some(&(_, context)) = context else {
            return param;
        };
        self.next_float += 1;
        let (id, value, mapper) = param.consume();
        let name = self.name(id);
        if let Some(tied) = self.tied(id, context) {
            return Param::from_mapped_value(name, tied, mapper);
        }
        let shape = value.shape();
        let value = value.inner();
        let value = match self.edits.get(&id) {
            None => value,
            Some(Edit::Set(new)) => new.clone().reshape(shape),
            Some(Edit::Add(step, scale)) => moved(value, step.clone().reshape(shape), *scale),
        };
        let value = context.restore(value, name);
        let occurrences = self.contexts.occurrences.get(&id);
        if occurrences.is_some_and(|&count| count > 1) {
            self.tied.push((id, context, Box::new(value.clone())));
        }
        Param::from_mapped_value(name, value, mapper)
    }
}

/// `value + scale · step`, in f32 if the value is narrower: a step divided by its norm leaves the range of f16
/// long before the sum does.
fn moved<const D: usize>(value: Tensor<D>, step: Tensor<D>, scale: f64) -> Tensor<D> {
    let dtype = value.dtype();
    let is_half = matches!(dtype, DType::F16 | DType::BF16);
    let (value, step) = if is_half {
        (value.cast(DType::F32), step.cast(DType::F32))
    } else if step.dtype() != dtype {
        (value, step.cast(dtype))
    } else {
        (value, step)
    };
    let sum = if scale == 1.0 {
        value + step
    } else {
        value + scaled(step, scale)
    };
    if is_half { sum.cast(dtype) } else { sum }
}
