use std::ops::ControlFlow;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use burnscape_krylov::{Dense, Outcome};

use super::AlignError;
use super::matching::Observer;
use super::similarity::trace;
use super::weights::{Name, dot};
use crate::loss::{Progress, Work};
use crate::range::ensure;
use crate::space::{FloatTensor, to_host, with_values};
use crate::symmetry::{Gauges, SymmetryError};

/// The rise of the objective, relative to its upper bound, up to which it counts as rounding.
const ROUNDING: f64 = 1e-14;

/// Alignment of bases: the orthogonal matrices that bring one model nearest to another one.
///
/// For each of some [`Gauges`], as the bases of queries and keys, and of values and outputs of an attention head,
/// it finds the orthogonal `G` that minimizes
///
/// `Σ |a − b G|²`
///
/// over its members (an orthogonal matrix acts alike on members of exponent 1 and −1). With `M = Σ bᵀ a` that is the orthogonal
/// factor `U Vᵀ` of `M = U S Vᵀ`: Procrustes' problem. Gauges that share a tensor, as the bases of values and outputs of
/// neighboring layers or two linear layers in a row, depend on each other, and are taken in turn until a sweep brings nothing.
///
/// Permute heads and units first ([`WeightMatchingConfig`](super::WeightMatchingConfig)): a gauge does not move one head to
/// another, and permutations of the channels of a head are orthogonal matrices.
///
/// Rotations of residual streams are left out unless `streams` is set. They need gains of 1, in both models: gains are then moved
/// into the weights that follow, in [`GaugeAlignment::reference`] as well. Merge the `model` with the `reference`, and never
/// with `a` itself, whose gains are still where they were: `average(&[&found.reference, &found.model])`. A stream whose means
/// are taken turns by matrices that keep the vector of ones.
///
/// # Cost
///
/// A sweep takes `3 d` operations for each weight of a gauge of size `d`, and a singular value decomposition of `d × d` for
/// each head, in f64 on the CPU. Memory is that of both models in f64.
///
/// # Defaults
///
/// At most 100 sweeps; without streams.
///
/// # References
///
/// Schönemann 1966, *A generalized solution of the orthogonal Procrustes problem*, Psychometrika 31(1).
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::align::GaugeAlignmentConfig;
/// use burnscape::symmetry::GaugesConfig;
///
/// // Two linear layers in a row: any basis between them will do.
/// #[derive(Module, Debug)]
/// struct Two {
///     first: Linear,
///     second: Linear,
/// }
///
/// let device = Device::default();
/// let a = Two {
///     first: LinearConfig::new(3, 2).with_bias(false).init(&device),
///     second: LinearConfig::new(2, 3).with_bias(false).init(&device),
/// };
/// let outputs = |m: &Two, x: &Tensor<2>| m.second.forward(m.first.forward(x.clone()));
/// let gauges = GaugesConfig::new().run(&outputs, &a, Tensor::<2>::ones([1, 3], &device))?;
/// // A rotation by 60 degrees.
/// let rotation = [0.5, 0.75_f64.sqrt(), -0.75_f64.sqrt(), 0.5];
/// let b = gauges.apply(&a, &[rotation.to_vec()])?;
///
/// let found = GaugeAlignmentConfig::new().run(&gauges, &a, &b)?;
/// let difference = found.model.first.weight.val() - found.reference.first.weight.val();
/// assert!(difference.abs().max().into_scalar::<f32>() < 1e-5);
/// # Ok::<(), burnscape::align::AlignError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct GaugeAlignmentConfig {
    /// Sweeps over all gauges, at most.
    #[config(default = 100)]
    pub max_sweeps: usize,
    /// Whether residual streams are rotated, too.
    #[config(default = false)]
    pub streams: bool,
}

/// A model in the bases of another one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GaugeAlignment<M> {
    /// The second model in new bases: the same function.
    pub model: M,
    /// The first model: a copy, with the gains of streams moved into the weights that follow if streams were rotated. This
    /// is what `model` is to be merged with.
    pub reference: M,
    /// The matrices for [`Gauges::apply`], one list for each gauge; the identity for gauges that were left out.
    pub matrices: Vec<Vec<f64>>,
    /// `Σ ⟨a, b⟩` over all parameters, at the start and after each sweep that raised it.
    pub objectives: Vec<f64>,
    /// Sweeps over all gauges, including the last one, which brings nothing.
    pub num_sweeps: usize,
    /// Converged if a sweep brought nothing; at the limit of sweeps; stopped by the observer.
    pub outcome: Outcome,
}

