//! Writing modules: copies that share nothing with the user's model, with parameters changed.

use std::any::Any;
use std::collections::HashMap;

use burn::module::{Flag, Module, ModuleMapper, Param, ParamId};
use burn::tensor::Tensor;

use super::read::Contexts;
use super::walk::Walk;

/// What happens to one parameter.
pub(super) enum Edit {
    /// The parameter becomes this.
    Set(Tensor<1>),
    /// This times that is added to the parameter.
    Add(Tensor<1>, f64),
}

/// How the copy is to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// As the original: autodiff or not, flags as they are.
    Same,
    /// For gradients: autodiff on, trainable parameters require gradients. Training flags are those
    /// of training if `training`, otherwise off.
    Gradients { training: bool },
}

/// A copy of `model` with edited parameters, keyed by path.
///
/// Clones of a batch norm share its running statistics, and even mapping a clone writes through to
/// the original. `valid().train()` is Burn's one way to an unshared copy; what it forgets (whether
/// autodiff was on, the checkpointing strategy, flags, ties) is put back here.
///
/// A plain tensor field of a module (no `Param`) is out of a mapper's reach, so it keeps the
/// default gradient-checkpointing strategy.
pub(super) fn edited_copy<M: Module>(
    model: &M,
    purpose: Purpose,
    edits: HashMap<String, Edit>,
) -> M {
    let contexts = Contexts::of(model);
    let trained = model.valid().train();
    let copy = match purpose {
        // A plain model's constants must not be lifted: start from the plain copy.
        Purpose::Same
            if contexts
                .floats
                .iter()
                .all(|(_, context)| !context.is_autodiff()) =>
        {
            trained.valid()
        }
        _ => trained,
    };
    copy.map(&mut Rewriter::new(contexts, purpose, edits))
}

struct Rewriter {
    contexts: Contexts,
    purpose: Purpose,
    edits: HashMap<String, Edit>,
    walk: Walk,
    next_float: usize,
    next_flag: usize,
    /// Parameters that occur more than once: all occurrences must be the same autodiff leaf.
    tied: HashMap<ParamId, Box<dyn Any>>,
}

impl Rewriter {
    fn new(contexts: Contexts, purpose: Purpose, edits: HashMap<String, Edit>) -> Self {
        Self {
            contexts,
            purpose,
            edits,
            walk: Walk::default(),
            next_float: 0,
            next_flag: 0,
            tied: HashMap::new(),
        }
    }
}

impl ModuleMapper for Rewriter {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.walk.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.walk.exit();
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        let was_enabled = self.contexts.flags.get(self.next_flag).copied();
        self.next_flag += 1;
        match self.purpose {
            Purpose::Same => {
                let enabled = was_enabled.unwrap_or_else(|| flag.is_enabled());
                flag.map(|flag| flag.with(enabled))
            }
            Purpose::Gradients { training: true } => flag,
            Purpose::Gradients { training: false } => flag.map(|flag| flag.with(false)),
        }
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.walk.float_path();
        let context = self
            .contexts
            .floats
            .get(self.next_float)
            .map(|(_, context)| *context);
        self.next_float += 1;
        let edit = self.edits.remove(&path);
        let (id, value, mapper) = param.consume();
        let Some(context) = context else {
            return Param::from_mapped_value(id, value, mapper);
        };
        if let Some(first) = self
            .tied
            .get(&id)
            .and_then(|any| any.downcast_ref::<Tensor<D>>())
        {
            return Param::from_mapped_value(id, first.clone(), mapper);
        }
        let context = match self.purpose {
            Purpose::Same => context,
            Purpose::Gradients { .. } => context.trained(value.is_require_grad()),
        };
        let shape = value.shape();
        let value = value.inner();
        let value = match edit {
            None => value,
            Some(Edit::Set(new)) => new.reshape(shape),
            Some(Edit::Add(step, 1.0)) => value + step.reshape(shape),
            Some(Edit::Add(step, scale)) => value + step.reshape(shape) * scale,
        };
        let value = context.restore(value, id);
        if self
            .contexts
            .occurrences
            .get(&id)
            .is_some_and(|&count| count > 1)
        {
            self.tied.insert(id, Box::new(value.clone()));
        }
        Param::from_mapped_value(id, value, mapper)
    }
}
