use serde::{Deserialize, Serialize};

/// Which axis of a weight in a file has the outputs. A file does not say it, and methods that treat each output unit on
/// its own ([`RankedRandom`](crate::merge::Sparsify::RankedRandom), [`SlerpUnit::Filter`](crate::merge::SlerpUnit))
/// need it.
///
/// Only matrices differ. The kernels of convolutions have their outputs on axis 0 in PyTorch and in Burn, and so does
/// every tensor of rank three or more here. Vectors and scalars have no such axis.
///
/// # Where it is not so
///
/// Set another layout for parts of a model with a [`ByPath`](crate::merge::ByPath):
///
/// - An embedding has a row for each token, and each row is one unit: it is [`OutIn`](Self::OutIn) in every file,
///   between linear layers that are [`InOut`](Self::InOut) in Burn's.
/// - A linear layer of Burn with `LinearLayout::Col` is stored as its transpose, `[outputs, inputs]`. Only the module
///   knows; `OutIn` is right for it.
/// - The kernel of a transposed convolution is `[inputs, outputs / groups, …]` in both frameworks, so that its axis 0
///   has the inputs. Leave it to a method without filters, or merge modules.
///
/// # Example
///
/// ```
/// use burnscape::merge::{ByPath, WeightLayout};
///
/// let layout = ByPath::new(WeightLayout::InOut).with("embedding", WeightLayout::OutIn);
/// assert_eq!(*layout.at("head.weight"), WeightLayout::InOut);
/// assert_eq!(*layout.at("embedding.weight"), WeightLayout::OutIn);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightLayout {
    /// Matrices are `[outputs, inputs]`: linear layers of PyTorch.
    OutIn,
    /// Matrices are `[inputs, outputs]`: linear layers of Burn.
    InOut,
}

impl WeightLayout {
    /// The axis of the outputs of a tensor of this rank.
    pub(super) fn filter_axis(self, rank: usize) -> Option<usize> {
        match (self, rank) {
            (_, 0 | 1) => None,
            (Self::InOut, 2) => Some(1),
            _ => Some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WeightLayout::{InOut, OutIn};

    #[test]
    fn only_matrices_differ() {
        let axes = |rank| [OutIn, InOut].map(|layout| layout.filter_axis(rank));
        assert_eq!([0, 1].map(axes), [[None, None]; 2]);
        assert_eq!(axes(2), [Some(0), Some(1)]);
        assert_eq!([3, 4, 5].map(axes), [[Some(0), Some(0)]; 3]);
    }
}
