use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::averages::between;
use super::methods::Magnitude;
use super::models::tensors_of_both;
use super::whole_models::checked_cast;
use super::{MergeError, interpolate};
use crate::range::ensure;
use crate::space::{FloatTensor, ParamSpace, SpaceError, to_host, with_values};

/// Angles below this are interpolated linearly.
const SMALLEST_ANGLE: f64 = 1e-6;
/// Vectors with a cosine below this are antiparallel.
pub(super) const LEAST_COSINE: f64 = -1.0 + 1e-6;

/// What is one vector in a spherical interpolation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlerpUnit {
    /// Every parameter. Tied parameters are one.
    #[default]
    Tensor,
    /// Every filter of a weight: the weights of one output unit or channel, or a row of an embedding. Parameters without
    /// filters (biases, gains) are one vector each.
    Filter,
    /// All parameters together.
    Model,
}

/// Spherical linear interpolation: the arc between the weights of two models instead of the chord.
///
/// With the angle `ω` between two vectors, `cos ω = ⟨a, b⟩ / (|a| |b|)`,
///
/// ```text
/// θ(t) = sin((1 − t) ω) / sin ω · a + sin(t ω) / sin ω · b
/// ```
///
/// for each [`SlerpUnit`]. The vectors are not normalized first. If both have the same norm, so has every `θ(t)`,
/// while the norm of an average is smaller by the factor `cos(ω / 2)`. Below `ω = 10⁻⁶`, and where a vector is zero or
/// has one element only, the interpolation is linear; so equal models give that model, bit by bit.
///
/// Running statistics have no direction and are interpolated linearly. Context is that of `a`, as in
/// [`average`](super::average).
///
/// # Cost
///
/// In f64 on the host: both models are downloaded parameter by parameter, twice for [`SlerpUnit::Model`], and the result is
/// uploaded.
///
/// # Errors
///
/// Those of [`interpolate`]; [`MergeError::Antiparallel`] for a cosine below `−1 + 10⁻⁶`; [`MergeError::Method`] for a
/// result that the element type cannot hold; for [`SlerpUnit::Filter`] [`MergeError::Space`] if parameters are on two
/// devices.
///
/// # References
///
/// Shoemake 1985, *Animating Rotation with Quaternion Curves*.
///
/// # Example
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::merge::{SlerpUnit, slerp};
///
/// #[derive(Module, Debug)]
/// struct Vector {
///     w: Param<Tensor<1>>,
/// }
///
/// let vector = |w: [f32; 2]| Vector {
///     w: Param::from_tensor(Tensor::from_floats(w, &Device::default())),
/// };
/// let middle = slerp(&vector([1.0, 0.0]), &vector([0.0, 1.0]), 0.5, SlerpUnit::Tensor)?;
/// let norm: f32 = middle.w.val().square().sum().sqrt().into_scalar();
/// assert!((norm - 1.0).abs() < 1e-6); // that of the average is 0.71
/// # Ok::<(), burnscape::merge::MergeError>(())
/// ```
pub fn slerp<M: Module>(a: &M, b: &M, t: f64, per: SlerpUnit) -> Result<M, MergeError> {
    ensure("t", t, 0.0..=1.0)?;
    if t == 0.0 || t == 1.0 {
        return interpolate(a, b, t);
    }
    let (of_a, of_b) = tensors_of_both(a, b)?;
    let filters = match per {
        SlerpUnit::Filter => filter_axes(a)?,
        SlerpUnit::Tensor | SlerpUnit::Model => HashMap::new(),
    };
    let whole = match per {
        SlerpUnit::Model => {
            let mut all = Products::default();
            for (own, other) in parameters(&of_a, &of_b) {
                let [own, other] = [to_host(own.values.clone())?, to_host(other.values.clone())?];
                all.add(&own, &other);
            }
            Some(all.weights(t, || "the vector of all parameters".to_string())?)
        }
        SlerpUnit::Tensor | SlerpUnit::Filter => None,
    };
    let mut merged: Vec<(&FloatTensor, Tensor<1>)> = Vec::with_capacity(of_a.len());
    for (own, other) in of_a.iter().zip(&of_b) {
        if own.is_running_statistic || own.shape.contains(&0) {
            merged.push((own, between(&own.values, &other.values, t)?));
            continue;
        }
        let path = own.paths.first().map_or("", String::as_str);
        let axis = filters.get(path).copied();
        let parts = Parts::of(&own.shape, axis);
        let mut values = to_host(own.values.clone())?;
        let others = to_host(other.values.clone())?;
        let weights = match whole {
            Some(weights) => vec![weights; parts.count],
            None => {
                let named = |part: usize| match axis {
                    Some(_) => format!("filter {part} of `{path}`"),
                    None => format!("`{path}`"),
                };
                let products = parts.products(&values, &others).into_iter().enumerate();
                let weights = products.map(|(part, products)| products.weights(t, || named(part)));
                weights.collect::<Result<Vec<Weights>, MergeError>>()?
            }
        };
        parts.combine(&mut values, &others, &weights);
        let (len, dtype) = (values.len(), own.values.dtype());
        let data = checked_cast(TensorData::new(values, [len]), dtype, "slerp", path)?;
        let device = own.values.device();
        merged.push((own, Tensor::from_data(data, (&device, dtype))));
    }
    Ok(with_values(a, merged))
}

