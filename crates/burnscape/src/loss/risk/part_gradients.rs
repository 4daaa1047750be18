//! Losses and gradients of parts of batches: micro-batches, and single examples.

use std::ops::ControlFlow;

use burn::module::Module;

use super::{Draws, Progress, Risk, RiskBatch, Work, each};
use crate::loss::pass::Pass;
use crate::loss::scalar::gradients;
use crate::loss::tally::check_finite;
use crate::loss::{Agreement, LossError, Reduction, Sides, compare_nearby};
use crate::space::{LeafVector, Nearby, ParamVector, epsilon};

/// Loss and gradient of a part of a batch. Both are those of the mean over its examples, for a sum as well.
#[derive(Debug, Clone)]
pub(crate) struct PartGradient<V = ParamVector> {
    /// Index of the batch.
    pub(crate) batch: usize,
    /// Examples of the part.
    pub(crate) num_examples: usize,
    /// Examples of the batch.
    pub(crate) batch_examples: usize,
    /// The mean loss of the part, which is finite.
    pub(crate) loss: f64,
    /// Its gradient, which need not be finite.
    pub(crate) gradient: V,
}

impl<M: Module, K> Risk<'_, M, K> {
    /// The gradient of every part of at most `size` examples of each batch (`None`: every batch whole), in order. False
    /// if `visit` or the observer broke.
    ///
    /// The last part of a batch has what is left over. A seed fixes the draws of a part by the number of parts before it:
    /// parts draw independently, and whole batches draw what they do in [`loss_and_gradient`](Self::loss_and_gradient).
    /// In training mode, normalization uses the statistics of the part.
    ///
    /// # Cost
    ///
    /// One forward and backward pass and one host synchronization per part. Memory: one vector.
    ///
    /// # Errors
    ///
    /// Those of [`loss_and_gradient`](Self::loss_and_gradient).
    pub(crate) fn each_part_gradient(
        &self,
        model: &M,
        size: Option<usize>,
        visit: &mut dyn FnMut(PartGradient) -> Result<ControlFlow<()>, LossError>,
    ) -> Result<bool, LossError> {
        self.each_part_leaves(model, size, &mut |part| {
            visit(PartGradient {
                batch: part.batch,
                num_examples: part.num_examples,
                batch_examples: part.batch_examples,
                loss: part.loss,
                gradient: ParamVector::from_leaves(&part.gradient)?,
            })
        })
    }

    /// Same as [`each_part_gradient`](Self::each_part_gradient), without a copy into one tensor.
    pub(crate) fn each_part_leaves(
        &self,
        model: &M,
        size: Option<usize>,
        visit: &mut dyn FnMut(PartGradient<LeafVector>) -> Result<ControlFlow<()>, LossError>,
    ) -> Result<bool, LossError> {
        self.in_time(model, || {
            let space = self.space(model)?;
            let pass = Pass::of(self, model, true)?;
            let total = self.num_batches().filter(|_| size.is_none());
            let size = size.unwrap_or(usize::MAX);
            let mut done = 0;
            let completed = each(&**self.source(), |index, batch| {
                let (batch_examples, _) = batch.examples_and_weight(index)?;
                each_part(batch, batch_examples, size, |part, num_examples| {
                    let loss = pass.loss(done, part)?;
                    self.check_draws(&pass, part, &loss)?;
                    let gradients = gradients(&loss, &pass.model)?;
                    let gradient = LeafVector::from_gradients(&space, &gradients)?;
                    let value = LeafVector::dots(&[], &[loss])?.1[0];
                    check_finite(index, value)?;
                    let (value, gradient) = match self.reduction {
                        Reduction::Mean => (value, gradient),
                        Reduction::Sum => {
                            let examples = num_examples as f64;
                            (value / examples, gradient.widen().scale(1.0 / examples))
                        }
                    };
                    done += 1;
                    let flow = visit(PartGradient {
                        batch: index,
                        num_examples,
                        batch_examples,
                        loss: value,
                        gradient,
                    })?;
                    let progress = Progress::new(Work::Gradient, done);
                    let reported = self.report(progress.of(total).value(value));
                    Ok(if flow.is_break() { flow } else { reported })
                })
            })?;
            if done == 0 {
                Err(LossError::EmptyData)
            } else {
                Ok(completed)
            }
        })
    }

    /// The largest relative difference between the loss of a batch and the mean (or sum) of the losses of its parts of
    /// at most `size` examples, where a part counts by its examples; `None` if it is rounding.
    ///
    /// Where the loss of a batch is not a mean over its examples (it is weighted, or normalization mixes them), the
    /// gradients of parts say nothing about that of the batch. Draws are another reason for a difference, so
    /// a loss whose draws are seeded is not compared: `None`.
    ///
    /// # Cost
    ///
    /// Two forward passes over the data, and one host synchronization per batch; up to four times as much again where
    /// they differ, since the losses at the weights may be rounding errors.
    ///
    /// # Errors
    ///
    /// Those of [`loss`](Self::loss), and [`LossError::Stopped`].
    pub(crate) fn check_parts(&self, model: &M, size: usize) -> Result<Option<f64>, LossError> {
        if self.draws != Draws::Refused {
            return Ok(None);
        }
        self.in_time(model, || self.defect_of_parts(model, size))
    }

    fn defect_of_parts(&self, model: &M, size: usize) -> Result<Option<f64>, LossError> {
        let Some(own) = self.worst_of_parts(model, size)? else {
            return Ok(None);
        };
        let space = self.space(model)?;
        let dtype = space.dtype()?;
        let tolerance = epsilon(dtype).sqrt();
        if own.difference <= tolerance * own.size {
            return Ok(None);
        }
        let nearby = Nearby::around(&ParamVector::from_module(&space, model)?)?;
        let agreement = compare_nearby(tolerance, dtype, Some(own), |distance| {
            let moved = nearby.displacement(distance)?.perturb(model, 1.0)?;
            match self.worst_of_parts(&moved, size) {
                Err(LossError::NonFinite { .. }) => Ok(None),
                found => found,
            }
        })?;
        Ok(match agreement {
            Agreement::Different { defect } => Some(defect),
            Agreement::Equal | Agreement::NotFinite => None,
        })
    }

    /// The loss of a batch against those of its parts, for the batch where they differ most; `None` if no batch has
    /// parts, or all losses are zero.
    fn worst_of_parts(&self, model: &M, size: usize) -> Result<Option<Sides>, LossError> {
        // With gradients: a closure may compute one itself.
        let pass = Pass::of(self, model, true)?;
        let total = self.num_batches();
        let mut worst: Option<Sides> = None;
        let mut done = 0;
        let completed = each(&**self.source(), |index, batch| {
            let (count, _) = batch.examples_and_weight(index)?;
            let whole = pass.loss(index, batch)?;
            self.check_draws(&pass, batch, &whole)?;
            let mut shares = Vec::new();
            let mut losses = vec![whole.inner()];
            if count > size {
                let _ = each_part(batch, count, size, |part, examples| {
                    losses.push(pass.loss(index, part)?.inner());
                    shares.push(match self.reduction {
                        Reduction::Mean => examples as f64 / count as f64,
                        Reduction::Sum => 1.0,
                    });
                    Ok(ControlFlow::Continue(()))
                })?;
            }
            let (_, losses) = LeafVector::dots(&[], &losses)?;
            losses
                .iter()
                .try_for_each(|&loss| check_finite(index, loss))?;
            let (whole, parts) = (losses[0], &losses[1..]);
            let own = sides(whole, parts, &shares);
            let is_worse = worst.is_none_or(|worst| ratio(worst) < ratio(own));
            if own.size > 0.0 && is_worse && !parts.is_empty() {
                worst = Some(own);
            }
            done += 1;
            let progress = Progress::new(Work::Loss, done).of(total);
            Ok::<_, LossError>(self.report(progress.value(whole)))
        })?;
        match (completed, done) {
            (_, 0) => Err(LossError::EmptyData),
            (false, batches) => Err(LossError::Stopped { batches }),
            (true, _) => Ok(worst),
        }
    }
}

/// A loss and the combination of those of its parts.
fn sides(whole: f64, parts: &[f64], shares: &[f64]) -> Sides {
    let terms = || shares.iter().zip(parts).map(|(share, loss)| share * loss);
    let size: f64 = terms().map(f64::abs).sum();
    Sides {
        difference: (whole - terms().sum::<f64>()).abs(),
        size: size.max(whole.abs()),
    }
}

fn ratio(sides: Sides) -> f64 {
    sides.difference / sides.size
}

/// Passes the parts of at most `size` examples of a batch of `count` to `visit`, each with the number of its examples,
/// until it breaks. A batch that is one part is not copied.
fn each_part<M>(
    batch: &dyn RiskBatch<M>,
    count: usize,
    size: usize,
    mut visit: impl FnMut(&dyn RiskBatch<M>, usize) -> Result<ControlFlow<()>, LossError>,
) -> Result<ControlFlow<()>, LossError> {
    if count <= size {
        return visit(batch, count);
    }
    let step = size.max(1);
    for start in (0..count).step_by(step) {
        let examples = start..count.min(start + step);
        let len = examples.len();
        if visit(&*batch.part(examples)?, len)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests;
