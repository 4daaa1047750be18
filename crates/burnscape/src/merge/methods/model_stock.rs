use burn::tensor::TensorData;

use super::average::{check_mean_weights, weighted_sum};
use super::inner_products::InnerProducts;
use crate::merge::{MergeError, MergeMethod, MergeTensor};

/// Model stock: the mean of models that were trained from one base, drawn towards the base by as much as they disagree.
/// Its name is `model-stock`.
///
/// With `τ_i = θ_i − θ_0`, and the mean `c` of the cosines of the angles between each two of them,
///
/// ```text
/// t = N c / (1 + (N − 1) c),   θ = t · Σ_i θ_i / N + (1 − t) θ_0
/// ```
///
/// for each tensor, and `t = 0` for `c ≤ 0`. It is the point nearest to the center of the models between their mean and
/// the base, if the `τ_i` have equal norms and angles. A pair with a `τ` that is zero counts as orthogonal. Without a
/// pair, `c` is 1: one model is the result, and so are equal ones. With `t = 0`, which the report does not say, the
/// result is the base: [`ratio`](Self::ratio) returns `t`.
///
/// # Cost
///
/// Two passes over each tensor in memory, the first one with `N (N + 1) / 2` inner products.
///
/// # Errors
///
/// [`MergeError::NoBase`]; [`MergeError::OutOfRange`] if a weight is negative or not finite, or if all are zero;
/// [`MergeError::Method`] if weights differ, which the formula does not have.
///
/// # References
///
/// Jang, Yun, Han 2024, *Model Stock: All we need is just a few fine-tuned models*, arXiv:2403.19522.
///
/// # Example
///
/// ```
/// use burn::tensor::TensorData;
/// use burnscape::merge::{MergeMethod, MergeTensor, ModelStock};
///
/// // The cosine is ½, so that t = ⅔.
/// let models = [TensorData::from([2.0_f64, 0.0]), TensorData::from([1.0, 3.0_f64.sqrt()])];
/// let base = TensorData::from([0.0_f64, 0.0]);
/// let merged = ModelStock.merge(&MergeTensor::new("w", &models)?.with_base(&base))?;
/// let expected = [1.0, 1.0 / 3.0_f64.sqrt()];
/// assert!(merged.iter::<f64>().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15));
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModelStock;

impl ModelStock {
    /// The method, which has no settings.
    pub fn new() -> Self {
        Self
    }

    /// How much of the result is the mean of the models: `t`. It is 1 for equal models, and 0 where the mean of the
    /// cosines is not positive, so that the result is the base.
    ///
    /// # Cost
    ///
    /// One pass, with `N (N + 1) / 2` inner products.
    ///
    /// # Errors
    ///
    /// Those of the method.
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::TensorData;
    /// use burnscape::merge::{MergeTensor, ModelStock};
    ///
    /// let models = [TensorData::from([1.0_f32, 0.5]), TensorData::from([-1.0_f32, 0.5])];
    /// let base = TensorData::from([0.0_f32, 0.0]);
    /// let tensor = MergeTensor::new("w", &models)?.with_base(&base);
    /// assert_eq!(ModelStock.ratio(&tensor)?, 0.0); // the cosine is −0.6
    /// # Ok::<(), burnscape::merge::MergeError>(())
    /// ```
    pub fn ratio(&self, tensor: &MergeTensor<'_>) -> Result<f64, MergeError> {
        self.check(tensor.name(), tensor.weights())?;
        tensor.check_base(&self.name())?;
        let count = tensor.num_models();
        let mut products = InnerProducts::new(count);
        let mut differences: Vec<Vec<f64>> = vec![Vec::new(); count];
        tensor.each(|block| {
            let Some(base) = block.base else { return };
            for (differences, model) in differences.iter_mut().zip(block.models) {
                differences.clear();
                // Half of it is always finite, and has the same angles.
                let halves = model.iter().zip(base);
                differences.extend(halves.map(|(model, base)| 0.5 * model - 0.5 * base));
            }
            let vectors: Vec<&[f64]> = differences.iter().map(Vec::as_slice).collect();
            products.add(&vectors, 0..block.len());
        });
        Ok(share_of_mean(&products))
    }
}

