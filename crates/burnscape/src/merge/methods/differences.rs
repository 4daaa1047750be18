//! Differences of models from their base, for the methods of matrices.

use burn::tensor::TensorData;
use nalgebra::DMatrix;

use super::matrices::{Singular, matrix, row_major};
use crate::merge::{MergeError, MergeTensor};
use crate::range::ensure;

/// What these methods do with tensors that are not matrices.
pub(super) const NOTE: &str = "mean of differences: not a matrix";

/// Refuses numbers that are not finite.
pub(super) fn check_sum(scale: f64, weights: &[f64]) -> Result<(), MergeError> {
    ensure("scale", scale, ..)?;
    for weight in weights {
        ensure("weights", *weight, ..)?;
    }
    Ok(())
}

/// The base of a tensor.
pub(super) fn base_of(tensor: &MergeTensor<'_>, method: &str) -> Result<Vec<f64>, MergeError> {
    tensor.check_base(method)?;
    Ok(tensor.base_values().unwrap_or_default())
}

/// `w (θ − θ_0)` of one model, as a matrix.
pub(super) fn difference(tensor: &MergeTensor<'_>, base: &[f64], model: usize) -> DMatrix<f64> {
    let weight = tensor.weights()[model];
    let mut values = tensor.values(model);
    for (value, base) in values.iter_mut().zip(base) {
        *value = weight * (*value - base);
    }
    matrix(tensor.shape(), &values)
}

/// `θ_0 + scale · Δ`.
pub(super) fn displaced(
    tensor: &MergeTensor<'_>,
    mut base: Vec<f64>,
    scale: f64,
    by: &DMatrix<f64>,
) -> TensorData {
    for (value, by) in base.iter_mut().zip(row_major(by)) {
        *value += scale * by;
    }
    tensor.result(base)
}

/// `θ_0 + scale · (1/N) Σ w (θ − θ_0)`.
pub(super) fn mean_of_differences(
    tensor: &MergeTensor<'_>,
    scale: f64,
    method: &str,
) -> Result<TensorData, MergeError> {
    tensor.check_base(method)?;
    let scale = scale / tensor.num_models() as f64;
    Ok(tensor.map(|block, merged| {
        let Some(base) = block.base else {
            return;
        };
        for (index, merged) in merged.iter_mut().enumerate() {
            let models = block.models.iter().zip(tensor.weights());
            let terms = models.map(|(model, weight)| weight * (model[index] - base[index]));
            *merged = base[index] + scale * terms.sum::<f64>();
        }
    }))
}

/// The singular values and vectors of differences, or an error that names the tensor.
pub(super) fn decomposed(
    differences: &DMatrix<f64>,
    tensor: &MergeTensor<'_>,
    method: &str,
) -> Result<Singular, MergeError> {
    Singular::of(differences).ok_or_else(|| undecomposed(tensor, method))
}

/// The error for a decomposition that does not exist.
pub(super) fn undecomposed(tensor: &MergeTensor<'_>, method: &str) -> MergeError {
    MergeError::Method {
        method: method.to_string(),
        tensor: tensor.name().to_string(),
        message: "its differences from the base have no singular value decomposition; look for numbers that are not \
                  finite, or use another method for this tensor"
            .to_string(),
    }
}
