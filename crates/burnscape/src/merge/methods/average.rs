use std::ops::Range;

use burn::tensor::TensorData;

use super::magnitude::with_moderate_sum;
use crate::OutOfRange;
use crate::merge::{MergeError, MergeMethod, MergeTensor};
use crate::range::ensure;

/// The weighted mean of models: `θ = Σ_i w_i θ_i / Σ_i w_i`, element by element. Its name is `average`.
///
/// Equal models give that model to rounding. For modules alone, [`average`](crate::merge::average) and
/// [`weighted`](crate::merge::weighted) compute the same on the device.
///
/// # Cost
///
/// One pass.
///
/// # Errors
///
/// [`MergeError::OutOfRange`] if a weight is negative or not finite, or if all are zero.
///
/// # References
///
/// Izmailov et al. 2018, arXiv:1803.05407; Wortsman et al. 2022, arXiv:2203.05482.
///
/// # Example
///
/// ```
/// use burn::tensor::TensorData;
/// use burnscape::merge::{Average, MergeMethod, MergeTensor};
///
/// let models = [TensorData::from([1.0_f32, 2.0]), TensorData::from([5.0_f32, 2.0])];
/// let tensor = MergeTensor::new("bias", &models)?.with_weights(&[3.0, 1.0]);
/// assert_eq!(Average.merge(&tensor)?, TensorData::from([2.0_f32, 2.0]));
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Average;

impl MergeMethod for Average {
    fn name(&self) -> String {
        "average".to_string()
    }

    fn check(&self, _name: &str, weights: &[f64]) -> Result<(), MergeError> {
        Ok(check_mean_weights(weights)?)
    }

    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        self.check(tensor.name(), tensor.weights())?;
        let (weights, sum) = with_moderate_sum(tensor.weights());
        Ok(tensor.map(|block, out| {
            weighted_sum(block.models, 0..block.len(), &weights, out);
            for out in out {
                *out /= sum;
            }
        }))
    }
}

/// Refuses weights that have no mean.
pub(in crate::merge) fn check_mean_weights(weights: &[f64]) -> Result<(), OutOfRange> {
    for weight in weights {
        ensure("weights", *weight, 0.0..)?;
    }
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 && sum.is_finite() {
        return Ok(());
    }
    let expected = "weights whose sum is positive and finite";
    Err(OutOfRange::new("weights", sum, expected))
}

/// `Σ_i w_i θ_i` of some elements, which `out` has the length of.
pub(super) fn weighted_sum(
    models: &[&[f64]],
    range: Range<usize>,
    weights: &[f64],
    out: &mut [f64],
) {
    out.fill(0.0);
    for (model, weight) in models.iter().zip(weights) {
        for (out, value) in out.iter_mut().zip(&model[range.clone()]) {
            *out += weight * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_weighted_and_equal_models_stay() {
        let models = [[1.0_f32, 0.1], [2.0, 0.1], [4.0, 0.1]].map(TensorData::from);
        let tensor = MergeTensor::new("w", &models).unwrap();
        let weights = [1.0, 0.0, 3.0];
        let found = Average.merge(&tensor.with_weights(&weights)).unwrap();
        assert_eq!(found, TensorData::from([3.25_f32, 0.1]));
        for weights in [[0.0; 3], [1.0, -1.0, 3.0], [1.0, f64::NAN, 1.0]] {
            assert!(Average.check("w", &weights).is_err(), "{weights:?}");
        }
        // Products with the weights, and sums, need not be numbers.
        let models = [[1.7e308, 2.0], [1.7e308, 4.0]].map(TensorData::from);
        let tensor = MergeTensor::new("w", &models).unwrap();
        let found = Average.merge(&tensor).unwrap();
        assert_eq!(found, TensorData::from([1.7e308, 3.0]));
        let found = Average
            .merge(&tensor.with_weights(&[1e308, 1e300]))
            .unwrap();
        let found: Vec<f64> = found.iter::<f64>().collect();
        assert!(found[0] > 1.69e308 && found[0].is_finite(), "{found:?}");
        assert!((found[1] - 2.00000002).abs() < 1e-14, "{found:?}");
    }
}
