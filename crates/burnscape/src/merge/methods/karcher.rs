use std::fmt;
use std::sync::Arc;

use burn::config::Config;
use burn::tensor::TensorData;

use super::average::{check_mean_weights, weighted_sum};
use super::inner_products::InnerProducts;
use super::magnitude::with_moderate_sum;
use super::vectors::Vectors;
use crate::merge::spherical::LEAST_COSINE;
use crate::merge::{MergeError, MergeMethod, MergePass, MergeTensor, SlerpUnit};
use crate::range::{POSITIVE, ensure};

/// The mean of directions on the sphere, times the mean of norms: spherical interpolation of any number of models. Its
/// name is `karcher`.
///
/// With unit vectors `u_i = θ_i / |θ_i|`, the mean direction `m` is the point of the sphere in which the weighted sum
/// of the arcs to them vanishes, `Σ w_i log_m(u_i) = 0`, where `log_m(u) = φ / sin φ (u − cos φ m)` and `cos φ = ⟨m,
/// u⟩`. The result is
///
/// ```text
/// θ = m · Σ w_i |θ_i| / Σ w_i
/// ```
///
/// for each [`SlerpUnit`]. It is found by `m ← exp_m(Σ w_i log_m(u_i) / Σ w_i)`, from the direction of `Σ w_i u_i`. All
/// of these are combinations of the `θ_i`, so that the iteration runs on their coefficients and reads the inner
/// products of the models only. A vector of one element has no arcs: its mean is the weighted mean, also of numbers of
/// both signs.
///
/// Of two models with the weights `1 − t` and `t` it has the direction of [`slerp`](crate::merge::slerp) at `t`. Equal
/// models give that model to rounding. A zero vector has no direction: it counts in the mean of norms only. If all are
/// zero, so is the result.
///
/// # Cost
///
/// Two passes over each tensor in memory, the first one with `N (N + 1) / 2` inner products, and `N²` operations an
/// iteration. For [`SlerpUnit::Model`] all tensors are read twice.
///
/// # Errors
///
/// [`MergeError::OutOfRange`] for settings and weights; [`MergeError::Antiparallel`] if the cosine between a model and
/// the mean is below `−1 + 10⁻⁶`; [`MergeError::Method`] if directions cancel, or if the iteration does not converge;
/// [`MergeError::NoLayout`] for [`SlerpUnit::Filter`] on files without one.
///
/// # Defaults
///
/// [`SlerpUnit::Tensor`]; a tolerance that is rounding for all practical purposes. Two models take two iterations; a
/// hundred orthogonal ones take about a hundred.
///
/// # References
///
/// Karcher 1977, *Riemannian Center of Mass and Mollifier Smoothing*; Buss and Fillmore 2001, *Spherical Averages and
/// Applications to Spherical Splines and Interpolation*.
///
/// # Example
///
/// ```
/// use burn::tensor::TensorData;
/// use burnscape::merge::{KarcherMean, MergeMethod, MergeTensor};
///
/// let models = [[3.0_f64, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]].map(TensorData::from);
/// let mean = KarcherMean::new().merge(&MergeTensor::new("w", &models)?)?;
/// let third = 2.0 / 3.0_f64.sqrt(); // the mean of norms is 2
/// assert!(mean.iter::<f64>().all(|value| (value - third).abs() < 1e-12));
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct KarcherMean {
    /// What is one vector.
    #[config(default = "SlerpUnit::Tensor")]
    pub unit: SlerpUnit,
    /// The iteration ends when no coefficient of a unit vector changes by more, relative to the largest one.
    #[config(default = 1e-12)]
    pub tolerance: f64,
    /// Most iterations.
    #[config(default = 1000)]
    pub max_iterations: usize,
}

impl MergeMethod for KarcherMean {
    fn name(&self) -> String {
        "karcher".to_string()
    }

    fn needs_filters(&self, shape: &[usize]) -> bool {
        self.unit == SlerpUnit::Filter && shape.len() > 1
    }

    fn check(&self, _name: &str, weights: &[f64]) -> Result<(), MergeError> {
        ensure("tolerance", self.tolerance, POSITIVE)?;
        ensure("max_iterations", self.max_iterations as f64, 1.0..)?;
        Ok(check_mean_weights(weights)?)
    }

