//! Tensors under plans.

use super::roles::Role;
use crate::align::unfolding::{Spot, offsets};
use crate::symmetry::TensorAxes;

/// For each unit of the target the units of the source of which it is a sum, with their weights.
type Weights = Vec<Vec<(usize, f64)>>;

/// A plan, with what it does to members of either role.
#[derive(Debug)]
pub(super) struct Plan {
    /// Row-major, `[source, target]`, with the sum 1.
    pub(super) values: Vec<f64>,
    /// `T_ij / β_j`.
    makes: Weights,
    /// `T_ij / α_i`.
    reads: Weights,
}

impl Plan {
    /// A plan of masses with a total: in row-major order, with equal sums of rows and equal sums of columns.
    pub(super) fn new(masses: &[f64], total: f64, [rows, columns]: [usize; 2]) -> Self {
        let shares = |sum: f64| -> Weights {
            let columns = (0..columns).map(|column| {
                let sources = (0..rows).map(|row| (row, masses[row * columns + column]));
                let sources = sources.filter(|(_, mass)| *mass != 0.0);
                sources.map(|(row, mass)| (row, mass / sum)).collect()
            });
            columns.collect()
        };
        Self {
            values: masses.iter().map(|mass| mass / total).collect(),
            makes: shares(total / columns as f64),
            reads: shares(total / rows as f64),
        }
    }

    /// The weights for a role. For equal numbers of units they are the same.
    fn weights(&self, role: Role) -> &Weights {
        match role {
            Role::Makes | Role::Both => &self.makes,
            Role::Reads => &self.reads,
        }
    }
}

/// A dimension of a region: a factor of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dimension {
    pub(super) size: usize,
    /// The group of the target.
    pub(super) group: Option<usize>,
    /// The axis of the tensor.
    pub(super) axis: usize,
}

/// One block of each axis of a tensor, as an array with a dimension for each of their factors.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) dimensions: Vec<Dimension>,
    pub(super) values: Vec<f64>,
}

/// The regions of a flat tensor, with `name` for its groups.
pub(super) fn regions(
    tensor: &TensorAxes,
    values: &[f64],
    name: &dyn Fn(usize) -> Option<usize>,
) -> Vec<Region> {
    let regions = places(tensor).into_iter().map(|(dimensions, places)| {
        let dimensions = dimensions.into_iter().map(|own| Dimension {
            group: own.group.and_then(name),
            ..own
        });
        Region {
            dimensions: dimensions.collect(),
            values: places.into_iter().map(|place| values[place]).collect(),
        }
    });
    regions.collect()
}

/// The flat tensor of these regions, which must have the sizes of the tensor.
pub(super) fn joined(tensor: &TensorAxes, regions: &[Region]) -> Vec<f64> {
    let mut values = vec![0.0; tensor.shape.iter().product()];
    for (region, (_, places)) in regions.iter().zip(places(tensor)) {
        for (place, value) in places.into_iter().zip(&region.values) {
            values[place] = *value;
        }
    }
    values
}

/// The dimensions of a region, and the flat indices of its elements.
type Places = (Vec<Dimension>, Vec<usize>);

/// Those of all regions.
fn places(tensor: &TensorAxes) -> Vec<Places> {
    let mut found: Vec<Places> = vec![(Vec::new(), vec![0])];
    for (axis, blocks) in tensor.axes.iter().enumerate() {
        let step: usize = tensor.shape[axis + 1..].iter().product();
        let mut longer = Vec::with_capacity(found.len() * blocks.len());
        for (dimensions, places) in &found {
            for block in blocks {
                let factors = block.factors.iter();
                let spots = factors.clone().map(|factor| Spot {
                    size: factor.size,
                    stride: factor.stride * step,
                    group: factor.group,
                });
                let along = offsets(block.offset * step, spots);
                let mut dimensions = dimensions.clone();
                dimensions.extend(factors.map(|factor| Dimension {
                    size: factor.size,
                    group: factor.group,
                    axis,
                }));
                let places = places.iter();
                let places = places.flat_map(|from| along.iter().map(move |to| from + to));
                longer.push((dimensions, places.collect()));
            }
        }
        found = longer;
    }
    found
}

impl Region {
    /// Moves the units of a group along each of its dimensions, by the role of the dimension's axis.
    pub(super) fn transport(&mut self, group: usize, plan: &Plan, role: &dyn Fn(usize) -> Role) {
        for place in 0..self.dimensions.len() {
            let dimension = self.dimensions[place];
            if dimension.group == Some(group) {
                self.mix(place, plan.weights(role(dimension.axis)));
            }
        }
    }

