//! The action of permutations on a tensor: which element moves where.

use std::ops::Range;

use burn::tensor::{Int, Tensor};

use super::layout::{Block, Layout, TensorAxes};

/// One permutation for each combination of the parents' values, in row-major order, for each group.
pub(super) type Tables = [Vec<usize>];

/// A flat tensor after the permutations: `moved[.., i, ..] = values[.., p(i), ..]`.
///
/// # Cost
///
/// One selection for each axis, or one of single elements if a group depends on the place on another axis.
pub(super) fn moved(
    layout: &Layout,
    tables: &Tables,
    tensor: &TensorAxes,
    values: Tensor<1>,
) -> Tensor<1> {
    let (shape, rank) = (&tensor.shape, tensor.shape.len());
    let len: usize = shape.iter().product();
    if len == 0 || !tensor.has_groups() {
        return values;
    }
    if !(0..rank).all(|axis| is_independent(layout, tensor, axis)) {
        return selected(values, 0, &sources(layout, tables, tensor, 0..rank));
    }
    (0..rank)
        .filter(|axis| tensor.is_permuted(*axis))
        .fold(values, |values, axis| {
            let [outer, inner] =
                [&shape[..axis], &shape[axis + 1..]].map(|axes| axes.iter().product::<usize>());
            let values: Tensor<3> = values.reshape([outer, shape[axis], inner]);
            let sources = sources(layout, tables, tensor, axis..axis + 1);
            selected(values, 1, &sources).reshape([len])
        })
}

/// The same of values on the host.
pub(super) fn moved_on_host(
    layout: &Layout,
    tables: &Tables,
    tensor: &TensorAxes,
    values: &[f64],
) -> Vec<f64> {
    let (shape, rank) = (&tensor.shape, tensor.shape.len());
    let Some(last) = (0..rank).rev().find(|axis| tensor.is_permuted(*axis)) else {
        return values.to_vec();
    };
    if !(0..rank).all(|axis| is_independent(layout, tensor, axis)) {
        let sources = sources(layout, tables, tensor, 0..rank);
        return sources.into_iter().map(|from| values[from]).collect();
    }
    // Where each run along the last axis that is permuted comes from.
    let mut runs = vec![0];
    for axis in 0..last {
        let along = sources(layout, tables, tensor, axis..axis + 1);
        let mut longer = Vec::with_capacity(runs.len() * along.len());
        for run in runs {
            longer.extend(along.iter().map(|from| run * along.len() + from));
        }
        runs = longer;
    }
    let along = sources(layout, tables, tensor, last..last + 1);
    let inner: usize = shape[last + 1..].iter().product();
    let mut moved = Vec::with_capacity(values.len());
    for run in runs {
        let run = &values[run * along.len() * inner..][..along.len() * inner];
        if inner == 1 {
            moved.extend(along.iter().map(|&from| run[from]));
        } else {
            for &from in &along {
                moved.extend_from_slice(&run[from * inner..][..inner]);
            }
        }
    }
    moved
}

/// Selects along an axis, unless that changes nothing.
fn selected<const D: usize>(values: Tensor<D>, axis: usize, sources: &[usize]) -> Tensor<D> {
    if sources.iter().enumerate().all(|(to, from)| to == *from) {
        return values;
    }
    let sources: Vec<i64> = sources.iter().map(|&from| from as i64).collect();
    let sources = Tensor::<1, Int>::from_data(sources.as_slice(), &values.device());
    values.select(axis, sources)
}

/// Whether the permutations of an axis do not depend on the place on another axis.
fn is_independent(layout: &Layout, tensor: &TensorAxes, axis: usize) -> bool {
    tensor.axes[axis].iter().enumerate().all(|(place, block)| {
        let mut groups = block.factors.iter().filter_map(|factor| factor.group);
        groups.all(|group| {
            let mut parents = layout.groups[group].parents.iter();
            parents.all(|parent| {
                let found = tensor.parent_of(axis, place, *parent);
                found.is_some_and(|(other, _)| other == axis)
            })
        })
    })
}

