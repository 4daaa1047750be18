use std::collections::BTreeMap;
use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Tensor;

use super::draws::BatchDraws;
use super::scalar::called;
use super::{Lift, LossError, Risk, RiskBatch, each};
use crate::space::{
    RunningStatistics, as_accumulator, copy_for_gradients, epsilon, power_of_two, to_host,
    unshared_copy,
};

impl<M: Module, K> Risk<'_, M, K> {
    /// A copy of `model` with re-estimated running statistics: the mean of the batch statistics over a pass of the data,
    /// weighted by the [weights](crate::loss::Batch::weight) of the batches.
    ///
    /// The mean is exact for every momentum: the update of a layer, `(1 − m) r + m s`, is solved for the statistic `s` of
    /// the batch. With a single batch, the copy computes in inference what the model computes in training. The variance is
    /// the mean of the variances within batches, as in PyTorch's `update_bn`. Layers that do not update (frozen ones) keep
    /// their statistics.
    ///
    /// # Random draws
    ///
    /// The mode is training mode, in which dropout draws masks. With [`with_draws_seed`](Self::with_draws_seed), masks
    /// depend on the seed and the index of the batch. Without it, draws that change statistics are an error: those of
    /// the first batch are compared with those of a second evaluation. Draws behind the last of these layers change
    /// none.
    ///
    /// # Cost
    ///
    /// One forward pass in training mode per batch, and one more for the first batch; nothing for a model without running
    /// statistics. One host synchronization per statistic, and one more for seeded draws. The first call for a risk
    /// without a seed adds one forward pass of the first batch and one synchronization per statistic.
    ///
    /// # Errors
    ///
    /// [`LossError::EmptyData`], [`LossError::Statistics`] if a result is NaN or infinite, [`LossError::NoBatches`] if
    /// `max_batches` is zero, [`LossError::Draws`].
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{BatchNorm, BatchNormConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::Risk;
    ///
    /// let device = Device::default();
    /// let norm = BatchNormConfig::new(1).init(&device);
    /// let loss = |m: &BatchNorm, x: Tensor<2>| m.forward(x).mean();
    /// let data = [[[1.0], [3.0]], [[5.0], [7.0]]].map(|x| Tensor::<2>::from_floats(x, &device));
    /// let estimated = Risk::new(&loss, &data).reestimate(&norm, None)?;
    /// assert!((estimated.running_mean.value_sync().into_scalar::<f32>() - 4.0).abs() < 1e-5);
    /// assert!((estimated.running_var.value_sync().into_scalar::<f32>() - 1.0).abs() < 1e-5);
    /// # Ok::<(), burnscape::loss::LossError>(())
    /// ```
    ///
    /// # References
    ///
    /// Izmailov et al. 2018, arXiv:1803.05407; Garipov et al. 2018, arXiv:1802.10026.
    pub fn reestimate(&self, model: &M, max_batches: Option<usize>) -> Result<M, LossError> {
        if max_batches == Some(0) {
            return Err(LossError::NoBatches);
        }
        let original = RunningStatistics::of(model);
        if original.is_empty() {
            return Ok(unshared_copy(model));
        }
        self.in_time(model, || self.mean_of(original, model, max_batches))
    }

    /// A copy of a model with the mean of the batch statistics in the place of the original ones.
    fn mean_of(
        &self,
        original: RunningStatistics,
        model: &M,
        max_batches: Option<usize>,
    ) -> Result<M, LossError> {
        let device = model.devices().first().cloned().unwrap_or_default();
        let draws = BatchDraws::new(self.draws(), &device)?;
        // Layers use the statistics of a batch on an autodiff device only. Burn keeps the graph of a forward pass until a
        // backward pass, which never comes, so that no parameter asks for gradients.
        let mut copy = copy_for_gradients(model, true).no_grad();
        let mut is_tracked = false;
        let zero = original.filled(0.0);
        // The statistics after a forward pass that starts with the given ones.
        let mut follow = |statistics: &RunningStatistics, index, batch: &dyn RiskBatch<M>| {
            copy = statistics.write_to(copy.clone());
            let pass = |copy: &M| {
                draws.begin(index);
                called(|| batch.loss(copy, Lift::for_gradients(copy), self.reduction()))
            };
            match pass(&copy) {
                // The closure may compute a gradient itself.
                Err(LossError::Panicked { .. }) if !is_tracked => {
                    is_tracked = true;
                    copy = statistics.write_to(copy_for_gradients(model, true));
                    drop(pass(&copy)?);
                }
                loss => drop(loss?),
            }
            Ok::<_, LossError>(RunningStatistics::of(&copy))
        };
        let mut retained = None;
        let mut sum = zero.clone();
        let (mut weight, mut unit) = (0.0, None);
        let last = max_batches.unwrap_or(usize::MAX) - 1;
        each(&**self.source(), |index, batch| {
            let (_, count) = batch.examples_and_weight(index)?;
            let scaled = follow(&zero, index, batch)?;
            if retained.is_none() {
                if self.probes_statistics() {
                    check_draws(&scaled, &follow(&zero, index, batch)?)?;
                    self.note_statistics();
                }
                // Measures `1 − m` with starting values of the size of the statistics, to avoid cancellation.
                let start = scaled.spread(10.0);
                let kept = follow(&start, index, batch)?.axpby(1.0, -1.0, &scaled)?;
                retained = Some(kept.zip(&start, |kept, start| kept / start));
            }
            // Scaled by the first weight, so that weights stay within the range of the statistics.
            let unit = *unit.get_or_insert(power_of_two(count));
            sum = sum.clone().axpby(1.0, count / unit, &scaled)?;
            weight += count / unit;
            Ok::<_, LossError>(if index < last {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        let Some(retained) = retained else {
            return Err(LossError::EmptyData);
        };
        let mean = sum.axpby(1.0 / weight, 0.0, &zero)?;
        // A layer that retains its old value entirely did not update; rounding changes a few units in the last place.
        let share = retained.zip(&zero, |retained, _| {
            let share = retained * -1.0 + 1.0;
            let is_still = share.clone().abs().lower_elem(1e-6);
            share.mask_fill(is_still, 0.0)
        });
        let estimated = mean.zip(&share, |mean, share| {
            let is_still = share.clone().equal_elem(0.0);
            mean / share.mask_fill(is_still, 1.0)
        });
        let mask = share.zip(&zero, |share, _| {
            let is_still = share.clone().equal_elem(0.0);
            share.ones_like().mask_fill(is_still, 0.0)
        });
        let kept = original.zip(&mask, |original, mask| original * (mask * -1.0 + 1.0));
        let estimated = estimated.zip(&mask, |mean, mask| mean * mask);
        let estimated = estimated.axpby(1.0, 1.0, &kept)?;
        check_finite(&estimated)?;
        Ok(estimated.write_to(unshared_copy(model)))
    }
}

/// Returns an error if statistics of the same batch differ by more than rounding.
fn check_draws(first: &RunningStatistics, second: &RunningStatistics) -> Result<(), LossError> {
    // The largest difference in each layer, in units of the tolerance, and the largest number.
    let mut layers: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for path in first.paths() {
        let (Some(one), Some(other)) = (first.get(path), second.get(path)) else {
            continue;
        };
        // Reductions on a GPU may run in any order.
        let epsilon = epsilon(one.dtype());
        let units = if epsilon > 1e-4 { 1.5 } else { 1e3 };
        let (one, other) = (as_accumulator(one.clone()), as_accumulator(other.clone()));
        let difference = (one.clone() - other.clone()).max_abs();
        let numbers = Tensor::cat(vec![difference, one.max_abs(), other.max_abs()], 0);
        let [difference, one, other] = to_host(numbers)?[..] else {
            continue;
        };
        let layer = path.rsplit_once('.').map_or("", |(layer, _)| layer);
        let (largest, size) = layers.entry(layer).or_default();
        *largest = largest.max(difference / (units * epsilon));
        *size = size.max(one).max(other);
    }
    // A mean is the sum of numbers as far apart as the root of the variance, which may cancel.
    let is_drawn = |&(difference, size): &(f64, f64)| difference > size.max(size.sqrt());
    if layers.values().any(is_drawn) {
        Err(LossError::Draws)
    } else {
        Ok(())
    }
}

/// Returns an error if a statistic is NaN or infinite.
fn check_finite(statistics: &RunningStatistics) -> Result<(), LossError> {
    for path in statistics.paths() {
        let Some(values) = statistics.get(path) else {
            continue;
        };
        // Zero times a finite number is zero; a plain sum could overflow.
        let sum = to_host((values.clone() * 0.0).sum())?;
        if !sum.iter().all(|sum| sum.is_finite()) {
            return Err(LossError::Statistics {
                what: format!("`{path}` is not finite"),
            });
        }
    }
    Ok(())
}
