use std::fmt;

use serde::{Deserialize, Serialize};

use crate::writing::number;

/// What [`FiniteCommutatorConfig`](super::FiniteCommutatorConfig) found.
///
/// # Units
///
/// `bracket` and `floor`: the inverse of a distance between weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FiniteCommutator {
    /// `|θ_AB − θ_BA| / (lr² |g_A| |g_B|)`, the median over the pairs. None if each has a gradient of zero.
    #[serde(with = "number")]
    pub bracket: Option<f64>,
    /// The same of each pair without a gradient of zero, in the order drawn.
    #[serde(with = "number")]
    pub brackets: Vec<f64>,
    /// What rounding may add to one of them, at most 5 % of it: the largest `1.1e-16 |θ| / (lr² |g_A| |g_B|)`.
    #[serde(with = "number")]
    pub floor: Option<f64>,
    /// The learning rate of the steps.
    pub lr: f64,
    /// Examples of a batch.
    pub batch_size: usize,
    /// Pairs of batches that were compared.
    pub num_pairs: usize,
    /// The mean loss of the examples of the pairs.
    pub loss: f64,
    /// Gradients over all data. A part of the data counts as that part, and the sum is rounded up.
    pub num_gradients: usize,
}

impl fmt::Display for FiniteCommutator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            num_pairs,
            batch_size,
            lr,
            ..
        } = self;
        let pairs = if *num_pairs == 1 { "pair" } else { "pairs" };
        let steps = format!("steps of {lr} on {num_pairs} {pairs} of batches of {batch_size}");
        match (self.bracket, self.floor) {
            (Some(bracket), Some(floor)) => {
                write!(
                    f,
                    "{steps}: defect {bracket:.4e}, rounding below {floor:.1e}"
                )
            }
            _ => write!(f, "{steps}: none, because gradients are zero"),
        }
    }
}