/// The tensors of both models that are not running statistics.
fn parameters<'t>(
    a: &'t [FloatTensor],
    b: &'t [FloatTensor],
) -> impl Iterator<Item = (&'t FloatTensor, &'t FloatTensor)> {
    let pairs = a.iter().zip(b);
    pairs.filter(|(own, _)| !own.is_running_statistic)
}

/// The axis of the filters of each weight, by path.
pub(super) fn filter_axes<M: Module>(model: &M) -> Result<HashMap<String, usize>, SpaceError> {
    // Frozen weights have filters, too.
    let space = match ParamSpace::of(&model.valid().unfreeze()) {
        Ok(space) => space,
        Err(SpaceError::NoTrainableParameters { .. }) => return Ok(HashMap::new()),
        Err(error) => return Err(error),
    };
    let leaves = space.leaves().iter();
    let axes = leaves.filter_map(|leaf| Some((leaf.path().to_string(), leaf.filter_axis()?)));
    Ok(axes.collect())
}

/// How much of each vector the result has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Weights {
    /// On the chord, at this place.
    Line(f64),
    /// On the arc.
    Arc(f64, f64),
}

impl Weights {
    /// Writes the combination of both vectors over the first one.
    pub(super) fn combine(self, a: &mut [f64], b: &[f64]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a = match self {
                Self::Line(t) => *a - t * (*a - b),
                Self::Arc(of_a, of_b) => of_a * *a + of_b * b,
            };
        }
    }
}

/// The scalar products of two vectors with each other and themselves. Each vector is scaled by its magnitude, so that
/// squares neither overflow nor vanish.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Products {
    aa: f64,
    ab: f64,
    bb: f64,
    of_a: Magnitude,
    of_b: Magnitude,
    /// The number of elements of a vector.
    len: usize,
}

impl Products {
    pub(super) fn add(&mut self, a: &[f64], b: &[f64]) {
        self.len += a.len();
        let [up_a, up_b] = [
            self.of_a.grow(Magnitude::of(a)),
            self.of_b.grow(Magnitude::of(b)),
        ];
        self.aa = self.aa * up_a * up_a;
        self.ab = self.ab * up_a * up_b;
        self.bb = self.bb * up_b * up_b;
        let [scale_a, scale_b] = [self.of_a.scale(), self.of_b.scale()];
        for (a, b) in a.iter().zip(b) {
            let (a, b) = (a * scale_a, b * scale_b);
            self.aa += a * a;
            self.ab += a * b;
            self.bb += b * b;
        }
    }

    /// The weights at `t`; `what` names the vectors for errors.
    pub(super) fn weights(&self, t: f64, what: impl Fn() -> String) -> Result<Weights, MergeError> {
        let cosine = self.ab / (self.aa.sqrt() * self.bb.sqrt());
        // A single element has no arc around zero.
        if self.len == 1 || !cosine.is_finite() {
            return Ok(Weights::Line(t));
        }
        let cosine = cosine.clamp(-1.0, 1.0);
        if cosine < LEAST_COSINE {
            return Err(MergeError::Antiparallel {
                what: what(),
                cosine,
            });
        }
        let angle = cosine.acos();
        if angle < SMALLEST_ANGLE {
            return Ok(Weights::Line(t));
        }
        let part = |t: f64| (t * angle).sin() / angle.sin();
        Ok(Weights::Arc(part(1.0 - t), part(t)))
    }
}

/// The parts of a flat tensor: all elements with one index along an axis, or the whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) count: usize,
    /// The number of consecutive elements of one part.
    pub(super) run: usize,
}

impl Parts {
    pub(super) fn of(shape: &[usize], axis: Option<usize>) -> Self {
        match axis {
            Some(axis) if axis < shape.len() => Self {
                count: shape[axis],
                run: product(&shape[axis + 1..]),
            },
            _ => Self {
                count: 1,
                run: product(shape),
            },
        }
    }

