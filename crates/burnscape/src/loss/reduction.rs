use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How the loss of a batch combines the losses of its examples.
///
/// It also decides how batches combine over a data set: means are weighted by the weight of each batch, sums
/// add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Reduction {
    /// `1/n Σᵢ ℓᵢ`, the default of Burn's losses.
    #[default]
    Mean,
    /// `Σᵢ ℓᵢ`.
    Sum,
}

impl Reduction {
    /// The loss of a batch from the losses of its examples.
    pub(super) fn of<const D: usize>(self, losses: Tensor<D>) -> Tensor<1> {
        match self {
            Self::Mean => losses.mean(),
            Self::Sum => losses.sum(),
        }
    }
}
