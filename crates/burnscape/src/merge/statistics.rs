use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::Tensor;

use super::MergeError;
use super::averages::{mean, weighed};
use super::models::checked;
use crate::loss::scalar::called;
use crate::loss::{Lift, NormalizationPolicy, Risk, RiskBatch, each};
use crate::range::ensure;
use crate::space::{
    FloatTensor, RunningStatistics, copy_for_gradients, to_host, unshared_copy, with_values,
};

impl NormalizationPolicy {
    /// A copy of a merged model with the running statistics of this policy. `models` are those it was merged of, each with
    /// its weight.
    ///
    /// - [`Leave`](Self::Leave): the statistics of the model with the largest weight, the first of equal ones.
    /// - [`ReestimateAll`](Self::ReestimateAll), [`Reestimate`](Self::Reestimate): [`Risk::reestimate`] on the data of
    ///   `risk`.
    /// - [`Interpolate`](Self::Interpolate): the weighted mean of the statistics, as functions of
    ///   [`merge`](crate::merge) have it.
    ///
    /// Models without running statistics are the same under every policy.
    ///
    /// # Cost
    ///
    /// That of [`Risk::reestimate`] if it is used, and two passes more for each batch of a single example; otherwise that of
    /// [`average`](crate::merge::average).
    ///
    /// # Errors
    ///
    /// Those of [`weighted`](crate::merge::weighted), also for `merged`; [`MergeError::OutOfRange`] for zero batches;
    /// [`MergeError::OneExample`] if a batch has one example, with one value in each channel, from which no variance
    /// can be estimated (recognized by the name `running_var`); [`MergeError::Loss`] for the errors of
    /// [`Risk::reestimate`], which does not look for such batches by itself.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::nn::{BatchNorm, BatchNormConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burnscape::loss::{NormalizationPolicy, Risk};
    /// use burnscape::merge::average;
    ///
    /// let device = Device::default();
    /// let [a, b] = [(); 2].map(|()| BatchNormConfig::new(1).init(&device));
    /// let merged = average(&[&a, &b])?;
    /// let loss = |m: &BatchNorm, x: Tensor<2>| m.forward(x).mean();
    /// let data = [Tensor::<2>::from_floats([[1.0], [3.0]], &device)];
    /// let policy = NormalizationPolicy::ReestimateAll;
    /// let merged = policy.normalize(&Risk::new(&loss, &data), &merged, &[(&a, 0.5), (&b, 0.5)])?;
    /// assert!((merged.running_mean.value_sync().into_scalar::<f32>() - 2.0).abs() < 1e-5);
    /// # Ok::<(), burnscape::merge::MergeError>(())
    /// ```
    pub fn normalize<M: Module, K>(
        self,
        risk: &Risk<'_, M, K>,
        merged: &M,
        models: &[(&M, f64)],
    ) -> Result<M, MergeError> {
        if let Self::Reestimate(batches) = self {
            ensure("NormalizationPolicy::Reestimate", batches as f64, 1.0..)?;
        }
        let (first, all) = weighed(models)?;
        let named = [
            ("model 0".to_string(), first),
            ("the merged model".to_string(), merged),
        ];
        let own = checked(&named)?.pop().unwrap_or_default();
        let mut statistics: Vec<(&FloatTensor, Tensor<1>)> = Vec::new();
        for (index, tensor) in own.iter().enumerate() {
            if !tensor.is_running_statistic {
                continue;
            }
            let values = match self {
                Self::Leave => all[heaviest(models)][index].values.clone(),
                Self::Interpolate => mean(&all, models, index)?,
                Self::ReestimateAll | Self::Reestimate(_) => tensor.values.clone(),
            };
            statistics.push((tensor, values.to_device(&tensor.values.device())));
        }
        if statistics.is_empty() {
            return Ok(unshared_copy(merged));
        }
        let most = match self {
            Self::Leave | Self::Interpolate => return Ok(with_values(merged, statistics)),
            Self::ReestimateAll => None,
            Self::Reestimate(batches) => Some(batches),
        };
        check_variances(risk, merged, most)?;
        Ok(risk.reestimate(merged, most)?)
    }
}

/// The index of the model with the largest weight.
fn heaviest<M>(models: &[(&M, f64)]) -> usize {
    let weights = models.iter().map(|(_, weight)| *weight).enumerate();
    let heavier =
        |best: (usize, f64), next: (usize, f64)| if next.1 > best.1 { next } else { best };
    weights.reduce(heavier).map_or(0, |(index, _)| index)
}

/// Returns an error if the variance of a batch of one example is zero in every channel of a layer: the layer sees one value
/// in each.
fn check_variances<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    most: Option<usize>,
) -> Result<(), MergeError> {
    let statistics = RunningStatistics::of(model);
    let mut copy = copy_for_gradients(model, true);
    // The statistics after a forward pass that starts with the same number everywhere.
    let mut from = |start: f64, batch: &dyn RiskBatch<M>| {
        copy = statistics.filled(start).write_to(copy.clone());
        let lift = Lift::for_gradients(&copy);
        called(|| batch.loss(&copy, lift, risk.reduction()))?;
        Ok::<_, MergeError>(RunningStatistics::of(&copy))
    };
    let last = most.unwrap_or(usize::MAX).saturating_sub(1);
    each(&**risk.source(), |index, batch| {
        let (examples, _) = batch.examples_and_weight(index)?;
        if examples == 1 {
            // A layer without updates keeps the number that it starts with.
            let [zero, one] = [from(0.0, batch)?, from(1.0, batch)?];
            // Burn marks running statistics, but not which of them are variances: only the name of the field tells. The
            // statistics of other layers than Burn's are not recognized unless they have that name.
            for path in zero.paths().filter(|path| path.ends_with("running_var")) {
                let (Some(zero), Some(one)) = (zero.get(path), one.get(path)) else {
                    continue;
                };
                let [zero, one] = [to_host(zero.clone())?, to_host(one.clone())?];
                let is_updated = one.iter().any(|value| *value != 1.0);
                if is_updated && zero.iter().all(|value| *value == 0.0) {
                    return Err(MergeError::OneExample {
                        batch: index,
                        path: path.to_string(),
                    });
                }
            }
        }
        Ok(if index < last {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    Ok(())
}