    fn prepare(&self, all: &MergePass<'_>) -> Result<Option<Arc<dyn MergeMethod>>, MergeError> {
        if self.unit != SlerpUnit::Model {
            return Ok(None);
        }
        let mut products = InnerProducts::new(all.num_models());
        all.each(|tensor| {
            tensor.each(|block| products.add(block.models, 0..block.len()));
            Ok(())
        })?;
        Ok(Some(Arc::new(OneMean {
            method: self.clone(),
            products,
        })))
    }

    /// Outside a recipe, a tensor is the whole model.
    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        self.check(tensor.name(), tensor.weights())?;
        if tensor.is_empty() {
            return Ok(tensor.result(Vec::new()));
        }
        let vectors = Vectors::of(tensor, self.unit);
        let mut products = vec![InnerProducts::new(tensor.num_models()); vectors.count()];
        tensor.each(|block| {
            for (vector, range) in vectors.stretches(block) {
                products[vector].add(block.models, range);
            }
        });
        self.means(tensor, &vectors, &products)
    }
}

/// The mean of the vectors of all parameters.
#[derive(Debug)]
struct OneMean {
    method: KarcherMean,
    products: InnerProducts,
}

impl MergeMethod for OneMean {
    fn name(&self) -> String {
        self.method.name()
    }

    fn check(&self, name: &str, weights: &[f64]) -> Result<(), MergeError> {
        self.method.check(name, weights)
    }

    fn merge(&self, tensor: &MergeTensor<'_>) -> Result<TensorData, MergeError> {
        let vectors = Vectors::of(tensor, SlerpUnit::Model);
        let products = std::slice::from_ref(&self.products);
        self.method.means(tensor, &vectors, products)
    }
}

impl KarcherMean {
    /// The tensor of the means of vectors with these inner products.
    fn means(
        &self,
        tensor: &MergeTensor<'_>,
        vectors: &Vectors<'_>,
        products: &[InnerProducts],
    ) -> Result<TensorData, MergeError> {
        let products = products.iter().enumerate();
        let coefficients = products.map(|(vector, products)| {
            let found = self.coefficients(products, tensor.weights());
            found.map_err(|fault| match fault {
                Fault::Antiparallel { cosine } => MergeError::Antiparallel {
                    what: vectors.name(vector),
                    cosine,
                },
                fault => MergeError::Method {
                    method: self.name(),
                    tensor: tensor.name().to_string(),
                    message: format!("the directions of {} {fault}", vectors.name(vector)),
                },
            })
        });
        let coefficients = coefficients.collect::<Result<Vec<Vec<f64>>, MergeError>>()?;
        Ok(tensor.map(|block, out| {
            for (vector, range) in vectors.stretches(block) {
                let out = &mut out[range.clone()];
                weighted_sum(block.models, range, &coefficients[vector], out);
            }
        }))
    }

    /// The coefficients of the mean in the vectors.
    fn coefficients(&self, products: &InnerProducts, weights: &[f64]) -> Result<Vec<f64>, Fault> {
        let (weights, total) = with_moderate_sum(weights);
        if products.len() == 1 {
            return Ok(weights.iter().map(|weight| weight / total).collect());
        }
        let norms = products.norms();
        let weighted = || weights.iter().zip(&norms);
        let norm = weighted().map(|(weight, norm)| weight * norm).sum::<f64>() / total;
        // Zero vectors have no direction.
        let with_direction =
            weighted().map(|(weight, norm)| if *norm > 0.0 { *weight } else { 0.0 });
        let mut weights: Vec<f64> = with_direction.collect();
        let total: f64 = weights.iter().sum();
        if total == 0.0 {
            return Ok(weights);
        }
        weights.iter_mut().for_each(|weight| *weight /= total);
        let sphere = Sphere::new(products, weights);
        let mut mean = sphere.start()?;
        for _ in 0..self.max_iterations {
            let next = sphere.step(&mean)?;
            let changes = next
                .iter()
                .zip(&mean)
                .map(|(next, mean)| (next - mean).abs());
            let change = changes.fold(0.0, f64::max);
            let largest = next
                .iter()
                .fold(0.0, |largest: f64, x| largest.max(x.abs()));
            mean = next;
            if change <= self.tolerance * largest {
                let mean = mean.iter().zip(&norms);
                let scaled =
                    mean.map(|(mean, own)| if *own > 0.0 { mean * norm / own } else { 0.0 });
                return Ok(scaled.collect());
            }
        }
        Err(Fault::Slow {
            iterations: self.max_iterations,
        })
    }
}

