//! A two-layer linear network in f64, its training, and its loss against its own outputs as a potential.

use burnscape::posterior::{PosteriorError, Potential};

/// Inputs and outputs. Inputs have unit covariance, so that the network's map says everything.
pub(crate) const ENDS: usize = 5;
pub(crate) const HIDDEN: usize = 3;
/// The strengths of the modes of the map that is learned.
pub(crate) const MODES: [f64; HIDDEN] = [4.0, 1.5, 0.6];
/// The strength of every mode at the start.
pub(crate) const INITIAL: f64 = 1e-4;
/// Step of gradient descent, in units of the time of its flow.
pub(crate) const RATE: f64 = 1e-3;

/// The weights of `B A`: the rows of `A`, `HIDDEN` by `ENDS`, then those of `B`, `ENDS` by `HIDDEN`.
type Weights = Vec<f64>;
/// The rows of a map, `ENDS` by `ENDS`.
type Map = [[f64; ENDS]; ENDS];

/// Both layers aligned with the modes, and small.
pub(crate) fn initial() -> Weights {
    let mut weights = vec![0.0; 2 * HIDDEN * ENDS];
    for mode in 0..HIDDEN {
        weights[first(mode, mode)] = INITIAL.sqrt();
        weights[last(mode, mode)] = INITIAL.sqrt();
    }
    weights
}

/// A step of gradient descent on `½ |B A − diag(MODES)|²`.
pub(crate) fn step(weights: &mut [f64]) {
    let mut target = [[0.0; ENDS]; ENDS];
    for (mode, strength) in MODES.into_iter().enumerate() {
        target[mode][mode] = strength;
    }
    let (_, gradient) = loss_and_gradient(weights, &target);
    for (weight, slope) in weights.iter_mut().zip(gradient) {
        *weight -= RATE * slope;
    }
}

/// When gradient flow has raised a mode to a strength (Saxe et al. 2014, arXiv:1312.6120): `da/dt = 2 a (s − a)`.
pub(crate) fn time_of(strength: f64, mode: f64) -> f64 {
    let odds = strength * (mode - INITIAL) / (INITIAL * (mode - strength));
    odds.ln() / (2.0 * mode)
}

/// How strong gradient flow has made a mode until a time.
pub(crate) fn strength_at(time: f64, mode: f64) -> f64 {
    mode / (1.0 + (mode / INITIAL - 1.0) * (-2.0 * mode * time).exp())
}

/// The coefficient of a map of this rank without a localizer, for `nβ` to infinity (Aoyagi and Watanabe 2005).
pub(crate) fn exact_coefficient(rank: usize) -> f64 {
    let (ends, hidden) = (ENDS as f64, HIDDEN as f64);
    let sum = hidden + rank as f64;
    let odd = ((2 * ENDS + HIDDEN + rank) % 2) as f64;
    (4.0 * sum * ends - sum * sum + odd) / 8.0
}

fn first(hidden: usize, input: usize) -> usize {
    hidden * ENDS + input
}

fn last(output: usize, hidden: usize) -> usize {
    HIDDEN * ENDS + output * HIDDEN + hidden
}

fn map(weights: &[f64]) -> Map {
    let mut map = [[0.0; ENDS]; ENDS];
    for (output, row) in map.iter_mut().enumerate() {
        for (input, entry) in row.iter_mut().enumerate() {
            let paths =
                (0..HIDDEN).map(|unit| weights[last(output, unit)] * weights[first(unit, input)]);
            *entry = paths.sum();
        }
    }
    map
}

/// `½ |B A − target|²` and its gradient.
fn loss_and_gradient(weights: &[f64], target: &Map) -> (f64, Vec<f64>) {
    let mut residual = map(weights);
    let mut loss = 0.0;
    for (row, wanted) in residual.iter_mut().zip(target) {
        for (entry, wanted) in row.iter_mut().zip(wanted) {
            *entry -= wanted;
            loss += 0.5 * *entry * *entry;
        }
    }
    let mut gradient = vec![0.0; weights.len()];
    for (output, row) in residual.iter().enumerate() {
        for (input, entry) in row.iter().enumerate() {
            for unit in 0..HIDDEN {
                gradient[first(unit, input)] += weights[last(output, unit)] * entry;
                gradient[last(output, unit)] += weights[first(unit, input)] * entry;
            }
        }
    }
    (loss, gradient)
}

/// The loss of a network against its own map: whatever the weights are, they are a minimum of it.
#[derive(Debug, Clone)]
pub(crate) struct OwnMap {
    weights: Weights,
    map: Map,
}

impl OwnMap {
    pub(crate) fn new(weights: &[f64]) -> Self {
        Self {
            weights: weights.to_vec(),
            map: map(weights),
        }
    }
}

impl Potential for OwnMap {
    type Vector = Vec<f64>;

    fn start(&self) -> Result<Vec<f64>, PosteriorError> {
        Ok(self.weights.clone())
    }

    fn loss_and_gradient(
        &self,
        at: &Vec<f64>,
        _batch: Option<usize>,
    ) -> Result<(f64, Vec<f64>), PosteriorError> {
        Ok(loss_and_gradient(at, &self.map))
    }

    /// Both layers are diagonal, as at the start: the curvature along entry `i, j` of the map is `A_j² + B_i²`.
    fn sharpness(&self) -> Result<f64, PosteriorError> {
        let largest = |place: fn(usize, usize) -> usize| {
            let squares = (0..HIDDEN).map(|mode| self.weights[place(mode, mode)].powi(2));
            squares.fold(0.0, f64::max)
        };
        Ok(largest(first) + largest(last))
    }
}
