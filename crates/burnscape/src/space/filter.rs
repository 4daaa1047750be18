use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::host::to_host;
use super::leaf_vector::as_accumulator;
use super::rank::{expand_axis, sum_but_axis};
use super::{LeafVector, ParamKind, ParamLeaf, ParamVector, SpaceError};

/// What filter normalization does with parameters that have no filters: biases and the gains and
/// shifts of normalization layers.
///
/// Li et al. 2018 set them to zero in their pictures ("we do not perturb BN parameters"); some
/// codes scale each to the norm of the parameter. The rule changes the numbers, so it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum UnfilteredRule {
    /// The direction is zero there (Li et al. 2018).
    #[default]
    Zero,
    /// The whole parameter counts as one filter.
    AsOneFilter,
    /// The direction is left as it is.
    Keep,
}

impl ParamVector {
    /// The Euclidean norm of every filter of every weight, in visit order; a parameter without
    /// filters counts as one. Linear weights have one filter an output unit (a column of Burn's
    /// `[d_input, d_output]`), convolutions one an output channel, embeddings one a row.
    ///
    /// # Shapes
    ///
    /// One vector a parameter, `[num_filters]` each.
    ///
    /// # Errors
    ///
    /// [`SpaceError::Device`].
    pub fn filter_norms(&self) -> Result<Vec<Vec<f64>>, SpaceError> {
        let leaves = self.space().leaves().iter();
        leaves
            .map(|leaf| to_host(filter_squares(leaf, self.leaf(leaf)).sqrt()))
            .collect()
    }

    /// The direction with every filter scaled to the norm of the same filter of `weights`:
    /// `d_f ← d_f · |w_f| / |d_f|` (Li et al. 2018, section 4). When one layer
    /// of a ReLU network is multiplied by a factor and the next divided by it, such a direction
    /// follows, and the loss along it stays the same. A filter of norm zero becomes zero.
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`].
    ///
    /// # References
    ///
    /// Li, Xu, Taylor, Studer, Goldstein 2018, *Visualizing the Loss Landscape of Neural Nets*,
    /// arXiv:1712.09913.
    pub fn filter_normalize(
        self,
        weights: &Self,
        rule: UnfilteredRule,
    ) -> Result<Self, SpaceError> {
        self.space().check_same(weights.space())?;
        let space = self.space().clone();
        let leaves = space.leaves().iter().map(|leaf| {
            let direction = self.leaf(leaf);
            match (leaf.kind() == ParamKind::Weight, rule) {
                (true, _) | (false, UnfilteredRule::AsOneFilter) => {
                    Some(rescale(leaf, direction, weights.leaf(leaf)))
                }
                (false, UnfilteredRule::Keep) => Some(direction),
                (false, UnfilteredRule::Zero) => None,
            }
        });
        Self::from_leaves(&LeafVector::from_parts(space.clone(), leaves.collect()))
    }
}

/// Sums of squares, one a filter.
fn filter_squares(leaf: &ParamLeaf, value: Tensor<1>) -> Tensor<1> {
    let value = as_accumulator(value);
    let squares = value.clone() * value;
    match leaf.filter_axis() {
        Some(axis) => sum_but_axis(squares, leaf.shape(), axis),
        None => squares.sum(),
    }
}

fn rescale(leaf: &ParamLeaf, direction: Tensor<1>, weights: Tensor<1>) -> Tensor<1> {
    let own = filter_squares(leaf, direction.clone());
    let wanted = filter_squares(leaf, weights);
    let is_zero = own.clone().equal_elem(0.0);
    let ratio = (wanted / own.mask_fill(is_zero.clone(), 1.0))
        .sqrt()
        .mask_fill(is_zero, 0.0);
    let direction = as_accumulator(direction);
    match leaf.filter_axis() {
        Some(axis) => direction * expand_axis(ratio, leaf.shape(), axis),
        None => direction * ratio,
    }
}