/// An alignment of bases before it runs. Made by [`GaugeAlignmentConfig::init`].
pub struct GaugeMatching<'a, M> {
    config: GaugeAlignmentConfig,
    gauges: &'a Gauges,
    models: [&'a M; 2],
    observer: Observer<'a>,
}

impl GaugeAlignmentConfig {
    /// The alignment of `b` to the bases of `a`, which can be given an observer. `gauges` are those of a model of the same
    /// architecture.
    ///
    /// # Errors
    ///
    /// [`AlignError::OutOfRange`] for no sweeps.
    pub fn init<'a, M: Module>(
        &self,
        gauges: &'a Gauges,
        a: &'a M,
        b: &'a M,
    ) -> Result<GaugeMatching<'a, M>, AlignError> {
        ensure("max_sweeps", self.max_sweeps as f64, 1.0..)?;
        Ok(GaugeMatching {
            config: self.clone(),
            gauges,
            models: [a, b],
            observer: Box::new(|_| ControlFlow::Continue(())),
        })
    }

    /// Turns `b` into the bases of `a`. Neither model is changed.
    ///
    /// # Errors
    ///
    /// Those of [`init`](Self::init) and of [`GaugeMatching::run`].
    pub fn run<M: Module>(
        &self,
        gauges: &Gauges,
        a: &M,
        b: &M,
    ) -> Result<GaugeAlignment<M>, AlignError> {
        self.init(gauges, a, b)?.run()
    }
}

impl<'a, M: Module> GaugeMatching<'a, M> {
    /// Sets an observer, which is called for every gauge of every sweep with the number of these steps and the objective,
    /// as [`Work::Step`]. A break ends the search with the bases so far.
    #[must_use]
    pub fn with_observer(mut self, observe: impl FnMut(&Progress) -> ControlFlow<()> + 'a) -> Self {
        self.observer = Box::new(observe);
        self
    }

    /// Runs the search.
    ///
    /// # Errors
    ///
    /// [`AlignError::DifferentModel`] and [`AlignError::NonFinite`]; [`AlignError::Similarity`] for weights without a
    /// singular value decomposition; [`AlignError::Symmetry`] for a gain of zero in a stream; [`AlignError::Space`].
    pub fn run(mut self) -> Result<GaugeAlignment<M>, AlignError> {
        let gauges = self.gauges;
        let [a, b] = self.models;
        let mut own = Values::of(gauges, "a", a)?;
        let mut other = Values::of(gauges, "b", b)?;
        let all = gauges.gauges().iter();
        let mut matrices: Vec<Vec<f64>> = all
            .map(|gauge| Dense::identity(gauge.size).as_slice().repeat(gauge.rows))
            .collect();
        let is_stream = |gauge: &usize| gauges.gauges()[*gauge].is_orthogonal;
        let turned: Vec<usize> = (0..matrices.len())
            .filter(|gauge| self.config.streams || !is_stream(gauge))
            .collect();
        for &stream in turned.iter().filter(|gauge| is_stream(gauge)) {
            // Makes its gains 1.
            for values in [&mut own.values, &mut other.values] {
                gauges.turn(stream, &matrices[stream], values)?;
            }
        }
        let scale = own.norm() * other.norm();
        let start = own.dot(&other);
        let mut objectives = vec![start];
        let mut best = start;
        let (mut num_steps, mut num_sweeps) = (0, 0);
        let mut outcome = Outcome::LimitReached;
        while outcome == Outcome::LimitReached && num_sweeps < self.config.max_sweeps {
            let mut objective = best;
            let mut is_better = false;
            for &gauge in &turned {
                let products = gauges.products(gauge, &own.values, &other.values);
                if let Some((step, gain)) = step(gauges, gauge, &products, scale)? {
                    gauges.turn(gauge, &step, &mut other.values)?;
                    let size = gauges.gauges()[gauge].size;
                    matrices[gauge] = multiplied(size, &matrices[gauge], &step)?;
                    objective += gain;
                    is_better = true;
                }
                num_steps += 1;
                let progress = Progress::new(Work::Step, num_steps).value(objective);
                if (self.observer)(&progress).is_break() {
                    outcome = Outcome::Stopped;
                    break;
                }
            }
            // Without the rounding of sums of gains.
            objective = own.dot(&other);
            if objective > best {
                objectives.push(objective);
                best = objective;
            }
            if outcome != Outcome::Stopped {
                num_sweeps += 1;
                if !is_better {
                    outcome = Outcome::Converged;
                }
            }
        }
        Ok(GaugeAlignment {
            model: other.written(b),
            reference: own.written(a),
            matrices,
            objectives,
            num_sweeps,
            outcome,
        })
    }
}

