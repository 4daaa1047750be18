//! A loss and its data behind traits that erase their types.

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, DeviceSettings, Int, Tensor};
use burnscape_linearize::{GradientTrace, LinearizeError, OutputTrace, fail};

use super::form::{Outputs, Ranked};
use crate::loss::lift::Lift;
use crate::loss::programs::Programs;
use crate::loss::scalar::called;
use crate::loss::tensors::{Fingerprint, Tensors, traced};
use crate::loss::{Batch, DataSet, LossError, Reduction, examples_and_weight, moved_to};
use crate::space::SpaceError;

/// Data without a loss.
pub(crate) trait Data {
    /// Number of batches, if known.
    fn num_batches(&self) -> Option<usize>;

    /// Whether all batches of the same shapes can share a trace.
    fn shares_traces(&self) -> bool;

    /// The types of loss and data.
    fn type_name(&self) -> &'static str;

    /// Passes the tensors of every batch to `visit`, in order and with its index, until it breaks.
    fn visit_tensors(&self, visit: &mut VisitTensors<'_>);

    /// Same as [`visit_tensors`](Self::visit_tensors), with every batch split into parts of at most `examples`. The
    /// index is that of the part among all parts.
    fn visit_tensor_parts(&self, examples: usize, visit: &mut VisitTensors<'_>);
}

pub(crate) type SharedData<'a> = Arc<dyn Data + Send + Sync + 'a>;
pub(crate) type VisitTensors<'v> =
    dyn FnMut(usize, Result<Tensors, LossError>) -> ControlFlow<()> + 'v;

/// A loss over data. Only the type of the model is known.
pub(crate) trait Source<M>: Data {
    /// Passes every batch to `visit`, in order and with its index, until it breaks.
    fn visit(&self, visit: &mut Visit<'_, M>);

    /// Same as [`visit`](Self::visit), with every batch split into parts of at most `examples`. The index is that of
    /// the part among all parts.
    fn visit_parts(&self, examples: usize, visit: &mut Visit<'_, M>);
}

pub(crate) type Visit<'v, M> =
    dyn FnMut(usize, Result<&dyn RiskBatch<M>, LossError>) -> ControlFlow<()> + 'v;

pub(crate) type SharedSource<'a, M> = Arc<dyn Source<M> + Send + Sync + 'a>;

/// A batch with its loss.
pub(crate) trait RiskBatch<M> {
    /// The number of examples of the batch and its weight.
    fn examples_and_weight(&self, index: usize) -> Result<(usize, f64), LossError>;

    /// Some of the examples as a batch.
    fn part(&self, examples: Range<usize>) -> Result<Box<dyn RiskBatch<M> + '_>, LossError>;

    /// The batch on another device. Its [fingerprint](Self::fingerprint) stays that of the batch before it was moved.
    fn on(&self, device: &Device) -> Result<Box<dyn RiskBatch<M> + '_>, LossError>;

    /// The loss of a model, with the batch moved to the context of the model.
    fn loss(&self, model: &M, lift: Lift, reduction: Reduction) -> Tensor<1>;

    /// The outputs of a model, flat, with the batch moved to the context of the model: what
    /// [`trace_outputs`](Self::trace_outputs) records.
    fn outputs(&self, model: &M, lift: Lift) -> Tensor<1>;

    /// The tensors of the batch, in the order in which tracing binds them.
    fn tensors(&self) -> Tensors;

    /// # Cost
    ///
    /// Downloads the batch.
    fn fingerprint(&self) -> Result<Fingerprint, SpaceError>;

    /// Records loss and gradient.
    fn trace_gradient(
        &self,
        model: M,
        settings: DeviceSettings,
        reduction: Reduction,
    ) -> Result<GradientTrace, LinearizeError>;

    /// Records the outputs: those of the model, the losses of examples, or the loss.
    fn trace_outputs(
        &self,
        model: M,
        settings: DeviceSettings,
    ) -> Result<OutputTrace, LinearizeError>;

    /// Records outputs and criterion.
    fn trace_split(
        &self,
        model: M,
        settings: DeviceSettings,
        reduction: Reduction,
    ) -> Result<OutputTrace, LinearizeError>;
}

/// The logits and labels of a classifier over data.
pub(crate) trait ClassSource<M> {
    /// Passes the logits and labels of every batch to `visit`, in order, until it breaks.
    fn visit_scores(&self, model: &M, visit: &mut VisitScores<'_>);
}

/// The predictions for a batch, its labels and its weight.
pub(crate) struct BatchScores {
    pub(crate) logits: Tensor<2>,
    pub(crate) labels: Tensor<1, Int>,
    pub(crate) weight: f64,
}

pub(crate) type VisitScores<'v> = dyn FnMut(Result<BatchScores, LossError>) -> ControlFlow<()> + 'v;

/// Visits the batches with their index: that of the whole data, which has gaps where the source shows some of them
/// only. An error from a batch or from `visit` ends the pass. Returns false if `visit` breaks.
pub(crate) fn each<M, E: From<LossError>>(
    source: &(impl Source<M> + ?Sized),
    visit: impl FnMut(usize, &dyn RiskBatch<M>) -> Result<ControlFlow<()>, E>,
) -> Result<bool, E> {
    each_begun(source, |_| Ok(true), visit)
}

/// Same as [`each`]. `begin` is told of every batch first, also of one that cannot be read or moved, and ends the pass
/// with false.
pub(crate) fn each_begun<M, E: From<LossError>>(
    source: &(impl Source<M> + ?Sized),
    mut begin: impl FnMut(usize) -> Result<bool, E>,
    mut visit: impl FnMut(usize, &dyn RiskBatch<M>) -> Result<ControlFlow<()>, E>,
) -> Result<bool, E> {
    let mut outcome = Ok(true);
    source.visit(&mut |index, batch| {
        let visited = begin(index).and_then(|goes_on| match goes_on {
            true => visit(index, batch?),
            false => Ok(ControlFlow::Break(())),
        });
        next(visited, &mut outcome)
    });
    outcome
}

/// Same as [`each_begun`] for the tensors of the batches, without breaks.
pub(crate) fn each_tensors<E: From<LossError>>(
    data: &dyn Data,
    mut begin: impl FnMut(usize) -> Result<(), E>,
    mut visit: impl FnMut(usize, Tensors) -> Result<(), E>,
) -> Result<(), E> {
    let mut outcome = Ok(true);
    data.visit_tensors(&mut |index, tensors| {
        let visited = begin(index).and_then(|()| visit(index, tensors?));
        next(visited.map(ControlFlow::Continue), &mut outcome)
    });
    outcome.map(drop)
}

/// Decides whether a pass continues after a batch. An error or a break becomes the outcome of the pass.
fn next<E>(visited: Result<ControlFlow<()>, E>, outcome: &mut Result<bool, E>) -> ControlFlow<()> {
    match visited {
        Ok(ControlFlow::Continue(())) => return ControlFlow::Continue(()),
        Ok(ControlFlow::Break(())) => *outcome = Ok(false),
        Err(error) => *outcome = Err(error),
    }
    ControlFlow::Break(())
}

/// A loss and a data set, owned or borrowed.
pub(super) struct Parts<F, S, D: ?Sized, B> {
    pub(super) form: F,
    pub(super) data: S,
    /// What runs in the place of a form that only a recording can evaluate.
    recorded: Recordings,
    types: PhantomData<fn(&D) -> B>,
}

impl<F, S: Borrow<D>, D: DataSet<B> + ?Sized, B> Parts<F, S, D, B> {
    pub(super) fn new(form: F, data: S) -> Self {
        Self {
            form,
            data,
            recorded: Recordings::default(),
            types: PhantomData,
        }
    }

    fn form_on(&self, batch: B) -> FormOnBatch<'_, F, B> {
        FormOnBatch {
            form: &self.form,
            recorded: &self.recorded,
            batch,
            original: None,
        }
    }
}

impl<F, S, D, B> Data for Parts<F, S, D, B>
where
    S: Borrow<D>,
    D: DataSet<B> + ?Sized,
    B: Batch,
{
    fn num_batches(&self) -> Option<usize> {
        self.data.borrow().num_batches()
    }

    fn shares_traces(&self) -> bool {
        B::IS_ONLY_TENSORS
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    fn visit_tensors(&self, visit: &mut VisitTensors<'_>) {
        let mut each =
            numbered(|index, batch: Result<B, LossError>| visit(index, batch.map(Tensors::of)));
        self.data.borrow().visit(&mut each);
    }

    fn visit_tensor_parts(&self, examples: usize, visit: &mut VisitTensors<'_>) {
        let mut each =
            numbered(|index, part: Result<B, LossError>| visit(index, part.map(Tensors::of)));
        let data = self.data.borrow();
        data.visit(&mut |batch| in_parts(batch, examples, &mut each));
    }
}

impl<M, O, S, D, B, const R: usize> Source<M> for Parts<Ranked<O, R>, S, D, B>
where
    M: Module,
    O: Outputs<M, B, R>,
    S: Borrow<D>,
    D: DataSet<B> + ?Sized,
    B: Batch,
{
    fn visit(&self, visit: &mut Visit<'_, M>) {
        let mut each = numbered(|index, batch: Result<B, LossError>| match batch {
            Ok(batch) => visit(index, Ok(&self.form_on(batch))),
            Err(error) => visit(index, Err(error)),
        });
        self.data.borrow().visit(&mut each);
    }

    fn visit_parts(&self, examples: usize, visit: &mut Visit<'_, M>) {
        let mut each = numbered(|index, part: Result<B, LossError>| match part {
            Ok(batch) => visit(index, Ok(&self.form_on(batch))),
            Err(error) => visit(index, Err(error)),
        });
        let data = self.data.borrow();
        data.visit(&mut |batch| in_parts(batch, examples, &mut each));
    }
}

/// Numbers the items that `visit` is given.
fn numbered<T>(
    mut visit: impl FnMut(usize, T) -> ControlFlow<()>,
) -> impl FnMut(T) -> ControlFlow<()> {
    let mut index = 0;
    move |item| {
        let flow = visit(index, item);
        index += 1;
        flow
    }
}

/// Passes the parts of a batch with at most `examples` to `visit`, in order, until it breaks.
fn in_parts<B: Batch>(
    batch: Result<B, LossError>,
    examples: usize,
    visit: &mut dyn FnMut(Result<B, LossError>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let counted = batch.and_then(|batch| Ok((batch.num_examples()?.unwrap_or(0), batch)));
    let (count, batch) = match counted {
        Ok((count, batch)) if count > examples => (count, batch),
        Ok((_, batch)) => return visit(Ok(batch)),
        Err(error) => return visit(Err(error)),
    };
    let step = examples.max(1);
    (0..count)
        .step_by(step)
        .try_for_each(|start| visit(selected(&batch, start..count.min(start + step))))
}

fn selected<B: Batch>(batch: &B, examples: Range<usize>) -> Result<B, LossError> {
    let examples: Vec<usize> = examples.collect();
    batch.select(&examples)
}

/// Programs of losses, by reduction, and of outputs.
#[derive(Default)]
struct Recordings {
    means: Programs,
    sums: Programs,
    outputs: Programs,
}

struct FormOnBatch<'f, F, B> {
    form: &'f F,
    recorded: &'f Recordings,
    batch: B,
    /// The batch before it was moved to another device.
    original: Option<B>,
}

/// The value of a closure, or of its program if it has fields, which exist only in recordings.
///
/// Once there is a program, the closure is not tried again.
fn or_recorded(
    programs: &Programs,
    closure: impl FnOnce() -> Tensor<1>,
    program: impl FnOnce() -> Result<Tensor<1>, LossError>,
) -> Tensor<1> {
    let found = if programs.is_empty() {
        called(closure)
    } else {
        Err(LinearizeError::NotRecorded.into())
    };
    let found = match found {
        Err(LossError::Trace(LinearizeError::NotRecorded)) => program(),
        found => found,
    };
    found.unwrap_or_else(|error| fail(error))
}

impl<M, B, O, const R: usize> RiskBatch<M> for FormOnBatch<'_, Ranked<O, R>, B>
where
    M: Module,
    B: Batch,
    O: Outputs<M, B, R>,
{
    fn examples_and_weight(&self, index: usize) -> Result<(usize, f64), LossError> {
        examples_and_weight(&self.batch, index)
    }

    fn part(&self, examples: Range<usize>) -> Result<Box<dyn RiskBatch<M> + '_>, LossError> {
        let original = self.original.as_ref();
        let original = original.map(|batch| selected(batch, examples.clone()));
        Ok(Box::new(FormOnBatch {
            form: self.form,
            recorded: self.recorded,
            original: original.transpose()?,
            batch: selected(&self.batch, examples)?,
        }))
    }

    fn on(&self, device: &Device) -> Result<Box<dyn RiskBatch<M> + '_>, LossError> {
        Ok(Box::new(FormOnBatch {
            form: self.form,
            recorded: self.recorded,
            batch: moved_to(self.batch.clone(), device)?,
            original: Some(self.original.as_ref().unwrap_or(&self.batch).clone()),
        }))
    }

    fn loss(&self, model: &M, lift: Lift, reduction: Reduction) -> Tensor<1> {
        let Ranked(form) = self.form;
        let loss =
            |model: &M, batch: B| form.criterion(form.outputs(model, &batch), batch, reduction);
        let batch = lift.apply(self.batch.clone());
        let programs = match reduction {
            Reduction::Mean => &self.recorded.means,
            Reduction::Sum => &self.recorded.sums,
        };
        or_recorded(
            programs,
            || loss(model, batch.clone()),
            || programs.loss(model, batch.clone(), &loss, false),
        )
    }

    fn outputs(&self, model: &M, lift: Lift) -> Tensor<1> {
        let Ranked(form) = self.form;
        let batch = lift.apply(self.batch.clone());
        let outputs = |model: &M, batch: &B| form.outputs(model, batch);
        or_recorded(
            &self.recorded.outputs,
            || {
                let outputs = outputs(model, &batch);
                let len = outputs.shape().num_elements();
                outputs.reshape([len])
            },
            || self.recorded.outputs.outputs(model, &batch, &outputs),
        )
    }

    fn tensors(&self) -> Tensors {
        Tensors::of(self.batch.clone())
    }

    fn fingerprint(&self) -> Result<Fingerprint, SpaceError> {
        Fingerprint::of(self.original.as_ref().unwrap_or(&self.batch).clone())
    }

    fn trace_gradient(
        &self,
        model: M,
        settings: DeviceSettings,
        reduction: Reduction,
    ) -> Result<GradientTrace, LinearizeError> {
        let Ranked(form) = self.form;
        GradientTrace::new(
            model,
            settings,
            |inputs| traced(self.batch.clone(), inputs),
            |model, batch| form.criterion(form.outputs(model, &batch), batch, reduction),
        )
    }

    fn trace_outputs(
        &self,
        model: M,
        settings: DeviceSettings,
    ) -> Result<OutputTrace, LinearizeError> {
        OutputTrace::new(
            model,
            settings,
            |inputs| traced(self.batch.clone(), inputs),
            |model, batch| self.form.0.outputs(model, batch),
        )
    }

    fn trace_split(
        &self,
        model: M,
        settings: DeviceSettings,
        reduction: Reduction,
    ) -> Result<OutputTrace, LinearizeError> {
        OutputTrace::with_criterion(
            model,
            settings,
            |inputs| traced(self.batch.clone(), inputs),
            |model, batch| self.form.0.outputs(model, batch),
            |outputs, batch| self.form.0.criterion(outputs, batch, reduction),
        )
    }
}
