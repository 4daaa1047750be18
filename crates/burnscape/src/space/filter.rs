use std::fmt;

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::cast::as_accumulator;
use super::host::to_host;
use super::products::{floor, holds};
use super::range::scale_steps;
use super::rank::{expand_axis, max_but_axis, sum_but_axis};
use super::wide::{Wide, exponent_of};
use super::{FlatSpace, LeafVector, ParamKind, ParamLeaf, ParamVector, SpaceError, limited_by};

/// How filter normalization treats parameters without filters: biases, and the gains and shifts of
/// normalization layers.
///
/// Li et al. 2018 set them to zero in their figures ("we do not perturb BN parameters"); some
/// implementations scale each to the norm of the parameter. The choice changes the results, so it is explicit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum UnfilteredRule {
    /// The direction is zero for these parameters (Li et al. 2018).
    #[default]
    Zero,
    /// The whole parameter counts as one filter.
    AsOneFilter,
    /// The direction is not changed.
    Keep,
    /// The direction is the parameter itself, `d := w`, for figures of implementations that do this. All
    /// directions then share this part, so that they are far from orthogonal: look at their cosine. Not a rule for
    /// a [`Scale`](super::Scale).
    OwnWeights,
}

impl fmt::Display for UnfilteredRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Zero => "zero",
            Self::AsOneFilter => "as one filter",
            Self::Keep => "keep",
            Self::OwnWeights => "own weights",
        })
    }
}

/// The parts of a weight that are scaled one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocks {
    Filters,
    /// The weight is one block.
    Tensors,
}

/// The length that a block of a direction is scaled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lengths {
    /// That of the same block of the weights.
    OfWeights,
    One,
}

impl ParamVector {
    /// The Euclidean norm of every filter of every weight, in visit order. A parameter without
    /// filters counts as one filter. Linear weights have one filter per output unit (a column of Burn's
    /// `[d_input, d_output]`), convolutions one per output channel, embeddings one per row.
    ///
    /// # Shapes
    ///
    /// One vector per parameter, `[num_filters]` each.
    ///
    /// # Cost
    ///
    /// One host synchronization; three if squares leave the range of the element type, or a norm is so
    /// small (or zero) that squares may have underflowed.
    ///
    /// # Errors
    ///
    /// [`SpaceError::Device`].
    pub fn filter_norms(&self) -> Result<Vec<Vec<f64>>, SpaceError> {
        let leaves = self.space().leaves().iter();
        let filters: Vec<Filters> = leaves
            .map(|leaf| Filters::of(leaf, self, Blocks::Filters))
            .collect();
        let norms = limited_by(self.space().waits(), || norms(&filters))?.into_iter();
        Ok(norms
            .map(|norms| norms.into_iter().map(Wide::value).collect())
            .collect())
    }

    /// Scales every filter of the direction to the norm of the same filter of `weights`:
    /// `d_f ← d_f · |w_f| / |d_f|` (Li et al. 2018, section 4). If one layer of a ReLU network is multiplied
    /// by a factor and the next divided by it, the normalized direction is rescaled in the same way, and the
    /// loss along it stays the same. A filter of norm zero becomes zero.
    ///
    /// # Cost
    ///
    /// Same as [`filter_norms`](Self::filter_norms).
    ///
    /// # Errors
    ///
    /// [`SpaceError::DifferentSpaces`], [`SpaceError::Device`].
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
        self.rescaled(weights, rule, Blocks::Filters, Lengths::OfWeights)
    }

    /// Scales every block of the direction to a length; a block of norm zero becomes zero. The rule applies to
    /// parameters without filters, each of which counts as one block with [`UnfilteredRule::AsOneFilter`].
    pub(super) fn rescaled(
        self,
        weights: &Self,
        rule: UnfilteredRule,
        blocks: Blocks,
        lengths: Lengths,
    ) -> Result<Self, SpaceError> {
        self.space().check_same(weights.space())?;
        let space = self.space().clone();
        let is_scaled = |leaf: &ParamLeaf| {
            leaf.kind() == ParamKind::Weight || rule == UnfilteredRule::AsOneFilter
        };
        let leaves = || space.leaves().iter().filter(|leaf| is_scaled(leaf));
        let mut filters: Vec<Filters> = leaves()
            .map(|leaf| Filters::of(leaf, &self, blocks))
            .collect();
        let count = filters.len();
        if lengths == Lengths::OfWeights {
            filters.extend(leaves().map(|leaf| Filters::of(leaf, weights, blocks)));
        }
        let mut own = limited_by(space.waits(), || norms(&filters))?;
        let mut wanted = own.split_off(count).into_iter();
        let mut own = own.into_iter();
        let leaves = space.leaves().iter().map(|leaf| {
            if !is_scaled(leaf) {
                return match rule {
                    UnfilteredRule::Zero | UnfilteredRule::AsOneFilter => None,
                    UnfilteredRule::Keep => Some(self.leaf(leaf)),
                    UnfilteredRule::OwnWeights => Some(weights.leaf(leaf)),
                };
            }
            let norms = own.next().unwrap_or_default();
            let wanted = match lengths {
                Lengths::OfWeights => wanted.next().unwrap_or_default(),
                Lengths::One => vec![Wide::from(1.0); norms.len()],
            };
            let norms = norms.into_iter().zip(wanted);
            let ratios = norms.map(|(own, wanted)| {
                if own.is_positive() {
                    wanted / own
                } else if own.is_finite() {
                    Wide::ZERO
                } else {
                    own
                }
            });
            let filters = Filters::of(leaf, &self, blocks);
            Some(filters.times(&ratios.collect::<Vec<_>>()))
        });
        Self::from_leaves(&LeafVector::from_parts(space.clone(), leaves.collect()))
    }
}