/// A factor of the chosen blocks.
struct Part<'t> {
    size: usize,
    /// The distance of neighboring values in the result.
    step: usize,
    /// The table of its group, and the parts and sizes of the parents.
    table: Option<Permuted<'t>>,
}

/// A table of permutations, and the parts and sizes of its parents.
type Permuted<'t> = (&'t [usize], Vec<(usize, usize)>);

/// For each index of some neighboring axes, in row-major order, the index that moves there. The axes must not depend on
/// others.
pub(super) fn sources(
    layout: &Layout,
    tables: &Tables,
    tensor: &TensorAxes,
    axes: Range<usize>,
) -> Vec<usize> {
    let shape = &tensor.shape[axes.clone()];
    let mut sources: Vec<usize> = (0..shape.iter().product::<usize>()).collect();
    if sources.is_empty() {
        return sources;
    }
    let steps: Vec<usize> = (0..shape.len())
        .map(|axis| shape[axis + 1..].iter().product())
        .collect();
    let counts: Vec<usize> = tensor.axes[axes.clone()].iter().map(Vec::len).collect();
    let mut choice = vec![0; counts.len()];
    loop {
        let (offset, parts) = parts(layout, tables, tensor, axes.start, &choice, &steps);
        let sizes: Vec<usize> = parts.iter().map(|part| part.size).collect();
        let mut values = vec![0; parts.len()];
        loop {
            let (mut to, mut from) = (offset, offset);
            for (part, &value) in parts.iter().zip(&values) {
                let source = match &part.table {
                    None => value,
                    Some((table, parents)) => {
                        let parents = parents.iter();
                        let row =
                            parents.fold(0, |row, &(parent, size)| row * size + values[parent]);
                        table[row * part.size + value]
                    }
                };
                to += part.step * value;
                from += part.step * source;
            }
            sources[to] = from;
            if !advance(&mut values, &sizes) {
                break;
            }
        }
        if !advance(&mut choice, &counts) {
            return sources;
        }
    }
}

/// The factors of one block of each axis, and the index of their first values.
fn parts<'t>(
    layout: &Layout,
    tables: &'t Tables,
    tensor: &TensorAxes,
    first_axis: usize,
    choice: &[usize],
    steps: &[usize],
) -> (usize, Vec<Part<'t>>) {
    let chosen = choice.iter().enumerate();
    let blocks: Vec<&Block> = chosen
        .map(|(axis, &block)| &tensor.axes[first_axis + axis][block])
        .collect();
    // The part of the first factor of each block.
    let mut starts = Vec::with_capacity(blocks.len());
    let mut count = 0;
    for block in &blocks {
        starts.push(count);
        count += block.factors.len();
    }
    let offsets = blocks.iter().zip(steps);
    let offset: usize = offsets.map(|(block, step)| block.offset * step).sum();
    let mut parts = Vec::with_capacity(count);
    for (axis, block) in blocks.iter().enumerate() {
        for factor in &block.factors {
            let table = factor.group.map(|group| {
                let parents = layout.groups[group].parents.iter();
                let parents = parents.filter_map(|&parent| {
                    let (other, place) =
                        tensor.parent_of(first_axis + axis, choice[axis], parent)?;
                    let start = starts.get(other.checked_sub(first_axis)?)?;
                    Some((start + place, layout.groups[parent].size))
                });
                (tables[group].as_slice(), parents.collect())
            });
            parts.push(Part {
                size: factor.size,
                step: factor.stride * steps[axis],
                table,
            });
        }
    }
    (offset, parts)
}

/// The next combination of values in row-major order; false, and the first one, after the last.
pub(super) fn advance(values: &mut [usize], sizes: &[usize]) -> bool {
    for (value, &size) in values.iter_mut().zip(sizes).rev() {
        *value += 1;
        if *value < size {
            return true;
        }
        *value = 0;
    }
    false
}
