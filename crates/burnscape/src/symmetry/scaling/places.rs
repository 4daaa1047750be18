//! The elements of a tensor that a symmetry's factors act on.

use burnscape_linearize::ScaledPlace;
use serde::{Deserialize, Serialize};

use super::super::layout::{Block, Layout, TensorAxes};

/// A factor of a block of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) tensor: usize,
    /// The block of each axis.
    pub(super) blocks: Vec<usize>,
    pub(super) axis: usize,
    /// The index of the factor in the block of the axis.
    pub(super) factor: usize,
    pub(super) exponent: i64,
    /// The factors whose values are those of the parents: an axis and a factor of its block, with the sizes.
    parents: Vec<(usize, usize, usize)>,
}

impl Place {
    /// `None` if the layout has no such place.
    pub(super) fn of(layout: &Layout, tensor: usize, place: &ScaledPlace) -> Option<Self> {
        let axes = layout.tensors.get(tensor)?;
        let block = *place.blocks.get(place.axis)?;
        let factor = axes
            .axes
            .get(place.axis)?
            .get(block)?
            .factors
            .get(place.factor)?;
        let parents = layout.groups[factor.group?].parents.iter().map(|&parent| {
            let (axis, factor) = axes.parent_of(place.axis, block, parent)?;
            Some((axis, factor, layout.groups[parent].size))
        });
        Some(Self {
            tensor,
            blocks: place.blocks.clone(),
            axis: place.axis,
            factor: place.factor,
            exponent: place.exponent.0,
            parents: parents.collect::<Option<_>>()?,
        })
    }

    /// Calls `visit` with every element of the place, and the index of its factor among all of the symmetry.
    pub(super) fn each(&self, tensor: &TensorAxes, mut visit: impl FnMut(usize, usize)) {
        let blocks: Vec<&Block> = self
            .blocks
            .iter()
            .zip(&tensor.axes)
            .map(|(&block, blocks)| &blocks[block])
            .collect();
        let places: Vec<Vec<usize>> = blocks.iter().map(|block| block.places()).collect();
        let size = blocks[self.axis].factors[self.factor].size;
        let mut at = vec![0; places.len()];
        if places.iter().any(Vec::is_empty) {
            return;
        }
        loop {
            let element = at.iter().zip(&places).zip(&tensor.shape);
            let element = element.fold(0, |flat, ((&at, places), len)| flat * len + places[at]);
            let row = self.parents.iter().fold(0, |row, &(axis, factor, size)| {
                row * size + value(blocks[axis], factor, at[axis])
            });
            let own = value(blocks[self.axis], self.factor, at[self.axis]);
            visit(element, row * size + own);
            let Some(axis) = (0..at.len())
                .rev()
                .find(|&axis| at[axis] + 1 < places[axis].len())
            else {
                return;
            };
            at[axis] += 1;
            at[axis + 1..].fill(0);
        }
    }
}

/// The value of a factor at the `at`-th place of a block.
fn value(block: &Block, factor: usize, at: usize) -> usize {
    let after = &block.factors[factor + 1..];
    let inner: usize = after.iter().map(|factor| factor.size).product();
    (at / inner.max(1)) % block.factors[factor].size
}
