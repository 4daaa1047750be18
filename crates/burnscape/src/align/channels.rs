//! Which elements of an activation are the values of which units.

use burnscape_linearize::{Activation, Axes, AxisBlock, AxisFactor};

use super::unfolding::{Spot, offsets};
use crate::symmetry::{Symmetries, TensorAxes, Traced};

/// The channels of an activation: all combinations of values of some groups along a block of the axis that a product
/// sums over, and of the parents of these groups on other axes.
#[derive(Debug)]
pub(super) struct Channels {
    /// The group of each factor of a channel, in ascending order, so that parents come first.
    pub(super) groups: Vec<usize>,
    regions: Vec<Region>,
}

/// A combination of one block of each other axis, as flat offsets that are added.
#[derive(Debug)]
struct Region {
    channels: Vec<usize>,
    /// From the first element of the tensor.
    samples: Vec<usize>,
    /// What is averaged over: axes whose order is not known, because other groups permute them.
    averaged: Vec<usize>,
}

impl Channels {
    /// The number of channels.
    pub(super) fn width(&self) -> usize {
        let first = self.regions.first();
        first.map_or(0, |region| region.channels.len())
    }

    /// A flat tensor as samples of the channels, `[samples, channels]`.
    pub(super) fn samples(&self, values: &[f64]) -> Vec<f64> {
        let counts = self.regions.iter();
        let count: usize = counts
            .map(|region| region.samples.len() * region.channels.len())
            .sum();
        let mut samples = Vec::with_capacity(count);
        for region in &self.regions {
            let share = 1.0 / region.averaged.len() as f64;
            for from in &region.samples {
                samples.extend(region.channels.iter().map(|channel| {
                    if let [offset] = region.averaged[..] {
                        return values[from + channel + offset];
                    }
                    let others = region.averaged.iter();
                    let sum: f64 = others.map(|other| values[from + channel + other]).sum();
                    share * sum
                }));
            }
        }
        samples
    }
}

/// The groups of symmetries that the groups of a program are, if they are any: those that act on the same factors of the
/// model's tensors.
pub(super) fn names(symmetries: &Symmetries, traced: &Traced, axes: &Axes) -> Vec<Option<usize>> {
    let mut names: Vec<Option<Option<usize>>> = vec![None; axes.groups.len()];
    let tensors = symmetries.layout().tensors.iter();
    for (tensor, &place) in tensors.zip(&traced.places) {
        let of_input = axes.inputs.get(place).into_iter().flatten();
        for (axis, blocks) in of_input.enumerate() {
            for block in blocks {
                for factor in &block.factors {
                    let Ok(group) = factor.group else { continue };
                    let own = group_at(tensor, axis, block, factor);
                    let known = names[group].get_or_insert(own);
                    if *known != own {
                        *known = None;
                    }
                }
            }
        }
    }
    names.into_iter().map(Option::flatten).collect()
}

/// The group that acts on a factor of an axis.
fn group_at(
    tensor: &TensorAxes,
    axis: usize,
    block: &AxisBlock,
    factor: &AxisFactor,
) -> Option<usize> {
    let mut blocks = tensor.axes.get(axis)?.iter();
    let own = blocks.find(|own| own.offset == block.offset)?;
    let mut factors = own.factors.iter();
    let same = factors.find(|own| own.size == factor.size && own.stride == factor.stride);
    same?.group
}