/// Why vectors have no mean.
#[derive(Debug)]
enum Fault {
    Antiparallel { cosine: f64 },
    Cancel,
    Slow { iterations: usize },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Antiparallel { cosine } => write!(f, "are opposite (cosine {cosine})"),
            Self::Cancel => f.write_str(
                "cancel, so that none is their mean; align the models first, or use `average`",
            ),
            Self::Slow { iterations } => write!(
                f,
                "have no mean after {iterations} iterations; raise `max_iterations` or `tolerance`, or \
                 align the models first"
            ),
        }
    }
}

/// Unit vectors with weights. Points of the sphere are given by their coefficients in them.
struct Sphere {
    /// Their sum is 1.
    weights: Vec<f64>,
    /// The cosines of the angles between the vectors, a row each.
    cosines: Vec<Vec<f64>>,
}

impl Sphere {
    fn new(products: &InnerProducts, weights: Vec<f64>) -> Self {
        let all = 0..products.count();
        let row = |one| -> Vec<f64> {
            all.clone()
                .map(|other| products.cosine(one, other))
                .collect()
        };
        Self {
            cosines: all.clone().map(row).collect(),
            weights,
        }
    }

    /// The inner products of a vector with the unit vectors.
    fn products(&self, vector: &[f64]) -> Vec<f64> {
        self.cosines.iter().map(|row| dot(row, vector)).collect()
    }

    fn length(&self, vector: &[f64]) -> f64 {
        dot(&self.products(vector), vector).max(0.0).sqrt()
    }

    /// The direction of the weighted mean.
    fn start(&self) -> Result<Vec<f64>, Fault> {
        let length = self.length(&self.weights);
        // Two opposite vectors with equal weights have this mean.
        if length * length >= (1.0 + LEAST_COSINE) / 2.0 {
            return Ok(self.weights.iter().map(|weight| weight / length).collect());
        }
        let counts = |(value, weight): (f64, &f64)| (*weight > 0.0).then_some(value);
        let least = |row: &Vec<f64>| {
            let cosines = row.iter().copied().zip(&self.weights).filter_map(counts);
            cosines.fold(1.0, f64::min)
        };
        let rows = self.cosines.iter().map(least).zip(&self.weights);
        check_cosine(rows.filter_map(counts).fold(1.0, f64::min))?;
        Err(Fault::Cancel)
    }

    /// A step of the iteration from a point.
    fn step(&self, mean: &[f64]) -> Result<Vec<f64>, Fault> {
        let cosines = self.products(mean);
        let mut tangent = vec![0.0; mean.len()];
        let mut along = 0.0;
        for ((tangent, cosine), weight) in tangent.iter_mut().zip(&cosines).zip(&self.weights) {
            if *weight == 0.0 {
                continue;
            }
            let cosine = cosine.clamp(-1.0, 1.0);
            check_cosine(cosine)?;
            let angle = cosine.acos();
            let ratio = if angle > 0.0 {
                angle / angle.sin()
            } else {
                1.0
            };
            *tangent = weight * ratio;
            along += *tangent * cosine;
        }
        for (tangent, mean) in tangent.iter_mut().zip(mean) {
            *tangent -= along * mean;
        }
        let length = self.length(&tangent);
        let part = if length > 0.0 {
            length.sin() / length
        } else {
            1.0
        };
        let moved = mean.iter().zip(&tangent);
        let moved = moved.map(|(mean, tangent)| length.cos() * mean + part * tangent);
        let mut moved: Vec<f64> = moved.collect();
        let length = self.length(&moved);
        moved.iter_mut().for_each(|value| *value /= length);
        Ok(moved)
    }
}

