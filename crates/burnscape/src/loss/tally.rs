use std::ops::ControlFlow;

use burn::tensor::Tensor;

use super::risk::{Progress, RiskBatch, Source, Work, each};
use super::{Batch, LossError, Reduction};
use crate::space::LeafVector;

/// The number of examples of a batch and its weight.
pub(crate) fn examples_and_weight<B: Batch>(
    batch: &B,
    index: usize,
) -> Result<(usize, f64), LossError> {
    let examples = batch.num_examples()?.unwrap_or(1);
    if examples == 0 {
        return Err(LossError::EmptyBatch { batch: index });
    }
    let weight = batch.weight()?;
    if !(weight > 0.0 && weight.is_finite()) {
        return Err(LossError::BadWeight {
            batch: index,
            weight,
        });
    }
    Ok((examples, weight))
}

/// The value of a loss: one host synchronization.
pub(super) fn read_loss(loss: Tensor<1>) -> Result<f64, LossError> {
    Ok(LeafVector::dots(&[], &[loss])?.1[0])
}

/// Returns an error for a loss that is not finite.
pub(super) fn check_finite(batch: usize, value: f64) -> Result<(), LossError> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(LossError::NonFinite { batch, value })
    }
}

/// The running sums of a pass.
#[derive(Default)]
pub(super) struct Tally {
    reduction: Reduction,
    sum: f64,
    pub(super) weight: f64,
    pub(super) num_examples: usize,
    pub(super) num_batches: usize,
}

impl Tally {
    pub(super) fn new(reduction: Reduction) -> Self {
        Self {
            reduction,
            ..Self::default()
        }
    }

    /// Evaluates each batch, checks its loss, and passes the rest of the result to `collect` with the weight of the
    /// batch.
    pub(super) fn run<M, T>(
        &mut self,
        source: &(impl Source<M> + ?Sized),
        work: Work,
        mut report: impl FnMut(Progress) -> ControlFlow<()>,
        mut evaluate: impl FnMut(usize, &dyn RiskBatch<M>) -> Result<(Tensor<1>, T), LossError>,
        mut collect: impl FnMut(T, f64) -> Result<(), LossError>,
    ) -> Result<bool, LossError> {
        let total = source.num_batches();
        let completed = each(source, |index, batch| {
            let (examples, weight) = batch.examples_and_weight(index)?;
            let (loss, rest) = evaluate(index, batch)?;
            let value = read_loss(loss)?;
            check_finite(index, value)?;
            collect(rest, weight)?;
            self.add(examples, weight, value);
            let progress = Progress::new(work, self.num_batches);
            Ok::<_, LossError>(report(progress.of(total).value(value)))
        })?;
        if self.num_batches == 0 {
            Err(LossError::EmptyData)
        } else {
            Ok(completed)
        }
    }

    /// Adds the loss of a batch.
    pub(super) fn add(&mut self, examples: usize, weight: f64, value: f64) {
        self.sum += match self.reduction {
            Reduction::Mean => weight * value,
            Reduction::Sum => value,
        };
        self.weight += weight;
        self.num_examples += examples;
        self.num_batches += 1;
    }

    pub(super) fn value(&self) -> f64 {
        match self.reduction {
            Reduction::Mean => self.sum / self.weight,
            Reduction::Sum => self.sum,
        }
    }
}
