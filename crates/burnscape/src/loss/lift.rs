//! Bringing batches into the context that an evaluation needs.

use burn::module::Module;
use burn::tensor::{Bool, GradientCheckpointingStrategy, Int, Tensor};

use super::{Batch, BatchMapper};
use crate::space::checkpointing_strategy;

/// Where the tensors of a batch are to live.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lift {
    /// Without autodiff.
    Plain,
    /// On autodiff, with the strategy of the parameters: Burn refuses to mix strategies, and batch
    /// norm looks at its *input* to tell training from inference.
    Autodiff(Option<GradientCheckpointingStrategy>),
}

impl Lift {
    /// For a model that is ready for gradients.
    pub(crate) fn for_gradients<M: Module>(model: &M) -> Self {
        Self::Autodiff(checkpointing_strategy(model))
    }

    pub(super) fn apply<B: Batch>(self, batch: B) -> B {
        batch.map_tensors(&mut { self })
    }
}

/// The batch in the autodiff context of a model that is ready for gradients.
pub(crate) fn lifted<M: Module, B: Batch>(model: &M, batch: B) -> B {
    Lift::for_gradients(model).apply(batch)
}

/// The batch without autodiff.
pub(super) fn plain<B: Batch>(batch: B) -> B {
    Lift::Plain.apply(batch)
}

macro_rules! lift {
    ($self:ident, $tensor:ident) => {
        match *$self {
            Lift::Plain => $tensor.inner(),
            Lift::Autodiff(strategy) => {
                let tensor = $tensor.autodiff();
                match strategy {
                    Some(strategy) => tensor.with_gradient_checkpointing_strategy(strategy),
                    None => tensor,
                }
            }
        }
    };
}

impl BatchMapper for Lift {
    fn map_float<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        lift!(self, tensor)
    }

    fn map_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        lift!(self, tensor)
    }

    fn map_bool<const D: usize>(&mut self, tensor: Tensor<D, Bool>) -> Tensor<D, Bool> {
        lift!(self, tensor)
    }
}