    /// `new[.., j, ..] = Σ_i weight_ij old[.., i, ..]` along a dimension.
    fn mix(&mut self, place: usize, weights: &Weights) {
        let [size, inner] = self.strides(place);
        let runs = self.values.len() / (size * inner);
        let mut mixed = Vec::with_capacity(runs * weights.len() * inner);
        for run in self.values.chunks_exact(size * inner) {
            for sources in weights {
                let start = mixed.len();
                // The first one is not added to zero, so that a moved value keeps its bits.
                for (source, weight) in sources {
                    let values = &run[source * inner..][..inner];
                    if mixed.len() == start {
                        mixed.extend(values.iter().map(|value| weight * value));
                    } else {
                        for (sum, value) in mixed[start..].iter_mut().zip(values) {
                            *sum += weight * value;
                        }
                    }
                }
                mixed.resize(start + inner, 0.0);
            }
        }
        self.dimensions[place].size = weights.len();
        self.values = mixed;
    }

    /// A matrix with a row for each value of a dimension, one after the other.
    pub(super) fn rows(&self, place: usize) -> Vec<f64> {
        let [size, inner] = self.strides(place);
        let mut rows = Vec::with_capacity(self.values.len());
        for row in 0..size {
            for run in self.values.chunks_exact(size * inner) {
                rows.extend_from_slice(&run[row * inner..][..inner]);
            }
        }
        rows
    }

    /// The size of a dimension, and the distance of its neighboring values.
    fn strides(&self, place: usize) -> [usize; 2] {
        let inner = self.dimensions[place + 1..].iter();
        let inner = inner.map(|dimension| dimension.size).product();
        [self.dimensions[place].size, inner]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(sizes: &[usize], groups: &[Option<usize>]) -> Region {
        let dimensions = sizes.iter().zip(groups).enumerate();
        let dimensions = dimensions.map(|(axis, (&size, &group))| Dimension { size, group, axis });
        let count: usize = sizes.iter().product();
        Region {
            dimensions: dimensions.collect(),
            values: (0..count).map(|at| at as f64).collect(),
        }
    }

    /// Two units of the source onto three of the target, `α = 1/2` and `β = 1/3`.
    fn plan() -> Plan {
        Plan::new(&[2.0, 1.0, 0.0, 0.0, 1.0, 2.0], 6.0, [2, 3])
    }

    #[test]
    fn a_plan_sums_to_one() {
        let expected = [2.0, 1.0, 0.0, 0.0, 1.0, 2.0].map(|mass| mass / 6.0);
        assert_eq!(plan().values, expected);
    }

    #[test]
    fn units_are_means_of_units_and_readings_are_divided() {
        // [[0, 1], [2, 3]] with the group on the second axis.
        let mut made = region(&[2, 2], &[None, Some(4)]);
        made.transport(4, &plan(), &|_| Role::Makes);
        assert_eq!(made.values, [0.0, 0.5, 1.0, 2.0, 2.5, 3.0]);
        // The same on the first axis.
        let mut read = region(&[2, 2], &[Some(4), None]);
        read.transport(4, &plan(), &|_| Role::Reads);
        let third = 1.0 / 3.0;
        let expected = [0.0, 2.0 * third, third * 2.0, third + 1.0, 4.0 * third, 2.0];
        for (value, expected) in read.values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-15, "{:?}", read.values);
        }
        // The sum over the units is that of the source.
        assert!((read.values.iter().sum::<f64>() - 6.0).abs() < 1e-14);
    }

    #[test]
    fn two_dimensions_of_a_group_move_by_their_own_roles() {
        let mut both = region(&[2, 2], &[Some(0), Some(0)]);
        let role = |axis: usize| if axis == 0 { Role::Reads } else { Role::Makes };
        both.transport(0, &plan(), &role);
        assert_eq!(both.values.len(), 9);
        let mut first = region(&[2, 2], &[Some(0), None]);
        first.transport(0, &plan(), &role);
        first.dimensions[1].group = Some(0);
        first.dimensions[0].group = None;
        first.transport(0, &plan(), &role);
        assert_eq!(both.values, first.values);
    }

    #[test]
    fn rows_are_the_values_of_a_dimension() {
        let cube = region(&[2, 3, 2], &[None; 3]);
        let expected = [0.0, 1.0, 6.0, 7.0, 2.0, 3.0, 8.0, 9.0, 4.0, 5.0, 10.0, 11.0];
        assert_eq!(cube.rows(1), expected);
    }

    #[test]
    fn a_moved_value_keeps_its_bits() {
        let mut moved = region(&[1, 2], &[None, Some(0)]);
        moved.values = vec![-0.0, 0.1];
        let swap = Plan::new(&[0.0, 1.0, 1.0, 0.0], 2.0, [2, 2]);
        moved.transport(0, &swap, &|_| Role::Makes);
        let bits: Vec<u64> = moved.values.iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, [0.1_f64.to_bits(), (-0.0_f64).to_bits()]);
    }
}
