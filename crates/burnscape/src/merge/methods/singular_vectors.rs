use std::ops::Bound;

use burn::config::Config;
use burn::tensor::TensorData;
use nalgebra::{DMatrix, DVector};

use super::differences::{
    NOTE, base_of, check_sum, decomposed, difference, displaced, mean_of_differences, undecomposed,
};
use super::matrices::{is_matrix, orthogonalized, product};
use crate::merge::{MergeError, MergeMethod, MergeTensor};
use crate::range::ensure;

/// TSV-M, merging of task singular vectors: the leading singular directions of every model's difference from the base,
/// made orthogonal to each other so that they do not disturb one another. Its name is `tsv-m`.
///
/// For a matrix `[m, n]` with differences `w_i τ_i`, `τ_i = θ_i − θ_0`, of `N` models, each keeps its
/// `k = max(1, ⌊share · min(m, n)⌋)` largest singular values `S_i` with the vectors `U_i`, `V_i`. Side by side,
/// `U = [U_1 … U_N]`, `S = diag(S_1, …, S_N)` and `V = [V_1 … V_N]`, they are merged to
///
/// ```text
/// θ = θ_0 + scale · U⊥ S V⊥ᵀ,   U⊥ = U (Uᵀ U)^(−½),   V⊥ = V (Vᵀ V)^(−½),
/// ```
///
/// with the pseudo-inverse: eigenvalues of `Uᵀ U` below 10⁻¹⁰ of the largest one count as zero. Singular values that
/// are zero to rounding (`max(m, n) ε` of the largest one) have no vectors and are left out.
///
/// Models that change orthogonal directions are added up. Models that change the same directions are averaged: at full
/// rank (`rank_share` of 1), equal models give that model, however many there are. Tensors that are not matrices get
/// the mean of their differences, `θ_0 + scale · (1/N) Σ w_i τ_i`, which the [report](crate::merge::MergeReport) notes.
/// Weights may be negative.
///
/// # Cost
///
/// A dense singular value decomposition in f64 for each model and two of the factors side by side: `O(m n min(m, n))`
/// for each. Memory for a few matrices of the size of the tensor for each model.
///
/// # Defaults
///
/// A share of one over the number of models and a scale of 1, as in the paper.
///
/// # Errors
///
/// [`MergeError::OutOfRange`] unless the share is more than 0 and at most 1, and for a scale or weights that are not
/// finite; [`MergeError::NoBase`]; [`MergeError::Method`] for numbers that are not finite.
///
/// # References
///
/// Gargiulo et al. 2025, *Task Singular Vectors: Reducing Task Interference in Model Merging*, arXiv:2412.00081.
///
/// # Example
///
/// ```
/// use burn::tensor::TensorData;
/// use burnscape::merge::{MergeMethod, MergeTensor, TaskSingularVectors};
///
/// let base = TensorData::from([[0.0_f64, 0.0], [0.0, 0.0]]);
/// // Two models that have changed one direction each.
/// let models = [
///     TensorData::from([[1.0_f64, 0.0], [0.0, 0.0]]),
///     TensorData::from([[0.0_f64, 0.0], [0.0, 2.0]]),
/// ];
/// let tensor = MergeTensor::new("weight", &models)?.with_base(&base);
/// let merged = TaskSingularVectors::new().merge(&tensor)?;
/// for (found, expected) in merged.iter::<f64>().zip([1.0, 0.0, 0.0, 2.0]) {
///     assert!((found - expected).abs() < 1e-12);
/// }
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct TaskSingularVectors {
    /// The share of the singular values that each model keeps, more than 0 and at most 1; one over the number of models
    /// if there is none.
    #[config(default = "None")]
    pub rank_share: Option<f64>,
    /// The factor of the merged differences.
    #[config(default = 1.0)]
    pub scale: f64,
}

impl TaskSingularVectors {
    /// How many singular values each model keeps.
    fn rank(&self, size: usize, num_models: usize) -> usize {
        let rank = match self.rank_share {
            None => size / num_models.max(1),
            // A share like 0.7 is not exactly 7 of 10.
            Some(share) => (size as f64 * share * (1.0 + 1e-12)).floor() as usize,
        };
        rank.clamp(1, size)
    }
}

impl MergeMethod for TaskSingularVectors {
    fn name(&self) -> String {
        "tsv-m".to_string()
    }

    fn needs_base(&self) -> bool {
        true
    }

    fn check(&self, _name: &str, weights: &[f64]) -> Result<(), MergeError> {
        if let Some(share) = self.rank_share {
            let share_of_all = (Bound::Excluded(0.0), Bound::Included(1.0));
            ensure("rank_share", share, share_of_all)?;
        }
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
        let rank = self.rank(shape[0].min(shape[1]), tensor.num_models());
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let mut values: Vec<f64> = Vec::new();
        for model in 0..tensor.num_models() {
            let found = decomposed(&difference(tensor, &base, model), tensor, &method)?;
            left.extend(columns(&found.left, rank));
            right.extend(columns(&found.right, rank));
            values.extend(found.values.iter().take(rank));
        }
        if values.is_empty() {
            // All models are the base.
            return Ok(tensor.result(base));
        }
        let sides = [left, right].map(|side| orthogonalized(&DMatrix::from_columns(&side)));
        let [Some(left), Some(right)] = sides else {
            return Err(undecomposed(tensor, &method));
        };
        let merged = product(&left, &values, &right);
        Ok(displaced(tensor, base, self.scale, &merged))
    }
}

/// The first columns.
fn columns(matrix: &DMatrix<f64>, count: usize) -> impl Iterator<Item = DVector<f64>> {
    let columns = matrix.column_iter().take(count);
    columns.map(|column| column.clone_owned())
}
