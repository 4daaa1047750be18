//! Tensors as matrices with one row for each unit of a group.

use std::cmp::Reverse;

use crate::symmetry::{Layout, TensorAxes};

/// A place of a group in a tensor: a factor of one of its blocks, in one combination of the blocks of all axes.
#[derive(Debug, Clone)]
pub(super) struct Unfolding {
    /// The flat index of the first element.
    base: usize,
    /// The factors of the chosen blocks.
    factors: Vec<Spot>,
    /// The factors of the parents, and of the group itself as the last one.
    rows: Vec<usize>,
    /// Other factors of the same group.
    others: Vec<usize>,
}

/// A factor, with its distance of neighboring values in the flat tensor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) size: usize,
    pub(super) stride: usize,
    pub(super) group: Option<usize>,
}

/// A tensor as a matrix, `[units, rest]`, or transposed where that order is nearer to the one in memory.
pub(super) struct Unfolded {
    pub(super) values: Vec<f64>,
    /// The shape in memory.
    pub(super) shape: [usize; 2],
    pub(super) is_transposed: bool,
}

/// The places of a group in a tensor.
pub(super) fn unfoldings(layout: &Layout, tensor: &TensorAxes, group: usize) -> Vec<Unfolding> {
    let mut found = Vec::new();
    let mut factors = tensor
        .axes
        .iter()
        .flatten()
        .flat_map(|block| &block.factors);
    if !factors.any(|factor| factor.group == Some(group)) {
        return found;
    }
    let rank = tensor.shape.len();
    let steps: Vec<usize> = (0..rank)
        .map(|axis| tensor.shape[axis + 1..].iter().product())
        .collect();
    for choice in choices(tensor) {
        let mut base = 0;
        let mut factors = Vec::new();
        // The first factor of each axis.
        let mut starts = Vec::with_capacity(rank);
        for (axis, &block) in choice.iter().enumerate() {
            let block = &tensor.axes[axis][block];
            base += block.offset * steps[axis];
            starts.push(factors.len());
            factors.extend(block.factors.iter().map(|factor| Spot {
                size: factor.size,
                stride: factor.stride * steps[axis],
                group: factor.group,
            }));
        }
        for (axis, &block) in choice.iter().enumerate() {
            for own in starts[axis]..starts[axis] + tensor.axes[axis][block].factors.len() {
                if factors[own].group != Some(group) {
                    continue;
                }
                let parents = layout.groups[group].parents().iter().map(|&parent| {
                    let (axis, place) = tensor.parent_of(axis, block, parent)?;
                    Some(starts[axis] + place)
                });
                // A layout that has been checked has all parents.
                let Some(mut rows) = parents.collect::<Option<Vec<usize>>>() else {
                    continue;
                };
                rows.push(own);
                let others = (0..factors.len())
                    .filter(|&other| other != own && factors[other].group == Some(group));
                found.push(Unfolding {
                    base,
                    others: others.collect(),
                    rows,
                    factors: factors.clone(),
                });
            }
        }
    }
    found
}

/// All combinations of one block of each axis.
fn choices(tensor: &TensorAxes) -> Vec<Vec<usize>> {
    tensor
        .axes
        .iter()
        .fold(vec![Vec::new()], |choices, blocks| {
            let longer = |choice: Vec<usize>| {
                (0..blocks.len()).map(move |block| {
                    let mut choice = choice.clone();
                    choice.push(block);
                    choice
                })
            };
            choices.into_iter().flat_map(longer).collect()
        })
}

impl Unfolding {
    /// Whether another factor in the same blocks is that of the group itself.
    pub(super) fn meets_itself(&self) -> bool {
        !self.others.is_empty()
    }

    /// Whether another factor in the same blocks is that of the given group.
    pub(super) fn meets(&self, group: usize) -> bool {
        self.factors
            .iter()
            .any(|factor| factor.group == Some(group))
    }

    /// The flat indices of the first element of each row, and what is added to these for each column.
    fn offsets(&self) -> [Vec<usize>; 2] {
        let rows = self.rows.iter().map(|&place| self.factors[place]);
        let rows = offsets(self.base, rows);
        let rest = (0..self.factors.len()).filter(|place| !self.rows.contains(place));
        let mut rest: Vec<Spot> = rest.map(|place| self.factors[place]).collect();
        rest.sort_by_key(|factor| Reverse(factor.stride));
        [rows, offsets(0, rest)]
    }

    /// The same with those of the order in memory last, and whether these are the rows.
    fn ordered(&self) -> ([Vec<usize>; 2], bool) {
        let [rows, columns] = self.offsets();
        let distance = |offsets: &[usize]| match offsets {
            [first, second, ..] => second.abs_diff(*first),
            _ => usize::MAX,
        };
        if distance(&rows) < distance(&columns) {
            ([columns, rows], true)
        } else {
            ([rows, columns], false)
        }
    }

    /// The shape of a flat tensor of this length as a matrix, and whether it is transposed, if its elements are in the order
    /// of the matrix.
    pub(super) fn as_it_is(&self, len: usize) -> Option<([usize; 2], bool)> {
        let ([outer, inner], is_transposed) = self.ordered();
        let shape = [outer.len(), inner.len()];
        let first = outer.first()? + inner.first()?;
        let follow = |offsets: &[usize], step: usize| {
            let mut pairs = offsets.windows(2);
            pairs.all(|pair| pair[1] == pair[0] + step)
        };
        let is_whole = first == 0 && shape[0] * shape[1] == len;
        (is_whole && follow(&inner, 1) && follow(&outer, inner.len()))
            .then_some((shape, is_transposed))
    }

    /// A flat tensor as a matrix.
    pub(super) fn of(&self, values: &[f64]) -> Unfolded {
        let ([outer, inner], is_transposed) = self.ordered();
        let first = inner.first().copied().unwrap_or(0);
        let mut steps = inner.iter().zip(first..);
        let is_run = steps.all(|(offset, expected)| *offset == expected);
        let mut unfolded = Vec::with_capacity(outer.len() * inner.len());
        for &from in &outer {
            if is_run {
                let from = from + first;
                unfolded.extend_from_slice(&values[from..from + inner.len()]);
            } else {
                unfolded.extend(inner.iter().map(|offset| values[from + offset]));
            }
        }
        Unfolded {
            values: unfolded,
            shape: [outer.len(), inner.len()],
            is_transposed,
        }
    }

    /// A flat tensor whose elements in these blocks are the means over all permutations of the group at its other
    /// places.
    pub(super) fn averaged(&self, values: &[f64]) -> Vec<f64> {
        let mut values = values.to_vec();
        for &other in &self.others {
            let Spot { size, stride, .. } = self.factors[other];
            let rest = (0..self.factors.len()).filter(|&place| place != other);
            let rest = rest.map(|place| self.factors[place]);
            for offset in offsets(self.base, rest) {
                let places = (0..size).map(|value| offset + stride * value);
                let sum: f64 = places.clone().map(|place| values[place]).sum();
                for place in places {
                    values[place] = sum / size as f64;
                }
            }
        }
        values
    }
}

/// The flat indices of all combinations of the factors' values, in row-major order.
pub(super) fn offsets(base: usize, factors: impl IntoIterator<Item = Spot>) -> Vec<usize> {
    factors.into_iter().fold(vec![base], |offsets, factor| {
        let values = 0..factor.size;
        let offsets = offsets.into_iter();
        offsets
            .flat_map(|offset| {
                values
                    .clone()
                    .map(move |value| offset + factor.stride * value)
            })
            .collect()
    })
}
