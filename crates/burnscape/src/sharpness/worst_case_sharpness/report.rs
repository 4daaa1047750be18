use serde::Serialize;

use super::WorstCaseSharpnessConfig;
use crate::space::ParamVector;

/// What [`WorstCaseSharpnessConfig::run`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorstCaseSharpness {
    /// The largest rise found, a lower bound of the true maximum. Never negative: the center is a
    /// point of the ball.
    pub rise: f64,
    /// How well the starts agree: the standard deviation of `rises` over the root of their number.
    /// It is the error of their *mean*. For the maximum it is a sign, not a bound: zero says
    /// that all starts reached the same value, a large value that the ball has several maxima. None
    /// with a single start.
    pub standard_error: Option<f64>,
    /// The loss `L(w)`.
    pub base_loss: f64,
    /// The largest rise that each start found, in order. A start that began and ended in a valley
    /// of the ball can be negative.
    pub rises: Vec<f64>,
    /// Euclidean length `|e|` of the best displacement.
    pub displacement_norm: f64,
    /// Its length in the units of the ball, `|e / c|`, to be compared with ρ.
    pub scaled_norm: f64,
    /// Whether the best point lies on the boundary of the ball, to one part in a thousand.
    pub on_boundary: bool,
    /// Cosine between `e / c` and the gradient `c ⊙ g` at the best point: 1 at a maximum on the
    /// boundary. None where either is zero.
    pub alignment: Option<f64>,
    /// Whether every start came to rest before its steps were used up: at a local maximum, or where steps raise
    /// the loss too little to tell.
    pub converged: bool,
    /// Passes over the data, all with gradients.
    pub num_gradients: usize,
    /// The configuration, seed included.
    pub config: WorstCaseSharpnessConfig,
    /// False if the observer stopped the ascent: the numbers are those of the points visited.
    pub completed: bool,
}

/// A [`WorstCaseSharpness`] and the displacement that attains it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorstCasePoint {
    /// The numbers.
    pub rise: WorstCaseSharpness,
    /// The displacement `e`; `e.perturb(&model, 1.0)` is the model there.
    pub displacement: ParamVector,
}
