use burn::config::Config;
use burn::tensor::TensorData;
use nalgebra::DMatrix;

use super::differences::{
    NOTE, base_of, check_sum, decomposed, difference, displaced, mean_of_differences,
};
use super::matrices::{is_matrix, product};
use crate::merge::{MergeError, MergeMethod, MergeTensor};

/// Iso-C, isotropic merging: the sum of all differences from the base, with the same length in all of its directions.
/// Its name is `iso-c`.
///
/// For a matrix `[m, n]` and `Δ = Σ w_i (θ_i − θ_0) = U diag(σ) Vᵀ`,
///
/// ```text
/// θ = θ_0 + scale · σ̄ U Vᵀ,   σ̄ = (1 / min(m, n)) Σ_k σ_k.
/// ```
///
/// Where `Δ` has fewer directions than `min(m, n)`, the vectors of singular values of zero are arbitrary and left out:
/// `U Vᵀ` is the orthogonal factor on the range of `Δ`, while the mean is still over all values. So the result is a
/// function of `Δ` alone, and the base if `Δ` is zero. Zero is what rounding in f64 is, `max(m, n) ε` of the largest
/// value: a sum of low rank of models in f32 also has the directions of their rounding.
///
/// A matrix whose singular values are all equal does not change, and no other. Tensors that are not matrices get the
/// mean of their differences, `θ_0 + scale · (1/N) Σ w_i (θ_i − θ_0)`, which the [report](crate::merge::MergeReport)
/// notes. Weights may be negative.
///
/// # Cost
///
/// A dense singular value decomposition in f64, `O(m n min(m, n))`, and memory for a few matrices of the size of the
/// tensor.
///
/// # Defaults
///
/// A scale of 1. The paper chooses it on held-out data.
///
/// # Errors
///
/// [`MergeError::OutOfRange`] for a scale or weights that are not finite; [`MergeError::NoBase`];
/// [`MergeError::Method`] for numbers that are not finite.
///
/// # References
///
/// Marczak et al. 2025, *No Task Left Behind: Isotropic Model Merging with Common and Task-Specific Subspaces*,
/// arXiv:2502.04959.
///
/// # Example
///
/// ```
/// use burn::tensor::TensorData;
/// use burnscape::merge::{IsotropicMerge, MergeMethod, MergeTensor};
///
/// let base = TensorData::from([[0.0_f64, 0.0], [0.0, 0.0]]);
/// let models = [
///     TensorData::from([[3.0_f64, 0.0], [0.0, 0.0]]),
///     TensorData::from([[0.0_f64, 0.0], [0.0, 1.0]]),
/// ];
/// let tensor = MergeTensor::new("weight", &models)?.with_base(&base);
/// let merged = IsotropicMerge::new().merge(&tensor)?;
/// for (found, expected) in merged.iter::<f64>().zip([2.0, 0.0, 0.0, 2.0]) {
///     assert!((found - expected).abs() < 1e-12);
/// }
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct IsotropicMerge {
    /// The factor of the merged differences.
    #[config(default = 1.0)]
    pub scale: f64,
}

impl MergeMethod for IsotropicMerge {
    fn name(&self) -> String {
        "iso-c".to_string()
    }

    fn needs_base(&self) -> bool {
        true
    }

    fn check(&self, _name: &str, weights: &[f64]) -> Result<(), MergeError> {
        check_sum(self.scale, weights)
    }

    fn note(&self, _name: &str, shape: &[usize]) -> Option<String> {
        (!is_matrix(shape)).then(|| NOTE.to_string())
    }

    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        let (method, shape) = (self.name(), tensor.shape());
        if !is_matrix(shape) {
            return mean_of_differences(tensor, self.scale, &method);
        }
        let base = base_of(tensor, &method)?;
        let mut sum = DMatrix::zeros(shape[0], shape[1]);
        for model in 0..tensor.num_models() {
            sum += difference(tensor, &base, model);
        }
        let found = decomposed(&sum, tensor, &method)?;
        if found.values.is_empty() {
            return Ok(tensor.result(base));
        }
        let mean = found.values.iter().sum::<f64>() / shape[0].min(shape[1]) as f64;
        let equal = vec![mean; found.values.len()];
        let merged = product(&found.left, &equal, &found.right);
        Ok(displaced(tensor, base, self.scale, &merged))
    }
}