impl MergeMethod for ModelStock {
    fn name(&self) -> String {
        "model-stock".to_string()
    }

    fn needs_base(&self) -> bool {
        true
    }

    fn check(&self, name: &str, weights: &[f64]) -> Result<(), MergeError> {
        check_mean_weights(weights)?;
        if weights.windows(2).all(|pair| pair[0] == pair[1]) {
            return Ok(());
        }
        Err(MergeError::Method {
            method: self.name(),
            tensor: name.to_string(),
            message: format!(
                "it has the weights {weights:?}; use equal ones, or the method `average`"
            ),
        })
    }

    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        let t = self.ratio(tensor)?;
        let count = tensor.num_models();
        let weights = vec![t / count as f64; count];
        Ok(tensor.map(|block, out| {
            weighted_sum(block.models, 0..block.len(), &weights, out);
            for (out, base) in out.iter_mut().zip(block.base.unwrap_or_default()) {
                *out += (1.0 - t) * base;
            }
        }))
    }
}

/// How much of the result is the mean of the models.
fn share_of_mean(products: &InnerProducts) -> f64 {
    let count = products.count();
    let pairs = (0..count).flat_map(|one| (0..one).map(move |other| (one, other)));
    let cosines: Vec<f64> = pairs
        .map(|(one, other)| products.cosine(one, other))
        .collect();
    let cosine = match cosines.len() {
        0 => 1.0,
        pairs => cosines.iter().sum::<f64>() / pairs as f64,
    };
    let cosine = cosine.max(0.0);
    let count = count as f64;
    count * cosine / (1.0 + (count - 1.0) * cosine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(vectors: &[&[f64]]) -> f64 {
        let mut products = InnerProducts::new(vectors.len());
        products.add(vectors, 0..vectors[0].len());
        share_of_mean(&products)
    }

    /// D17.
    #[test]
    fn shares_follow_the_cosine() {
        let half = share(&[&[2.0, 0.0], &[1.0, 3.0_f64.sqrt()]]);
        assert!((half - 2.0 / 3.0).abs() < 1e-15);
        // Four vectors at equal angles, of cosine 1/5: a common part of 1, and orthogonal ones of 2.
        let four = [0, 1, 2, 3].map(|own| {
            let mut vector = vec![0.0; 5];
            (vector[0], vector[own + 1]) = (1.0, 2.0);
            vector
        });
        let four: Vec<&[f64]> = four.iter().map(Vec::as_slice).collect();
        assert!((share(&four) - 0.5).abs() < 1e-15);
        assert_eq!(share(&[&[1.0, 0.0], &[-1.0, 0.1]]), 0.0);
        assert_eq!(share(&[&[1.0, 0.0], &[0.0, 0.0]]), 0.0);
        assert_eq!(share(&[&[1.0, 2.0]]), 1.0);
    }

    #[test]
    fn equal_models_are_the_result_and_disagreeing_ones_the_base() {
        let models = [[1.0_f32, 0.3], [1.0, 0.3], [1.0, 0.3]].map(TensorData::from);
        let base = TensorData::from([0.5_f32, -0.1]);
        let tensor = MergeTensor::new("w", &models).unwrap();
        assert!(ModelStock.merge(&tensor).is_err());
        let tensor = tensor.with_base(&base);
        assert_eq!(ModelStock.merge(&tensor).unwrap(), models[0]);
        let opposite = [[1.0_f32, -0.1], [0.0, -0.1]].map(TensorData::from);
        let tensor = MergeTensor::new("w", &opposite).unwrap().with_base(&base);
        assert_eq!(ModelStock.merge(&tensor).unwrap(), base);
        assert_eq!(ModelStock.ratio(&tensor), Ok(0.0));
        for (weights, text) in [
            ([1.0, 2.0], "[1.0, 2.0]; use equal ones"),
            ([-1.0, -1.0], "`weights` is -1; use 0 or more"),
            ([0.0, 0.0], "whose sum is positive"),
            ([f64::NAN, f64::NAN], "`weights` is NaN"),
        ] {
            let tensor = tensor.clone().with_weights(&weights);
            let error = ModelStock.merge(&tensor).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
