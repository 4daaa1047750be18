use burn::module::Module;
use burn::tensor::Tensor;

use super::MergeError;
use super::methods::check_mean_weights;
use super::models::{tensors_of, tensors_of_both};
use crate::range::ensure;
use crate::space::{
    FloatTensor, RunningMean, Towards, as_accumulator, as_dtype, unshared_copy, with_values,
};

/// The mean of models, parameter by parameter: `θ = (1/n) Σ_i θ_i`.
///
/// Models match by path. Parameters count whether they are trained or frozen, and so do running statistics: they are
/// averaged alike, as by [`NormalizationPolicy::Interpolate`](crate::loss::NormalizationPolicy), and usually have to be
/// [estimated again](crate::loss::NormalizationPolicy::normalize). Everything else is that of the first model: autodiff, what
/// requires gradients, flags and ties, integer and Boolean tensors. The result shares no state with the models.
///
/// The mean runs, `m ← m − (m − θ_i) / i`, in the element type of the parameter, or in f32 if that is
/// narrower. So the mean of equal models is that model, bit by bit.
///
/// # Cost
///
/// Two passes over the parameters of each model, and one host synchronization for each model and element type. Memory
/// for one model, and for a few copies of the largest parameter.
///
/// # Errors
///
/// [`MergeError::NoModels`]; [`MergeError::DifferentModel`], with the first parameter that differs in path, shape, element
/// type or ties; [`MergeError::NonFinite`]; [`MergeError::Space`] for quantized parameters, and for a device that fails.
///
/// # References
///
/// Izmailov et al. 2018, *Averaging Weights Leads to Wider Optima and Better Generalization*, arXiv:1803.05407; Wortsman
/// et al. 2022, *Model Soups*, arXiv:2203.05482, for models from several runs.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burnscape::merge::average;
///
/// let device = Device::default();
/// let models: Vec<Linear> = (0..3).map(|_| LinearConfig::new(2, 2).init(&device)).collect();
/// let mean = average(&[&models[0], &models[1], &models[2]])?;
/// let [a, b, c] = [0, 1, 2].map(|index: usize| models[index].weight.val());
/// let difference = mean.weight.val() - (a + b + c) / 3.0;
/// assert!(difference.abs().max().into_scalar::<f32>() < 1e-6);
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
pub fn average<M: Module>(models: &[&M]) -> Result<M, MergeError> {
    let models: Vec<(&M, f64)> = models.iter().map(|&model| (model, 1.0)).collect();
    weighted(&models)
}

/// The weighted mean of models, parameter by parameter: `θ = Σ_i w_i θ_i / Σ_i w_i`.
///
/// Everything else is as in [`average`], cost included. A model of weight zero is checked and otherwise ignored, but its
/// context counts if it is the first.
///
/// # Errors
///
/// Those of [`average`], and [`MergeError::OutOfRange`] if a weight is negative or not finite, or if all are zero.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::merge::weighted;
///
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 2).init(&device));
/// let mean = weighted(&[(&a, 1.0), (&b, 3.0)])?;
/// let expected = (a.weight.val() + b.weight.val() * 3.0) / 4.0;
/// let difference = mean.weight.val() - expected;
/// assert!(difference.abs().max().into_scalar::<f32>() < 1e-6);
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
pub fn weighted<M: Module>(models: &[(&M, f64)]) -> Result<M, MergeError> {
    let (first, all) = weighed(models)?;
    let merged = all[0].iter().enumerate();
    let merged = merged.map(|(index, tensor)| Ok((tensor, mean(&all, models, index)?)));
    let merged: Vec<(&FloatTensor, Tensor<1>)> = merged.collect::<Result<_, MergeError>>()?;
    Ok(with_values(first, merged))
}

/// The model on the straight line between two models: `θ = θ_a − t (θ_a − θ_b)`, which is `(1 − t) θ_a + t θ_b`.
///
/// At 0 and 1 it has the numbers of `a` and `b` to the last bit, and everywhere if these are equal. Context, cost and what
/// happens to running statistics are as in [`average`], with `a` as the first model.
///
/// # Errors
///
/// Those of [`average`], and [`MergeError::OutOfRange`] unless `t` is from 0 to 1.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::merge::interpolate;
///
/// let device = Device::default();
/// let [a, b] = [(); 2].map(|()| LinearConfig::new(2, 2).init(&device));
/// let same = interpolate(&a, &b, 1.0)?;
/// assert_eq!(same.weight.val().into_data(), b.weight.val().into_data());
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
pub fn interpolate<M: Module>(a: &M, b: &M, t: f64) -> Result<M, MergeError> {
    ensure("t", t, 0.0..=1.0)?;
    let (of_a, of_b) = tensors_of_both(a, b)?;
    if t == 0.0 {
        return Ok(unshared_copy(a));
    }
    let pairs = of_a.iter().zip(&of_b);
    let merged = pairs.map(|(own, other)| Ok((own, between(&own.values, &other.values, t)?)));
    let merged: Vec<(&FloatTensor, Tensor<1>)> = merged.collect::<Result<_, MergeError>>()?;
    Ok(with_values(a, merged))
}

/// `a − t (a − b)`, in f32 if the element type is narrower.
pub(super) fn between(a: &Tensor<1>, b: &Tensor<1>, t: f64) -> Result<Tensor<1>, MergeError> {
    let [wide_a, wide_b] = [a, b].map(|values| as_accumulator(values.clone()));
    Ok(as_dtype(wide_a.towards(&wide_b, t)?, a.dtype()))
}

/// The first model, and the float tensors of all of them, for weights that have a mean.
pub(super) fn weighed<'m, M: Module>(
    models: &[(&'m M, f64)],
) -> Result<(&'m M, Vec<Vec<FloatTensor>>), MergeError> {
    let Some(&(first, _)) = models.first() else {
        return Err(MergeError::NoModels);
    };
    let weights: Vec<f64> = models.iter().map(|(_, weight)| *weight).collect();
    check_mean_weights(&weights)?;
    let named = models.iter().enumerate();
    let named: Vec<(String, &M)> = named
        .map(|(index, (model, _))| (format!("model {index}"), *model))
        .collect();
    Ok((first, tensors_of(&named)?))
}

/// The weighted mean of one tensor of all models.
pub(super) fn mean<M>(
    all: &[Vec<FloatTensor>],
    models: &[(&M, f64)],
    index: usize,
) -> Result<Tensor<1>, MergeError> {
    let mut mean = RunningMean::new();
    for (tensors, (_, weight)) in all.iter().zip(models) {
        mean.add(as_accumulator(tensors[index].values.clone()), *weight)?;
    }
    let mean = mean.into_mean().ok_or(MergeError::NoModels)?;
    Ok(as_dtype(mean, all[0][index].values.dtype()))
}