fn check_cosine(cosine: f64) -> Result<(), Fault> {
    if cosine < LEAST_COSINE {
        return Err(Fault::Antiparallel { cosine });
    }
    Ok(())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::Slerp;

    fn karcher(models: &[Vec<f64>], weights: &[f64]) -> Result<Vec<f64>, MergeError> {
        let models = models.iter().map(|values| TensorData::from(&values[..]));
        let models: Vec<TensorData> = models.collect();
        let tensor = MergeTensor::new("w", &models).unwrap();
        let found = KarcherMean::new().merge(&tensor.with_weights(weights))?;
        Ok(found.iter::<f64>().collect())
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{found:?} {expected:?}");
        }
    }

    #[test]
    fn two_orthogonal_vectors_meet_in_the_middle() {
        let found = karcher(&[vec![1.0, 0.0], vec![0.0, 3.0]], &[1.0, 1.0]).unwrap();
        let root = 0.5_f64.sqrt();
        assert_close(&found, &[2.0 * root, 2.0 * root]);
        // A zero vector counts in the norm.
        let found = karcher(&[vec![1.0, 0.0], vec![0.0, 0.0]], &[1.0, 3.0]).unwrap();
        assert_close(&found, &[0.25, 0.0]);
        let zeros = [vec![0.0; 2], vec![0.0; 2]];
        assert_eq!(karcher(&zeros, &[1.0, 1.0]).unwrap(), [0.0; 2]);
        // Of one element, where there is no arc.
        let opposite = [vec![1.0], vec![-3.0]];
        assert_eq!(karcher(&opposite, &[3.0, 1.0]).unwrap(), [0.0]);
    }

    #[test]
    fn two_models_have_the_direction_of_slerp() {
        let models = [[0.3, -1.0, 0.4], [1.0, 0.5, 0.2]];
        let norms = models.map(|model: [f64; 3]| dot(&model, &model).sqrt());
        let models = [0, 1].map(|i: usize| models[i].map(|value| value / norms[i]));
        for t in [0.1, 0.5, 0.8] {
            let weights = [1.0 - t, t];
            let data = models.map(TensorData::from);
            let tensor = MergeTensor::new("w", &data).unwrap().with_weights(&weights);
            let expected: Vec<f64> = Slerp::new().merge(&tensor).unwrap().iter::<f64>().collect();
            let found = karcher(&models.map(|model| model.to_vec()), &weights).unwrap();
            assert_close(&found, &expected);
        }
    }

    #[test]
    fn arcs_to_the_models_cancel_in_the_mean() {
        let models = [
            vec![1.0, 0.2, 0.0],
            vec![0.1, 2.0, 0.3],
            vec![-0.4, 0.5, 1.0],
        ];
        let weights = [0.5, 0.2, 0.3];
        let mean = karcher(&models, &weights).unwrap();
        let unit = |x: &[f64]| -> Vec<f64> {
            let norm = dot(x, x).sqrt();
            x.iter().map(|value| value / norm).collect()
        };
        let mean = unit(&mean);
        let mut sum = vec![0.0; 3];
        for (model, weight) in models.iter().zip(weights) {
            let model = unit(model);
            let angle = dot(&mean, &model).acos();
            for ((sum, model), mean) in sum.iter_mut().zip(&model).zip(&mean) {
                *sum += weight * angle / angle.sin() * (model - angle.cos() * mean);
            }
        }
        assert_close(&sum, &[0.0; 3]);
        // Equal models, and a single one.
        let equal = vec![models[0].clone(); 3];
        assert_close(&karcher(&equal, &weights).unwrap(), &models[0]);
        assert_close(&karcher(&models[..1], &[0.7]).unwrap(), &models[0]);
    }

    #[test]
    fn opposite_and_cancelling_directions_are_refused() {
        let (up, down) = (vec![0.0, 1.0], vec![0.0, -2.0]);
        for weights in [[1.0, 1.0], [0.3, 0.7]] {
            let error = karcher(&[up.clone(), down.clone()], &weights).unwrap_err();
            assert!(matches!(error, MergeError::Antiparallel { .. }), "{error}");
        }
        assert_close(&karcher(&[up.clone(), down], &[1.0, 0.0]).unwrap(), &up);
        let (sine, cosine) = (0.75_f64.sqrt(), -0.5);
        let star = [vec![1.0, 0.0], vec![cosine, sine], vec![cosine, -sine]];
        let error = karcher(&star, &[1.0; 3]).unwrap_err().to_string();
        assert!(
            error.contains("`w`: the directions of `w` cancel"),
            "{error}"
        );
    }

    #[test]
    fn too_few_iterations_are_told() {
        let models = [[1.0, 0.2, 0.0], [0.1, 2.0, 0.3], [-0.4, 0.5, 1.0]].map(TensorData::from);
        let tensor = MergeTensor::new("w", &models).unwrap();
        let method = KarcherMean::new().with_max_iterations(1);
        let error = method.merge(&tensor).unwrap_err().to_string();
        assert!(error.contains("after 1 iterations; raise"), "{error}");
        assert!(method.with_tolerance(0.0).check("w", &[1.0]).is_err());
    }
}