/// The filters of one parameter's part of a vector, in f32 if the element type is narrower.
struct Filters<'a> {
    leaf: &'a ParamLeaf,
    /// The axis of the filters; the parameter is one filter without it.
    axis: Option<usize>,
    values: Tensor<1>,
}

impl<'a> Filters<'a> {
    fn of(leaf: &'a ParamLeaf, vector: &ParamVector, blocks: Blocks) -> Self {
        Self {
            leaf,
            axis: match blocks {
                Blocks::Filters => leaf.filter_axis(),
                Blocks::Tensors => None,
            },
            values: as_accumulator(vector.leaf(leaf)),
        }
    }

    /// The sum of squares of each filter.
    fn squares(&self) -> Tensor<1> {
        let squares = self.values.clone() * self.values.clone();
        match self.axis {
            Some(axis) => sum_but_axis(squares, self.leaf.shape(), axis),
            None => squares.sum(),
        }
    }

    /// The largest absolute value of each filter.
    fn largest(&self) -> Tensor<1> {
        match self.axis {
            Some(axis) => max_but_axis(self.values.clone().abs(), self.leaf.shape(), axis),
            None => self.values.clone().max_abs(),
        }
    }

    /// Multiplies each filter by its factor.
    fn times(&self, factors: &[Wide]) -> Tensor<1> {
        let place = (&self.values.device(), self.values.dtype());
        let steps = scale_steps(factors, self.values.dtype());
        steps.into_iter().fold(self.values.clone(), |values, step| {
            let len = step.len();
            let step = Tensor::<1>::from_data(TensorData::new(step, [len]), place);
            values
                * match self.axis {
                    Some(axis) => expand_axis(step, self.leaf.shape(), axis),
                    None => step,
                }
        })
    }

    fn are_trusted(&self, squares: &[f64]) -> bool {
        let count = self.leaf.len() / squares.len().max(1);
        let floor = floor(count, self.values.dtype());
        squares.iter().all(|&square| holds(square, floor))
    }
}

/// The norms of the filters. If the squares of a parameter may have left the range, its filters are scaled by
/// powers of two first.
fn norms(filters: &[Filters<'_>]) -> Result<Vec<Vec<Wide>>, SpaceError> {
    let plain = read(filters.iter().map(Filters::squares).collect())?;
    let is_lost = |index: &usize| !filters[*index].are_trusted(&plain[*index]);
    let lost: Vec<usize> = (0..filters.len()).filter(is_lost).collect();
    let largest = read(lost.iter().map(|&index| filters[index].largest()).collect())?;
    let exponent = |&largest: &f64| {
        if largest > 0.0 && largest.is_finite() {
            exponent_of(largest)
        } else {
            0
        }
    };
    let exponents = largest
        .iter()
        .map(|largest| largest.iter().map(exponent).collect());
    let exponents: Vec<Vec<i32>> = exponents.collect();
    let again = lost.iter().zip(&exponents).map(|(&index, exponents)| {
        let factors = exponents.iter().map(|&exponent| Wide::new(1.0, -exponent));
        let Filters { leaf, axis, .. } = filters[index];
        let values = filters[index].times(&factors.collect::<Vec<_>>());
        Filters { leaf, axis, values }.squares()
    });
    let again = read(again.collect())?;
    let mut squares: Vec<Vec<Wide>> = plain
        .iter()
        .map(|squares| squares.iter().copied().map(Wide::from).collect())
        .collect();
    for ((index, exponents), again) in lost.into_iter().zip(exponents).zip(again) {
        let again = again.into_iter().zip(exponents);
        squares[index] = again
            .map(|(sum, exponent)| Wide::new(sum, 2 * exponent))
            .collect();
    }
    let roots = |squares: Vec<Wide>| squares.into_iter().map(Wide::sqrt).collect();
    Ok(squares.into_iter().map(roots).collect())
}

/// Downloads flat tensors of one element type in one transfer.
fn read(tensors: Vec<Tensor<1>>) -> Result<Vec<Vec<f64>>, SpaceError> {
    if tensors.is_empty() {
        return Ok(Vec::new());
    }
    let lengths: Vec<usize> = tensors.iter().map(|tensor| tensor.dims()[0]).collect();
    let mut values = to_host(Tensor::cat(tensors, 0))?.into_iter();
    let take = |len| values.by_ref().take(len).collect();
    Ok(lengths.into_iter().map(take).collect())
}
