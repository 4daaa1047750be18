//! A classifier's cross-entropy, of logits and labels.

use std::borrow::Borrow;

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DeviceSettings, Int, Tensor};
use burnscape_linearize::{LinearizeError, OutputTrace};

use super::form::{Form, OfOutputs};
use super::source::{BatchScores, ClassSource, Parts, VisitScores};
use crate::loss::lift::plain;
use crate::loss::{Batch, DataSet, Reduction, examples_and_weight};

/// Logits `[n, classes]` and labels `[n]`.
pub(super) struct OfClasses<F, G> {
    pub(super) logits: F,
    pub(super) labels: G,
}

fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, reduction: Reduction) -> Tensor<1> {
    let [count] = labels.dims();
    let of_labels = log_softmax(logits, 1).gather(1, labels.reshape([count, 1]));
    match reduction {
        Reduction::Mean => -of_labels.mean(),
        Reduction::Sum => -of_labels.sum(),
    }
}

impl<M, B, F, G> Form<M, B> for OfClasses<F, G>
where
    M: Module,
    B: Batch,
    F: Fn(&M, &B) -> Tensor<2>,
    G: Fn(&B) -> Tensor<1, Int>,
{
    fn loss(&self, model: &M, batch: B, reduction: Reduction) -> Tensor<1> {
        let labels = (self.labels)(&batch);
        cross_entropy((self.logits)(model, &batch), labels, reduction)
    }

    fn trace_outputs(
        &self,
        model: M,
        batch: &B,
        settings: DeviceSettings,
    ) -> Result<OutputTrace, LinearizeError> {
        self.trace_split(model, batch, settings, Reduction::Mean)
    }

    fn trace_split(
        &self,
        model: M,
        batch: &B,
        settings: DeviceSettings,
        reduction: Reduction,
    ) -> Result<OutputTrace, LinearizeError> {
        let halves = OfOutputs::<_, _, 2> {
            outputs: &self.logits,
            criterion: |logits, batch: B| cross_entropy(logits, (self.labels)(&batch), reduction),
        };
        halves.trace_split(model, batch, settings, reduction)
    }
}

impl<M, F, G, S, D, B> ClassSource<M> for Parts<OfClasses<F, G>, S, D, B>
where
    M: Module,
    F: Fn(&M, &B) -> Tensor<2>,
    G: Fn(&B) -> Tensor<1, Int>,
    S: Borrow<D>,
    D: DataSet<B> + ?Sized,
    B: Batch,
{
    fn visit_scores(&self, model: &M, visit: &mut VisitScores<'_>) {
        let OfClasses { logits, labels } = &self.form;
        let mut index = 0;
        self.data.borrow().visit(&mut |batch| {
            let scores = batch.and_then(|batch| {
                let (_, weight) = examples_and_weight(&batch, index)?;
                let batch = plain(batch);
                Ok(BatchScores {
                    logits: logits(model, &batch),
                    labels: labels(&batch),
                    weight,
                })
            });
            index += 1;
            visit(scores)
        });
    }
}
