use serde::{Deserialize, Serialize};

/// How a loss over a batch is made from the losses of its examples.
///
/// It decides how batches combine to a data set: means are weighted by batch weight, sums add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Reduction {
    /// `1/n Σᵢ ℓᵢ`, the default of Burn's losses.
    #[default]
    Mean,
    /// `Σᵢ ℓᵢ`.
    Sum,
}
