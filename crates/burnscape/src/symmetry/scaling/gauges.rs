use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::super::traced::Traced;
use super::super::verifier::{Moves, Verifier};
use super::super::{Symmetries, SymmetryError};
use super::change_of_basis::{Bases, add_products, turn_all};
use super::found::{Found, ScaledMember, Scaling};
use super::streams::{Stream, streams};
use crate::space::{FloatTensor, float_tensors, stream, to_host, with_values};

/// The bases that can be changed without an effect on a model's outputs.
///
/// - *Invertible* matrices `G`, wherever values pass from one linear map to the next without a nonlinearity: weights become
///   `W G` on one side and `W G⁻ᵀ` on the other. In an attention head that are `(W_q G, W_k G⁻ᵀ)` and `(W_v G, G⁻¹ W_o)`,
///   biases alike, with one `G` for each head; grouped queries share that of their keys. A rotary encoding leaves only
///   values and outputs. Two linear layers in a row have one, too.
/// - *Orthogonal* matrices `Q` along a residual stream that is read through normalizations alone. Their gains are moved into
///   the weights that follow first (and shifts divided by them), which also leaves the outputs. Where means are taken, as
///   in a layer norm, `Q` has to keep the vector of ones.
///
/// Every result was verified at random weights.
///
/// # References
///
/// Elhage et al., *A Mathematical Framework for Transformer Circuits* (2021), on heads; Ashkboos et al., *SliceGPT* (2024), on
/// rotations of streams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gauges {
    found: Found,
    streams: Vec<Stream>,
    gauges: Vec<Gauge>,
    dropped: Vec<Gauge>,
}

/// A change of basis that leaves the outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Gauge {
    /// The number of rows and columns of a matrix.
    pub size: usize,
    /// The number of matrices: one for each combination of the values of the groups around it, for instance for each
    /// head.
    pub rows: usize,
    /// Where it acts: as `x G` with exponent 1, as `x G⁻ᵀ` with −1.
    pub members: Vec<ScaledMember>,
    /// Whether only orthogonal matrices leave the outputs.
    pub is_orthogonal: bool,
    /// Whether the matrix has to keep the vector of ones.
    pub keeps_ones: bool,
    /// The paths of the gains that become 1.
    pub gains: Vec<String>,
}

impl Gauge {
    fn invertible(scaling: &Scaling) -> Self {
        Self {
            size: scaling.size,
            rows: scaling.rows,
            members: scaling.members.clone(),
            is_orthogonal: false,
            keeps_ones: false,
            gains: Vec::new(),
        }
    }
}

impl Gauges {
    pub(super) fn of(traced: &Traced, found: Found) -> Result<Self, SymmetryError> {
        let streams = streams(traced, &found.layout, &found.scalings)?;
        let mut gauges = Self {
            found,
            streams,
            gauges: Vec::new(),
            dropped: Vec::new(),
        };
        gauges.list();
        Ok(gauges)
    }

    fn list(&mut self) {
        let gauges = self.found.scalings.iter().map(Gauge::invertible);
        let streams = self.streams.iter().map(|stream| self.of_stream(stream));
        self.gauges = gauges.chain(streams).collect();
    }

    fn of_stream(&self, stream: &Stream) -> Gauge {
        let tensors = self.found.tensors();
        let gains = stream.gains.iter();
        Gauge {
            is_orthogonal: true,
            keeps_ones: stream.keeps_ones,
            gains: gains
                .map(|gain| tensors[gain.tensor].path().to_string())
                .collect(),
            ..Gauge::invertible(&stream.scaling)
        }
    }

