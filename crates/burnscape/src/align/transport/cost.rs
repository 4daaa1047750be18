//! How far the units of two models are apart.

use super::moved::Region;
use super::roles::{Role, Roles};

/// Two models, the first one partly moved onto the second.
#[derive(Debug)]
pub(super) struct Comparison<'m> {
    /// The regions of each float tensor.
    pub(super) source: &'m [Vec<Region>],
    pub(super) target: &'m [Vec<Region>],
    pub(super) roles: &'m Roles,
    /// For each float tensor whether it is a parameter.
    pub(super) is_parameter: &'m [bool],
    /// For each group whether its units are in their places.
    pub(super) is_placed: &'m [bool],
}

/// The costs of moving units.
#[derive(Debug)]
pub(super) struct Costs {
    /// Row-major, `[source, target]`.
    pub(super) values: Vec<f64>,
    /// The regions that they are of.
    pub(super) num_compared: usize,
}

impl Comparison<'_> {
    /// The squared distances of what makes the units of a group, over all regions in which everything else is in its
    /// place; zero if there are none.
    pub(super) fn costs(&self, group: usize, [rows, columns]: [usize; 2]) -> Costs {
        let mut values = vec![0.0; rows * columns];
        let mut num_compared = 0;
        let pairs = self.source.iter().zip(self.target).enumerate();
        for (tensor, (source, target)) in pairs.filter(|(tensor, _)| self.is_parameter[*tensor]) {
            for (source, target) in source.iter().zip(target) {
                let Some(place) = self.place(tensor, target, group) else {
                    continue;
                };
                num_compared += 1;
                let (own, other) = (source.rows(place), target.rows(place));
                let width = own.len() / rows;
                let costs = values.chunks_exact_mut(columns);
                for (costs, own) in costs.zip(own.chunks_exact(width)) {
                    for (cost, other) in costs.iter_mut().zip(other.chunks_exact(width)) {
                        *cost += squared_distance(own, other);
                    }
                }
            }
        }
        Costs {
            values,
            num_compared,
        }
    }

    /// The dimension of a region with the units, if the region makes them, once, and everything else is in its place.
    fn place(&self, tensor: usize, region: &Region, group: usize) -> Option<usize> {
        let dimensions = &region.dimensions;
        let mut places = (0..dimensions.len()).filter(|&at| dimensions[at].group == Some(group));
        let place = places.next()?;
        let is_only = places.next().is_none();
        let is_made = self.roles.at(tensor, dimensions[place].axis) != Role::Reads;
        let mut others = dimensions.iter().enumerate();
        let is_known = others.all(|(at, dimension)| {
            at == place || dimension.group.is_none_or(|group| self.is_placed[group])
        });
        (is_only && is_made && is_known).then_some(place)
    }
}

/// The sum of squares of differences.
fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest: f64 = rest.map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    sums.iter().sum::<f64>() + rest
}
