use std::sync::Arc;

use burn::config::Config;
use burn::tensor::TensorData;

use super::average::check_mean_weights;
use super::take::taken;
use super::vectors::Vectors;
use crate::merge::spherical::{Products, Weights};
use crate::merge::{MergeError, MergeMethod, MergePass, MergeTensor, SlerpUnit};

/// Spherical linear interpolation of two models. Its name is `slerp`.
///
/// The formula is that of the function [`slerp`](crate::merge::slerp), at `t = w_1 / (w_0 + w_1)`: the arc between two
/// vectors instead of the chord, for each [`SlerpUnit`]. Below an angle of `10⁻⁶`, and where a vector is zero or has
/// one element only, it is the chord; so equal models give that model. With one weight zero it is the other model, bit
/// by bit.
///
/// # Cost
///
/// Two passes over each tensor in memory. For [`SlerpUnit::Model`] all tensors are read twice.
///
/// # Errors
///
/// [`MergeError::NumModels`] unless there are two models; [`MergeError::OutOfRange`] if a weight is negative or not
/// finite, or if both are zero; [`MergeError::Antiparallel`] for a cosine below `−1 + 10⁻⁶`; [`MergeError::NoLayout`]
/// for [`SlerpUnit::Filter`] on files without one.
///
/// # Defaults
///
/// [`SlerpUnit::Tensor`].
///
/// # References
///
/// Shoemake 1985, *Animating Rotation with Quaternion Curves*.
///
/// # Example
///
/// ```
/// use burn::tensor::TensorData;
/// use burnscape::merge::{MergeMethod, MergeTensor, Slerp};
///
/// let models = [TensorData::from([1.0_f64, 0.0]), TensorData::from([0.0_f64, 1.0])];
/// let middle = Slerp::new().merge(&MergeTensor::new("w", &models)?)?;
/// assert!(middle.iter::<f64>().all(|value| (value - 0.5_f64.sqrt()).abs() < 1e-15));
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct Slerp {
    /// What is one vector.
    #[config(default = "SlerpUnit::Tensor")]
    pub unit: SlerpUnit,
}

impl MergeMethod for Slerp {
    fn name(&self) -> String {
        "slerp".to_string()
    }

    fn needs_filters(&self, shape: &[usize]) -> bool {
        self.unit == SlerpUnit::Filter && shape.len() > 1
    }

    fn check(&self, _name: &str, weights: &[f64]) -> Result<(), MergeError> {
        if weights.len() != 2 {
            return Err(MergeError::NumModels {
                method: self.name(),
                found: weights.len(),
                expected: "two, or the method `karcher`".to_string(),
            });
        }
        Ok(check_mean_weights(weights)?)
    }

    fn prepare(&self, all: &MergePass<'_>) -> Result<Option<Arc<dyn MergeMethod>>, MergeError> {
        if self.unit != SlerpUnit::Model {
            return Ok(None);
        }
        let mut products = Products::default();
        all.each(|tensor| {
            tensor.each(|block| {
                if let [a, b] = block.models {
                    products.add(a, b);
                }
            });
            Ok(())
        })?;
        Ok(Some(Arc::new(OneArc { products })))
    }

    /// Outside a recipe, a tensor is the whole model.
    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        self.check(tensor.name(), tensor.weights())?;
        if tensor.is_empty() {
            return Ok(tensor.result(Vec::new()));
        }
        let vectors = Vectors::of(tensor, self.unit);
        let mut products = vec![Products::default(); vectors.count()];
        tensor.each(|block| {
            if let [a, b] = block.models {
                for (vector, range) in vectors.stretches(block) {
                    products[vector].add(&a[range.clone()], &b[range]);
                }
            }
        });
        between(tensor, &vectors, &products)
    }
}

/// The arc between the vectors of all parameters.
#[derive(Debug)]
struct OneArc {
    products: Products,
}

impl MergeMethod for OneArc {
    fn name(&self) -> String {
        Slerp::new().name()
    }

    fn check(&self, name: &str, weights: &[f64]) -> Result<(), MergeError> {
        Slerp::new().check(name, weights)
    }

    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        let vectors = Vectors::of(tensor, SlerpUnit::Model);
        between(tensor, &vectors, &[self.products])
    }
}

/// The tensor on the arcs between vectors with these products.
fn between(
    tensor: &MergeTensor<'_>,
    vectors: &Vectors<'_>,
    products: &[Products],
) -> Result<TensorData, MergeError> {
    let &[of_a, of_b] = tensor.weights() else {
        return taken(tensor, 0);
    };
    let t = of_b / (of_a + of_b);
    if t == 0.0 || t == 1.0 {
        return taken(tensor, usize::from(t == 1.0));
    }
    let products = products.iter().enumerate();
    let weights = products.map(|(vector, products)| products.weights(t, || vectors.name(vector)));
    let weights = weights.collect::<Result<Vec<Weights>, MergeError>>()?;
    Ok(tensor.map(|block, out| {
        if let [a, b] = block.models {
            out.copy_from_slice(a);
            for (vector, range) in vectors.stretches(block) {
                weights[vector].combine(&mut out[range.clone()], &b[range]);
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arcs_are_those_of_their_units() {
        // Filters are columns: the first one turns by a right angle, the second one stays.
        let models = [[[1.0_f64, 0.0], [0.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]]];
        let models = models.map(TensorData::from);
        let tensor = MergeTensor::new("w", &models).unwrap();
        let tensor = tensor.with_filter_axis(Some(1));
        let root = 0.5_f64.sqrt();
        let half = 3.0_f64.sqrt().recip();
        for (unit, expected) in [
            (SlerpUnit::Filter, [root, 0.0, root, 1.0]),
            (SlerpUnit::Tensor, [half, 0.0, half, 2.0 * half]),
        ] {
            let found = Slerp::new().with_unit(unit).merge(&tensor).unwrap();
            for (found, expected) in found.iter::<f64>().zip(expected) {
                assert!((found - expected).abs() < 1e-15, "{unit:?}");
            }
        }
        for (weights, model) in [([1.0, 0.0], 0), ([0.0, 2.0], 1)] {
            let found = Slerp::new().merge(&tensor.clone().with_weights(&weights));
            assert_eq!(found.unwrap(), models[model]);
        }
    }

    #[test]
    fn opposite_filters_are_named_and_two_models_are_needed() {
        let models = [-1.0_f32, 1.0, 0.0]
            .map(|sign| [[1.0, 0.5], [1.0, 2.0]].map(|[one, other]| [one, -sign * other]));
        let models = models.map(TensorData::from);
        let tensor = MergeTensor::new("w", &models[..2]).unwrap();
        let per_filter = Slerp::new().with_unit(SlerpUnit::Filter);
        assert!(per_filter.merge(&tensor).is_ok());
        let error = per_filter.merge(&tensor.with_filter_axis(Some(1)));
        assert!(
            error
                .unwrap_err()
                .to_string()
                .starts_with("filter 1 of `w`")
        );
        let tensor = MergeTensor::new("w", &models).unwrap();
        let error = Slerp::new().merge(&tensor).unwrap_err().to_string();
        assert!(
            error.starts_with("`slerp` merges 3 models; use two"),
            "{error}"
        );
    }
}