/// The best matrices of a gauge, one for each of its rows, and by how much they raise the objective; `None` if they bring
/// nothing.
fn step(
    gauges: &Gauges,
    gauge: usize,
    products: &[f64],
    scale: f64,
) -> Result<Option<(Vec<f64>, f64)>, AlignError> {
    let known = &gauges.gauges()[gauge];
    let size = known.size;
    let mut matrices = Vec::with_capacity(products.len());
    let mut gain = 0.0;
    for product in products.chunks(size * size) {
        let now = trace(product, size);
        let rise = |best: &[f64]| dot(best, product) - now;
        match nearest(product, size, known.keeps_ones) {
            Some(best) if rise(&best) > ROUNDING * scale => {
                gain += rise(&best);
                matrices.extend(best);
            }
            Some(_) => matrices.extend_from_slice(Dense::identity(size).as_slice()),
            None => {
                return Err(AlignError::Similarity {
                    group: None,
                    message: format!(
                        "the products of gauge {gauge} have no singular value decomposition; align models with weights of \
                         ordinary size"
                    ),
                });
            }
        }
    }
    Ok((gain > 0.0).then_some((matrices, gain)))
}

/// The orthogonal matrix with the largest scalar product with a matrix; of those that keep the vector of ones, if it
/// has to be kept.
fn nearest(product: &[f64], size: usize, keeps_ones: bool) -> Option<Vec<f64>> {
    let mut entries = product.to_vec();
    if keeps_ones {
        let largest = entries
            .iter()
            .fold(0.0_f64, |all, entry| all.max(entry.abs()));
        // Off the vector of ones in rows and columns. Along it, a singular value of its own, which is not small.
        centered(&mut entries, size);
        let ones = if largest > 0.0 { largest } else { 1.0 } / size as f64;
        entries.iter_mut().for_each(|entry| *entry += ones);
    }
    let matrix = Dense::from_row_major(size, size, entries).ok()?;
    Some(matrix.polar()?.as_slice().to_vec())
}

/// Subtracts the means of rows, and then those of columns.
fn centered(entries: &mut [f64], size: usize) {
    for row in entries.chunks_mut(size) {
        let mean = row.iter().sum::<f64>() / size as f64;
        row.iter_mut().for_each(|entry| *entry -= mean);
    }
    for column in 0..size {
        let places = (0..size).map(|row| row * size + column);
        let mean = places.clone().map(|place| entries[place]).sum::<f64>() / size as f64;
        places.for_each(|place| entries[place] -= mean);
    }
}

/// The products of matrices that stand one after the other.
fn multiplied(size: usize, before: &[f64], after: &[f64]) -> Result<Vec<f64>, AlignError> {
    let matrix = |entries: &[f64]| Dense::from_row_major(size, size, entries.to_vec());
    let mut products = Vec::with_capacity(before.len());
    for (before, after) in before.chunks(size * size).zip(after.chunks(size * size)) {
        let product = matrix(before).and_then(|before| before.multiply(&matrix(after)?));
        let product = product.map_err(|fault| AlignError::Space(fault.into()))?;
        products.extend_from_slice(product.as_slice());
    }
    Ok(products)
}

/// The flat float tensors of a model on the host.
struct Values {
    tensors: Vec<FloatTensor>,
    before: Vec<Vec<f64>>,
    values: Vec<Vec<f64>>,
}

impl Values {
    fn of<M: Module>(gauges: &Gauges, name: Name, model: &M) -> Result<Self, AlignError> {
        let tensors = gauges.tensors(model).map_err(|error| match error {
            SymmetryError::DifferentModel { expected, found } => AlignError::DifferentModel {
                model: name,
                expected,
                found,
            },
            other => other.into(),
        })?;
        let mut values = Vec::with_capacity(tensors.len());
        for tensor in &tensors {
            let own = to_host(tensor.values.clone())?;
            let mut numbers = own.iter().copied().enumerate();
            if let Some((index, value)) = numbers.find(|(_, value)| !value.is_finite()) {
                return Err(AlignError::NonFinite {
                    model: name,
                    path: tensor.paths.first().cloned().unwrap_or_default(),
                    index,
                    value,
                });
            }
            values.push(own);
        }
        Ok(Self {
            tensors,
            before: values.clone(),
            values,
        })
    }

