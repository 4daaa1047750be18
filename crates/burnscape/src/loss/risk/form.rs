//! Losses in the forms that they can be given in.
//!
//! Every loss has outputs and a criterion of them: the loss itself, which is its own criterion, where
//! nothing more is known; the losses of the examples, of which the criterion is the mean or the sum; or
//! the outputs of a model.

use std::borrow::Borrow;
use std::marker::PhantomData;

use burn::module::Module;
use burn::tensor::{DeviceSettings, Tensor};
use burnscape_linearize::{GradientTrace, LinearizeError, OutputTrace};
use burnscape_linearize::{trace_gradient, trace_outputs, trace_split};

use crate::loss::tensors::traced;
use crate::loss::{Batch, Objective, Reduction};

type Traced<T> = Result<T, LinearizeError>;

/// A loss of a model on a batch, in one of its forms.
pub(super) trait Form<M, B> {
    /// The loss: one element.
    fn loss(&self, model: &M, batch: B, reduction: Reduction) -> Tensor<1>;

    /// Outputs, recorded.
    fn trace_outputs(&self, model: M, batch: &B, settings: DeviceSettings) -> Traced<OutputTrace>;

    /// Outputs and criterion, recorded.
    fn trace_split(
        &self,
        model: M,
        batch: &B,
        settings: DeviceSettings,
        reduction: Reduction,
    ) -> Traced<OutputTrace>;

    /// Loss and gradient, recorded.
    fn trace_gradient(
        &self,
        model: M,
        batch: &B,
        settings: DeviceSettings,
        reduction: Reduction,
    ) -> Traced<GradientTrace>
    where
        M: Module,
        B: Batch,
    {
        trace_gradient(
            model,
            settings,
            |inputs| traced(batch.clone(), inputs),
            |model, batch| self.loss(model, batch, reduction),
        )
    }
}

/// An objective, held or borrowed.
pub(super) struct OfObjective<L, O: ?Sized> {
    objective: L,
    held: PhantomData<fn(&O)>,
}

impl<L: Borrow<O>, O: ?Sized> OfObjective<L, O> {
    pub(super) fn new(objective: L) -> Self {
        Self {
            objective,
            held: PhantomData,
        }
    }
}

impl<M, B, L, O> Form<M, B> for OfObjective<L, O>
where
    M: Module,
    B: Batch,
    L: Borrow<O>,
    O: Objective<M, B> + ?Sized,
{
    fn loss(&self, model: &M, batch: B, _: Reduction) -> Tensor<1> {
        self.objective.borrow().loss(model, batch)
    }

    fn trace_outputs(&self, model: M, batch: &B, settings: DeviceSettings) -> Traced<OutputTrace> {
        trace_outputs(
            model,
            settings,
            |inputs| traced(batch.clone(), inputs),
            |model, batch: &B| self.objective.borrow().loss(model, batch.clone()),
        )
    }

    fn trace_split(
        &self,
        model: M,
        batch: &B,
        settings: DeviceSettings,
        _: Reduction,
    ) -> Traced<OutputTrace> {
        trace_split(
            model,
            settings,
            |inputs| traced(batch.clone(), inputs),
            |model, batch: &B| self.objective.borrow().loss(model, batch.clone()),
            |loss, _| loss,
        )
    }
}

/// Outputs and a criterion.
pub(super) struct OfOutputs<F, G, const R: usize> {
    pub(super) outputs: F,
    pub(super) criterion: G,
}

impl<M, B, F, G, const R: usize> Form<M, B> for OfOutputs<F, G, R>
where
    M: Module,
    B: Batch,
    F: Fn(&M, &B) -> Tensor<R>,
    G: Fn(Tensor<R>, B) -> Tensor<1>,
{
    fn loss(&self, model: &M, batch: B, _: Reduction) -> Tensor<1> {
        let outputs = (self.outputs)(model, &batch);
        (self.criterion)(outputs, batch)
    }

    fn trace_outputs(&self, model: M, batch: &B, settings: DeviceSettings) -> Traced<OutputTrace> {
        trace_outputs(
            model,
            settings,
            |inputs| traced(batch.clone(), inputs),
            &self.outputs,
        )
    }

    fn trace_split(
        &self,
        model: M,
        batch: &B,
        settings: DeviceSettings,
        _: Reduction,
    ) -> Traced<OutputTrace> {
        trace_split(
            model,
            settings,
            |inputs| traced(batch.clone(), inputs),
            &self.outputs,
            &self.criterion,
        )
    }
}

/// The losses of single examples.
pub(super) struct OfExamples<F> {
    pub(super) losses: F,
}

fn reduced(losses: Tensor<1>, reduction: Reduction) -> Tensor<1> {
    match reduction {
        Reduction::Mean => losses.mean(),
        Reduction::Sum => losses.sum(),
    }
}

impl<M, B, F> Form<M, B> for OfExamples<F>
where
    M: Module,
    B: Batch,
    F: Fn(&M, B) -> Tensor<1>,
{
    fn loss(&self, model: &M, batch: B, reduction: Reduction) -> Tensor<1> {
        reduced((self.losses)(model, batch), reduction)
    }

    fn trace_outputs(&self, model: M, batch: &B, settings: DeviceSettings) -> Traced<OutputTrace> {
        trace_outputs(
            model,
            settings,
            |inputs| traced(batch.clone(), inputs),
            |model, batch: &B| (self.losses)(model, batch.clone()),
        )
    }

    fn trace_split(
        &self,
        model: M,
        batch: &B,
        settings: DeviceSettings,
        reduction: Reduction,
    ) -> Traced<OutputTrace> {
        trace_split(
            model,
            settings,
            |inputs| traced(batch.clone(), inputs),
            |model, batch: &B| (self.losses)(model, batch.clone()),
            |losses, _| reduced(losses, reduction),
        )
    }
}
