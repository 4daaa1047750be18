//! The float tensors of the models that are merged, each with its counterparts.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::MergeError;
use crate::space::{FloatTensor, float_tensors, to_host, transfer};

/// The float tensors of models of one architecture, by model: the same paths in the same order, and finite. Each is on
/// its own device. Each model has a name for errors.
pub(super) fn checked<M: Module>(
    models: &[(String, &M)],
) -> Result<Vec<Vec<FloatTensor>>, MergeError> {
    let mut all: Vec<Vec<FloatTensor>> = Vec::with_capacity(models.len());
    for (name, model) in models {
        let own = float_tensors(*model)?;
        if let Some(first) = all.first() {
            check_same(name, first, &own)?;
        }
        check_finite(name, &own)?;
        all.push(own);
    }
    Ok(all)
}

/// The same on the devices of the first model.
pub(super) fn tensors_of<M: Module>(
    models: &[(String, &M)],
) -> Result<Vec<Vec<FloatTensor>>, MergeError> {
    let mut all = checked(models)?;
    if let Some((first, others)) = all.split_first_mut() {
        for own in others {
            for (tensor, first) in own.iter_mut().zip(first.iter()) {
                let device = first.values.device();
                if tensor.values.device() != device {
                    tensor.values = tensor.values.clone().to_device(&device);
                }
            }
        }
    }
    Ok(all)
}

/// The float tensors of two models.
pub(super) fn tensors_of_both<M: Module>(
    a: &M,
    b: &M,
) -> Result<(Vec<FloatTensor>, Vec<FloatTensor>), MergeError> {
    let models = [("model `a`".to_string(), a), ("model `b`".to_string(), b)];
    let mut all = tensors_of(&models)?.into_iter();
    match (all.next(), all.next()) {
        (Some(a), Some(b)) => Ok((a, b)),
        _ => Err(MergeError::NoModels),
    }
}

/// Values as a flat tensor of the same element type and device as another one.
pub(super) fn uploaded(values: Vec<f64>, like: &Tensor<1>) -> Tensor<1> {
    let data = TensorData::new(values, like.shape());
    Tensor::from_data(data, (&like.device(), like.dtype()))
}

/// Returns an error unless paths, shapes, element types and ties are the same.
fn check_same(
    name: &str,
    expected: &[FloatTensor],
    found: &[FloatTensor],
) -> Result<(), MergeError> {
    for index in 0..expected.len().max(found.len()) {
        let (own, other) = (expected.get(index), found.get(index));
        let is_same = own.zip(other).is_some_and(|(own, other)| {
            (&own.paths, &own.shape, own.values.dtype())
                == (&other.paths, &other.shape, other.values.dtype())
        });
        if !is_same {
            return Err(MergeError::DifferentModel {
                model: name.to_string(),
                expected: described(own),
                found: described(other),
            });
        }
    }
    Ok(())
}

fn described(tensor: Option<&FloatTensor>) -> String {
    let Some(tensor) = tensor else {
        return "no further tensor".to_string();
    };
    let (shape, dtype) = (&tensor.shape, tensor.values.dtype());
    match tensor.paths.as_slice() {
        [] => format!("{shape:?} {dtype:?}"),
        [path] => format!("`{path}` {shape:?} {dtype:?}"),
        [path, tied @ ..] => {
            format!(
                "`{path}` {shape:?} {dtype:?}, tied to `{}`",
                tied.join("`, `")
            )
        }
    }
}

/// Returns an error that names the first element that is not finite.
///
/// # Cost
///
/// One pass over the tensors and one host synchronization for each element type, if all is finite.
fn check_finite(name: &str, tensors: &[FloatTensor]) -> Result<(), MergeError> {
    let tensors: Vec<&FloatTensor> = tensors
        .iter()
        .filter(|tensor| !tensor.shape.contains(&0))
        .collect();
    let Some(first) = tensors.first() else {
        return Ok(());
    };
    let device = first.values.device();
    // Zero times a finite number is zero; a plain sum could overflow.
    let sums = tensors
        .iter()
        .map(|tensor| (tensor.values.clone() * 0.0).sum().to_device(&device));
    let sums = transfer(sums.collect())?;
    for (tensor, sum) in tensors.into_iter().zip(sums) {
        if sum.is_finite() {
            continue;
        }
        let values = to_host(tensor.values.clone())?;
        let mut values = values.into_iter().enumerate();
        if let Some((index, value)) = values.find(|(_, value)| !value.is_finite()) {
            return Err(MergeError::NonFinite {
                model: name.to_string(),
                path: tensor.paths.first().cloned().unwrap_or_default(),
                index,
                value,
            });
        }
    }
    Ok(())
}
