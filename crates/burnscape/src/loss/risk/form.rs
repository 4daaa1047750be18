//! Losses in the forms that they can be given in.
//!
//! Every loss consists of outputs and a criterion. The outputs are those of the model, the losses of the
//! examples (the criterion is then their mean or sum), or the loss itself, which is its own criterion.

use std::borrow::Borrow;
use std::marker::PhantomData;

use burn::tensor::Tensor;

use crate::loss::{Batch, Objective, Reduction};

/// Outputs of rank `R` and a criterion.
pub(super) trait Outputs<M, B, const R: usize> {
    /// The outputs of the model on the batch.
    fn outputs(&self, model: &M, batch: &B) -> Tensor<R>;

    /// The loss of the outputs: one element.
    fn criterion(&self, outputs: Tensor<R>, batch: B, reduction: Reduction) -> Tensor<1>;
}

/// [`Outputs`] together with their rank.
pub(super) struct Ranked<O, const R: usize>(pub(super) O);

/// An objective, owned or borrowed.
pub(super) struct OfObjective<L, O: ?Sized> {
    objective: L,
    held: PhantomData<fn(&O)>,
}

impl<L: Borrow<O>, O: ?Sized> OfObjective<L, O> {
    pub(super) fn new(objective: L) -> Ranked<Self, 1> {
        Ranked(Self {
            objective,
            held: PhantomData,
        })
    }
}

impl<M, B, L, O> Outputs<M, B, 1> for OfObjective<L, O>
where
    B: Batch,
    L: Borrow<O>,
    O: Objective<M, B> + ?Sized,
{
    fn outputs(&self, model: &M, batch: &B) -> Tensor<1> {
        self.objective.borrow().loss(model, batch.clone())
    }

    fn criterion(&self, loss: Tensor<1>, _: B, _: Reduction) -> Tensor<1> {
        loss
    }
}

/// The outputs of a model, and a criterion.
pub(super) struct OfOutputs<F, G> {
    pub(super) outputs: F,
    pub(super) criterion: G,
}

impl<M, B, F, G, const R: usize> Outputs<M, B, R> for OfOutputs<F, G>
where
    F: Fn(&M, &B) -> Tensor<R>,
    G: Fn(Tensor<R>, B) -> Tensor<1>,
{
    fn outputs(&self, model: &M, batch: &B) -> Tensor<R> {
        (self.outputs)(model, batch)
    }

    fn criterion(&self, outputs: Tensor<R>, batch: B, _: Reduction) -> Tensor<1> {
        (self.criterion)(outputs, batch)
    }
}

/// The losses of single examples.
pub(super) struct OfExamples<F>(pub(super) F);

impl<M, B: Batch, F: Fn(&M, B) -> Tensor<1>> Outputs<M, B, 1> for OfExamples<F> {
    fn outputs(&self, model: &M, batch: &B) -> Tensor<1> {
        (self.0)(model, batch.clone())
    }

    fn criterion(&self, losses: Tensor<1>, _: B, reduction: Reduction) -> Tensor<1> {
        reduction.of(losses)
    }
}