/// The channels of an activation, with `names` for the groups of the program: one for each block of the axis with a group.
pub(super) fn channels(
    symmetries: &Symmetries,
    names: &[Option<usize>],
    activation: &Activation,
) -> Vec<Channels> {
    let shape = activation.tensor.shape();
    let steps: Vec<usize> = (0..shape.len())
        .map(|axis| shape[axis + 1..].iter().product())
        .collect();
    let spots = |axis: usize, block: &AxisBlock| -> Vec<Spot> {
        let factors = block.factors.iter();
        let spots = factors.map(|factor| Spot {
            size: factor.size,
            stride: factor.stride * steps[axis],
            group: factor.group.as_ref().ok().and_then(|&group| names[group]),
        });
        spots.collect()
    };
    // The factors of all axes by block.
    let all: Vec<Vec<Vec<Spot>>> = activation
        .axes
        .iter()
        .enumerate()
        .map(|(axis, blocks)| blocks.iter().map(|block| spots(axis, block)).collect())
        .collect();
    let own_axis = activation.axis;
    let mut found = Vec::new();
    for (place, block) in activation.axes[own_axis].iter().enumerate() {
        let own = &all[own_axis][place];
        let mut units: Vec<Spot> = own.iter().copied().filter(|s| s.group.is_some()).collect();
        let Some(outer) = parents_elsewhere(symmetries, &units, &all, own_axis) else {
            continue;
        };
        if units.is_empty() {
            continue;
        }
        units.extend(outer.iter().map(|&(axis, factor)| all[axis][0][factor]));
        units.sort_by_key(|unit| unit.group);
        let counts = all.iter().enumerate();
        let counts = counts.map(|(axis, blocks)| if axis == own_axis { 1 } else { blocks.len() });
        let mut regions = Vec::new();
        for choice in combinations(counts) {
            let mut base = block.offset * steps[own_axis];
            let fixed = own.iter().copied().filter(|spot| spot.group.is_none());
            let (mut samples, mut averaged): (Vec<Spot>, Vec<Spot>) = (fixed.collect(), Vec::new());
            for (axis, &chosen) in choice.iter().enumerate() {
                if axis == own_axis {
                    continue;
                }
                base += activation.axes[axis][chosen].offset * steps[axis];
                for (factor, spot) in all[axis][chosen].iter().enumerate() {
                    if outer.contains(&(axis, factor)) {
                        continue;
                    }
                    match spot.group {
                        Some(_) => averaged.push(*spot),
                        None => samples.push(*spot),
                    }
                }
            }
            regions.push(Region {
                channels: offsets(0, units.iter().copied()),
                samples: offsets(base, samples),
                averaged: offsets(0, averaged),
            });
        }
        found.push(Channels {
            groups: units.iter().filter_map(|unit| unit.group).collect(),
            regions,
        });
    }
    found
}

/// Where the parents of some groups are if they are not among them, as axis and factor of its only block. `None` if a
/// parent is not exactly once beside the groups.
fn parents_elsewhere(
    symmetries: &Symmetries,
    units: &[Spot],
    all: &[Vec<Vec<Spot>>],
    own_axis: usize,
) -> Option<Vec<(usize, usize)>> {
    let mut outer = Vec::new();
    let groups = units.iter().filter_map(|unit| unit.group);
    for parent in groups.flat_map(|group| symmetries.groups()[group].parents()) {
        let is_parent = |spot: &Spot| spot.group == Some(*parent);
        match units.iter().filter(|unit| is_parent(unit)).count() {
            0 => {}
            1 => continue,
            _ => return None,
        }
        let mut places = Vec::new();
        for (axis, blocks) in all.iter().enumerate() {
            for (block, spots) in blocks.iter().enumerate() {
                let factors = spots.iter().enumerate();
                let own = factors.filter(|(_, spot)| axis != own_axis && is_parent(spot));
                places.extend(own.map(|(factor, _)| (axis, block, factor)));
            }
        }
        match places[..] {
            [(axis, 0, factor)] if all[axis].len() == 1 => outer.push((axis, factor)),
            _ => return None,
        }
    }
    outer.sort_unstable();
    outer.dedup();
    Some(outer)
}

/// All combinations of one number below each count.
fn combinations(counts: impl Iterator<Item = usize>) -> Vec<Vec<usize>> {
    counts.fold(vec![Vec::new()], |shorter, count| {
        let longer = |choice: Vec<usize>| {
            (0..count).map(move |next| {
                let mut choice = choice.clone();
                choice.push(next);
                choice
            })
        };
        shorter.into_iter().flat_map(longer).collect()
    })
}
