//! Moves batches to the autodiff context of an evaluation.

use burn::module::Module;
use burn::tensor::GradientCheckpointingStrategy;

use super::Batch;
use super::batch::batch_mapper;
use crate::space::checkpointing_strategy;

/// Whether the tensors of a batch are on autodiff.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lift {
    /// Without autodiff.
    Plain,
    /// On autodiff, with the checkpointing strategy of the parameters: Burn does not mix strategies, and
    /// batch norm decides by its *input* whether it trains.
    Autodiff(Option<GradientCheckpointingStrategy>),
}

impl Lift {
    /// The context of a model that is ready for gradients.
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

batch_mapper!(Lift, |this, tensor| match *this {
    Self::Plain => tensor.inner(),
    Self::Autodiff(None) => tensor.autodiff(),
    Self::Autodiff(Some(strategy)) => {
        let tensor = tensor.autodiff();
        tensor.with_gradient_checkpointing_strategy(strategy)
    }
});