    pub(super) fn verify(&mut self, verifier: &mut Verifier) -> Result<(), SymmetryError> {
        self.found.verify(verifier, |verifier, scalings, layout| {
            let values = verifier.values();
            verifier.passes_with(|seed, _| {
                let mut values = values.clone();
                let bases = Bases::of(scalings, &invertible(scalings, seed))?;
                for (tensor, values) in values.iter_mut().enumerate() {
                    turn_all((layout, scalings), &bases, tensor, values);
                }
                Ok(replaced(values))
            })
        })?;
        let values = verifier.values();
        let mut kept = Vec::new();
        for one in std::mem::take(&mut self.streams) {
            let layout = &self.found.layout;
            let passes = verifier.passes_with(|seed, _| {
                let mut values = values.clone();
                let matrix = orthogonal(&one, &mut stream(seed, 0));
                one.turn(0, layout, &matrix, &mut values)?;
                Ok(replaced(values))
            })?;
            if passes {
                kept.push(one);
            } else {
                let dropped = self.of_stream(&one);
                self.dropped.push(dropped);
            }
        }
        self.streams = kept;
        let failed = self.found.dropped.iter().map(Gauge::invertible);
        self.dropped.extend(failed);
        self.list();
        Ok(())
    }

    /// What the equations say before verification.
    pub(super) fn scalings(&self) -> &[Gauge] {
        &self.gauges
    }

    /// The gauges: those of invertible matrices, then those of orthogonal ones.
    pub fn gauges(&self) -> &[Gauge] {
        &self.gauges
    }

    /// What the equations say and verification does not confirm. There should be none.
    pub fn dropped(&self) -> &[Gauge] {
        &self.dropped
    }

    /// Random matrices, one list for each of [`gauges`](Self::gauges), in row-major order: the identity plus Gaussian noise, or
    /// the product of two random reflections.
    pub fn random(&self, seed: u64) -> Vec<Vec<f64>> {
        let mut matrices = invertible(&self.found.scalings, seed);
        let streams = self.streams.iter().enumerate();
        let first = matrices.len();
        matrices.extend(streams.map(|(index, one)| {
            let mut rng = stream(seed, (first + index) as u64);
            orthogonal(one, &mut rng)
        }));
        matrices
    }

    /// A copy of `model` in other bases. `matrices` has one list for each of [`gauges`](Self::gauges), with
    /// [`rows`](Gauge::rows) matrices of [`size`](Gauge::size)² entries in row-major order, one after the other. Gains of
    /// streams become 1.
    ///
    /// # Cost
    ///
    /// The values are multiplied on the host, in f64.
    ///
    /// # Errors
    ///
    /// [`SymmetryError::Group`] for lists of another length, a matrix that is singular to rounding or not orthogonal where it
    /// has to be, and a gain of zero; [`SymmetryError::DifferentModel`]; [`SymmetryError::Space`].
    pub fn apply<M: Module>(&self, model: &M, matrices: &[Vec<f64>]) -> Result<M, SymmetryError> {
        self.check(matrices)?;
        let tensors = float_tensors(model)?;
        Symmetries::check_same(self.found.tensors(), &tensors)?;
        let values = tensors.iter().map(|tensor| to_host(tensor.values.clone()));
        let mut values: Vec<Vec<f64>> = values.collect::<Result<_, _>>()?;
        let before = values.clone();
        let scalings = &self.found.scalings;
        let layout = &self.found.layout;
        let (invertible, orthogonal) = matrices.split_at(scalings.len());
        let bases = Bases::of(scalings, invertible)?;
        for (tensor, values) in values.iter_mut().enumerate() {
            turn_all((layout, scalings), &bases, tensor, values);
        }
        for (index, (one, matrix)) in self.streams.iter().zip(orthogonal).enumerate() {
            one.turn(scalings.len() + index, layout, matrix, &mut values)?;
        }
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
        let changed: Vec<_> = changed.collect();
        Ok(with_values(model, changed))
    }

    /// The float tensors of a model, which must be those of the gauges.
    pub(crate) fn tensors<M: Module>(&self, model: &M) -> Result<Vec<FloatTensor>, SymmetryError> {
        let tensors = float_tensors(model)?;
        Symmetries::check_same(self.found.tensors(), &tensors)?;
        Ok(tensors)
    }

    fn scaling(&self, gauge: usize) -> &Scaling {
        let num_invertible = self.found.scalings.len();
        match gauge.checked_sub(num_invertible) {
            Some(stream) => &self.streams[stream].scaling,
            None => &self.found.scalings[gauge],
        }
    }

