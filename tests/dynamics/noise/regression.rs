//! Linear regression with Gaussian inputs, whose gradient noise is known.

use std::f64::consts::TAU;

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Tensor, TensorData};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::double::device;

pub(crate) const INPUTS: usize = 5;
/// The weights that made the targets, and what was added to them.
const STAR: [f64; INPUTS] = [1.0, -1.0, 0.5, 0.0, 2.0];
const DELTA: [f64; INPUTS] = [1.0, 0.5, 0.0, -0.5, 0.25];
const NOISE: f64 = 0.7;

/// `|G|² = |Δ|²`.
pub(crate) const SQUARE: f64 = 1.5625;
/// `tr Σ = (d + 1) |Δ|² + d 0.7²`.
pub(crate) const TRACE: f64 = 11.825;

/// Inputs and targets.
pub(crate) type Batch = (Tensor<2>, Tensor<2>);

/// A layer without bias that has these weights.
pub(crate) fn layer(weights: &[f64]) -> Linear {
    let config = LinearConfig::new(weights.len(), 1).with_bias(false);
    let layer = config.init(&device());
    let space = ParamSpace::of(&layer).unwrap();
    let weights = ParamVector::from_host(&space, weights).unwrap();
    weights.apply_to(&layer).unwrap()
}

/// The model, at `w* + Δ`.
pub(crate) fn model() -> Linear {
    let weights: Vec<f64> = STAR.iter().zip(DELTA).map(|(w, d)| w + d).collect();
    layer(&weights)
}

/// `½ (x·w − y)²`, the mean over examples.
pub(crate) fn loss(model: &Linear, (x, y): Batch) -> Tensor<1> {
    (model.forward(x) - y).square().mean() * 0.5
}

/// The same, the sum over examples.
pub(crate) fn sum_loss(model: &Linear, (x, y): Batch) -> Tensor<1> {
    (model.forward(x) - y).square().sum() * 0.5
}

/// Examples of one seed on the host, as `golden/scripts/gradient_noise.py` draws them.
#[derive(Clone)]
pub(crate) struct Examples {
    pub(crate) inputs: Vec<[f64; INPUTS]>,
    pub(crate) targets: Vec<f64>,
}

impl Examples {
    pub(crate) fn new(seed: u64, count: usize) -> Self {
        let mut normals = Normals::new(seed);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let x: [f64; INPUTS] = std::array::from_fn(|_| normals.draw());
            let clean: f64 = x.iter().zip(STAR).map(|(x, w)| x * w).sum();
            targets.push(clean + NOISE * normals.draw());
            inputs.push(x);
        }
        Self { inputs, targets }
    }

    /// The gradient of the loss of each example at the model.
    pub(crate) fn gradients(&self) -> Vec<[f64; INPUTS]> {
        let pairs = self.inputs.iter().zip(&self.targets);
        let gradient = |(x, y): (&[f64; INPUTS], &f64)| {
            let weights = STAR.iter().zip(DELTA).map(|(w, d)| w + d);
            let residual: f64 = x.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() - y;
            x.map(|x| x * residual)
        };
        pairs.map(gradient).collect()
    }

    /// The batch of some of them, in this order.
    pub(crate) fn batch(&self, chosen: &[usize]) -> Batch {
        let x: Vec<f64> = chosen.iter().flat_map(|&i| self.inputs[i]).collect();
        let y: Vec<f64> = chosen.iter().map(|&i| self.targets[i]).collect();
        let count = chosen.len();
        (
            Tensor::from_data(TensorData::new(x, [count, INPUTS]), &device()),
            Tensor::from_data(TensorData::new(y, [count, 1]), &device()),
        )
    }

    /// All of them in batches of these sizes.
    pub(crate) fn split(&self, sizes: &[usize]) -> Vec<Batch> {
        let mut start = 0;
        let batch = |&size: &usize| {
            let chosen: Vec<usize> = (start..start + size).collect();
            start += size;
            self.batch(&chosen)
        };
        sizes.iter().map(batch).collect()
    }

    /// All of them in batches of one size.
    pub(crate) fn batches(&self, size: usize) -> Vec<Batch> {
        self.split(&vec![size; self.targets.len() / size])
    }
}

/// Normal numbers by SplitMix64 and Box-Muller, two at a time.
struct Normals {
    state: u64,
    second: Option<f64>,
}

impl Normals {
    fn new(seed: u64) -> Self {
        Self {
            state: seed,
            second: None,
        }
    }

    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((z >> 11) as f64 + 0.5) * 2.0_f64.powi(-53)
    }

    fn draw(&mut self) -> f64 {
        if let Some(second) = self.second.take() {
            return second;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (TAU * self.uniform()).sin_cos();
        self.second = Some(radius * sin);
        radius * cos
    }
}
