//! The cross-entropy of a classifier, from logits and labels.

use std::borrow::Borrow;

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use super::form::{Outputs, Ranked};
use super::source::{BatchScores, ClassSource, Parts, VisitScores};
use crate::loss::lift::plain;
use crate::loss::{Batch, DataSet, Reduction, examples_and_weight};

/// The logits `[n, classes]` and labels `[n]` of a classifier.
pub(super) struct OfClasses<F, G> {
    pub(super) logits: F,
    pub(super) labels: G,
}

impl<M, B, F, G> Outputs<M, B, 2> for OfClasses<F, G>
where
    F: Fn(&M, &B) -> Tensor<2>,
    G: Fn(&B) -> Tensor<1, Int>,
{
    fn outputs(&self, model: &M, batch: &B) -> Tensor<2> {
        (self.logits)(model, batch)
    }

    fn criterion(&self, logits: Tensor<2>, batch: B, reduction: Reduction) -> Tensor<1> {
        let labels = (self.labels)(&batch);
        let [count] = labels.dims();
        let of_labels = log_softmax(logits, 1).gather(1, labels.reshape([count, 1]));
        -reduction.of(of_labels)
    }
}

impl<M, F, G, S, D, B> ClassSource<M> for Parts<Ranked<OfClasses<F, G>, 2>, S, D, B>
where
    M: Module,
    F: Fn(&M, &B) -> Tensor<2>,
    G: Fn(&B) -> Tensor<1, Int>,
    S: Borrow<D>,
    D: DataSet<B> + ?Sized,
    B: Batch,
{
    fn visit_scores(&self, model: &M, visit: &mut VisitScores<'_>) {
        let OfClasses { logits, labels } = &self.form.0;
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