    /// `Σ bᵀ a` over the members of a gauge, for each of its rows, of the flat values of two models.
    pub(crate) fn products(&self, gauge: usize, a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<f64> {
        let scaling = self.scaling(gauge);
        let mut sums = vec![0.0; scaling.num_factors() * scaling.size];
        for place in scaling.places() {
            let pair = [&a[place.tensor][..], &b[place.tensor][..]];
            add_products(&self.found.layout, scaling.size, place, pair, &mut sums);
        }
        sums
    }

    /// Turns the flat values of a model along one gauge; the gains of a stream become 1.
    pub(crate) fn turn(
        &self,
        gauge: usize,
        matrices: &[f64],
        values: &mut [Vec<f64>],
    ) -> Result<(), SymmetryError> {
        let layout = &self.found.layout;
        if let Some(one) = gauge.checked_sub(self.found.scalings.len()) {
            return self.streams[one].turn(gauge, layout, matrices, values);
        }
        let scalings = std::slice::from_ref(self.scaling(gauge));
        let bases = Bases::of(scalings, &[matrices.to_vec()])?;
        for (tensor, values) in values.iter_mut().enumerate() {
            turn_all((layout, scalings), &bases, tensor, values);
        }
        Ok(())
    }

    fn check(&self, matrices: &[Vec<f64>]) -> Result<(), SymmetryError> {
        let refused = |group: usize, message: String| Err(SymmetryError::Group { group, message });
        if matrices.len() != self.gauges.len() {
            let message = format!(
                "{} lists of matrices were given for {} gauges; pass one for each",
                matrices.len(),
                self.gauges.len()
            );
            return refused(matrices.len().min(self.gauges.len()), message);
        }
        for (index, (gauge, given)) in self.gauges.iter().zip(matrices).enumerate() {
            let expected = gauge.rows * gauge.size * gauge.size;
            if given.len() != expected {
                let message = format!("{} entries were given, expected {expected}", given.len());
                return refused(index, message);
            }
            if let Some(wrong) = given.iter().find(|entry| !entry.is_finite()) {
                return refused(index, format!("{wrong} is not a finite number"));
            }
            if let Some(one) = index.checked_sub(self.found.scalings.len()) {
                self.streams[one].check(index, given)?;
            }
        }
        Ok(())
    }
}

/// New values of all tensors.
fn replaced(values: Vec<Vec<f64>>) -> Box<Moves<'static>> {
    Box::new(move |tensor, _: &[f64]| Some(values[tensor].clone()))
}

fn invertible(scalings: &[Scaling], seed: u64) -> Vec<Vec<f64>> {
    let scalings = scalings.iter().enumerate();
    let matrices = scalings.map(|(index, scaling)| {
        let mut rng = stream(seed, index as u64);
        let size = scaling.size;
        let mut entry = |place: usize| {
            let noise: f64 = StandardNormal.sample(&mut rng);
            let is_diagonal = (place / size) % size == place % size;
            f64::from(u8::from(is_diagonal)) + 0.3 * noise / (size as f64).sqrt()
        };
        (0..scaling.num_factors() * size).map(&mut entry).collect()
    });
    matrices.collect()
}

/// The product of two random reflections, along vectors that are orthogonal to the vector of ones if it has to be kept.
fn orthogonal(one: &Stream, rng: &mut StdRng) -> Vec<f64> {
    let size = one.scaling.size;
    let mut matrix = vec![0.0; size * size];
    matrix.iter_mut().step_by(size + 1).for_each(|x| *x = 1.0);
    for _ in 0..2 {
        let mut v: Vec<f64> = (0..size).map(|_| StandardNormal.sample(rng)).collect();
        if one.keeps_ones {
            let mean = v.iter().sum::<f64>() / size as f64;
            v.iter_mut().for_each(|x| *x -= mean);
        }
        let square: f64 = v.iter().map(|x| x * x).sum();
        for row in matrix.chunks_mut(size) {
            let dot: f64 = row.iter().zip(&v).map(|(a, b)| a * b).sum();
            row.iter_mut()
                .zip(&v)
                .for_each(|(x, v)| *x -= 2.0 * dot / square * v);
        }
    }
    matrix
}