    /// The values of parameters.
    fn parameters(&self) -> impl Iterator<Item = &Vec<f64>> {
        let pairs = self.tensors.iter().zip(&self.values);
        pairs
            .filter(|(tensor, _)| !tensor.is_running_statistic)
            .map(|(_, values)| values)
    }

    fn dot(&self, other: &Self) -> f64 {
        let pairs = self.parameters().zip(other.parameters());
        pairs.map(|(own, other)| dot(own, other)).sum()
    }

    fn norm(&self) -> f64 {
        self.dot(self).sqrt()
    }

    /// A copy of the model with the current values.
    fn written<M: Module>(self, model: &M) -> M {
        let Self {
            tensors,
            before,
            values,
        } = self;
        let changed = tensors.iter().zip(values).zip(before);
        let changed = changed.filter(|((_, values), before)| values != before);
        let changed = changed.map(|((tensor, values), _)| {
            let like = &tensor.values;
            let len = values.len();
            let data = TensorData::new(values, [len]);
            (
                tensor,
                Tensor::<1>::from_data(data, (&like.device(), like.dtype())),
            )
        });
        with_values(model, changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(angle: f64) -> [f64; 4] {
        let (sin, cos) = angle.sin_cos();
        [cos, sin, -sin, cos]
    }

    #[test]
    fn the_nearest_orthogonal_matrix_is_the_orthogonal_factor() {
        let turn = rotation(0.7);
        // Q P with P = diag(3, 1/2).
        let product: Vec<f64> = (0..4)
            .map(|place| turn[place] * [3.0, 0.5][place % 2])
            .collect();
        let found = nearest(&product, 2, false).unwrap();
        for (found, expected) in found.iter().zip(turn) {
            assert!((found - expected).abs() < 1e-14);
        }
        // A reflection is orthogonal, too.
        let found = nearest(&[0.0, 2.0, 1.0, 0.0], 2, false).unwrap();
        for (found, expected) in found.iter().zip([0.0, 1.0, 1.0, 0.0]) {
            assert!((found - expected).abs() < 1e-14);
        }
    }

    #[test]
    fn ones_are_kept_where_they_have_to_be() {
        let product: Vec<f64> = (0..16)
            .map(|place| (0.37 * f64::from(place * place)).sin())
            .collect();
        for keeps_ones in [false, true] {
            let found = nearest(&product, 4, keeps_ones).unwrap();
            let sums = found.chunks(4).map(|row| row.iter().sum::<f64>());
            let gap = sums.fold(0.0_f64, |all, sum| all.max((sum - 1.0).abs()));
            assert_eq!(gap < 1e-13, keeps_ones, "{gap}");
            // No small rotation, of those that keep the ones, is better.
            let value = dot(&found, &product);
            for (first, second) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
                for angle in [-1e-3, 1e-3] {
                    let mut axis = vec![0.0; 4];
                    (axis[first], axis[second]) = (1.0, -1.0);
                    let other: Vec<f64> = (0..4).map(|i| (i as f64 * 2.1).cos()).collect();
                    let mean = other.iter().sum::<f64>() / 4.0;
                    let other: Vec<f64> = other.iter().map(|x| x - mean).collect();
                    // Two reflections that keep the ones.
                    let turned =
                        reflected(&reflected(&found, &axis), &combined(&axis, &other, angle));
                    assert!(dot(&turned, &product) <= value + 1e-12);
                }
            }
        }
    }

    /// `axis + angle · other`.
    fn combined(axis: &[f64], other: &[f64], angle: f64) -> Vec<f64> {
        let pairs = axis.iter().zip(other);
        pairs.map(|(axis, other)| axis + angle * other).collect()
    }

    /// Rows after a reflection along a vector.
    fn reflected(matrix: &[f64], v: &[f64]) -> Vec<f64> {
        let square = dot(v, v);
        let rows = matrix.chunks(v.len());
        let rows = rows.flat_map(|row| {
            let along = 2.0 * dot(row, v) / square;
            row.iter().zip(v).map(move |(entry, v)| entry - along * v)
        });
        rows.collect()
    }
}