    /// The part of each run.
    fn cycle(self) -> impl Iterator<Item = usize> {
        (0..self.count).cycle()
    }

    fn products(self, a: &[f64], b: &[f64]) -> Vec<Products> {
        let mut products = vec![Products::default(); self.count];
        let run = self.run.max(1);
        let runs = a.chunks(run).zip(b.chunks(run));
        for (part, (a, b)) in self.cycle().zip(runs) {
            products[part].add(a, b);
        }
        products
    }

    /// Writes the combination of both vectors over the first one.
    fn combine(self, a: &mut [f64], b: &[f64], weights: &[Weights]) {
        let run = self.run.max(1);
        let runs = a.chunks_mut(run).zip(b.chunks(run));
        for (part, (a, b)) in self.cycle().zip(runs) {
            weights[part].combine(a, b);
        }
    }
}

/// The number of elements of a shape. One with a zero may have more than an integer can count beside it.
fn product(shape: &[usize]) -> usize {
    let sizes = shape.iter();
    sizes.fold(1, |product: usize, size| product.saturating_mul(*size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(a: &[f64], b: &[f64], t: f64) -> Result<Weights, MergeError> {
        let mut products = Products::default();
        products.add(a, b);
        products.weights(t, || "it".to_string())
    }

    #[test]
    fn orthogonal_vectors_have_weights_of_a_circle() {
        let found = weights(&[2.0, 0.0], &[0.0, 3.0], 0.5).unwrap();
        let half = 0.5_f64.sqrt();
        let is_half = |x: f64| (x - half).abs() < 1e-15;
        let is_middle = matches!(found, Weights::Arc(a, b) if is_half(a) && is_half(b));
        assert!(is_middle, "{found:?}");
    }

    #[test]
    fn small_angles_and_zeros_are_linear_and_opposite_vectors_are_refused() {
        for (a, b) in [
            ([1.0, 0.0], [1.0, 1e-7]),
            ([0.0, 0.0], [1.0, 0.0]),
            ([0.3, 0.7], [0.3, 0.7]),
        ] {
            let found = weights(&a, &b, 0.25).unwrap();
            assert!(matches!(found, Weights::Line(0.25)), "{found:?}");
        }
        // The cosine is −1 + x²/2.
        assert!(weights(&[1.0, 0.0], &[-1.0, 1.3e-3], 0.5).is_err());
        assert!(weights(&[1.0, 0.0], &[-1.0, 1.5e-3], 0.5).is_ok());
        // Of one element.
        let found = weights(&[2.0], &[-1.0], 0.25).unwrap();
        assert!(matches!(found, Weights::Line(0.25)), "{found:?}");
    }

    #[test]
    fn squares_stay_in_range() {
        let expected = weights(&[3.0, 4.0], &[-1.0, 2.0], 0.25).unwrap();
        for sizes in [[1e-200; 2], [1e200; 2], [1e-300, 1e300], [1.0, 1e-200]] {
            let [a, b] = [[3.0, 4.0], [-1.0, 2.0]];
            let [a, b] = [a.map(|x: f64| x * sizes[0]), b.map(|x: f64| x * sizes[1])];
            let mut products = Products::default();
            products.add(&[0.0], &[0.0]);
            products.add(&a[..1], &b[..1]);
            products.add(&a[1..], &b[1..]);
            let found = products.weights(0.25, || "it".to_string()).unwrap();
            let (Weights::Arc(a, b), Weights::Arc(of_a, of_b)) = (found, expected) else {
                panic!("{found:?}");
            };
            assert!(
                (a - of_a).abs() < 1e-14 && (b - of_b).abs() < 1e-14,
                "{sizes:?}"
            );
        }
    }

    #[test]
    fn parts_are_the_indices_along_an_axis() {
        let shape = [2, 3, 2];
        let values: Vec<f64> = (0..12).map(f64::from).collect();
        for (axis, expected) in [
            (None, vec![66.0]),
            (Some(0), vec![15.0, 51.0]),
            (Some(1), vec![14.0, 22.0, 30.0]),
            (Some(2), vec![30.0, 36.0]),
        ] {
            let parts = Parts::of(&shape, axis);
            let sums = parts.products(&values, &[1.0; 12]);
            let sums: Vec<f64> = sums.iter().map(|products| products.ab).collect();
            assert_eq!(sums, expected);
        }
        assert!(Parts::of(&[0, 2], Some(0)).products(&[], &[]).is_empty());
    }
}
