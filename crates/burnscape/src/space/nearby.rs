//! Points near given weights, where terms do not cancel as they may at the weights themselves.

use burn::tensor::{DType, Tensor};

use super::outer::SHORT;
use super::{ParamSpace, ParamVector, SpaceError, epsilon, mix, outer_gaussian};

const SEED: u64 = 5;

/// A distance from the weights: a share of the size of each tensor, where sizes below `floor` count as `floor`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Distance {
    share: f64,
    floor: f64,
    /// Seed for random numbers at this distance.
    pub(crate) seed: u64,
}

impl Distance {
    /// The weights themselves.
    pub(crate) const NONE: Self = Self {
        share: 0.0,
        floor: 0.0,
        seed: 0,
    };

    /// Four distances, from a hundredth of each tensor's size (more in half precision, which resolves less) up to
    /// the size itself, and at least one.
    pub(crate) fn growing(dtype: DType) -> [Self; 4] {
        let first = first_share(dtype);
        let of = |share, floor, seed| Self { share, floor, seed };
        [
            of(first, 0.0, 1),
            of(first.sqrt(), 0.0, 2),
            of(1.0, 0.0, 3),
            of(1.0, 1.0, 4),
        ]
    }

    /// Smaller distances, for functions that are not finite at those.
    pub(crate) fn shrinking(dtype: DType) -> [Self; 3] {
        let first = first_share(dtype);
        let of = |factor: f64, seed| Self {
            share: factor * first,
            floor: 0.0,
            seed,
        };
        [of(1e-1, 5), of(1e-2, 6), of(1e-3, 7)]
    }

    /// The rounding error of terms that cancel, relative to their sum at this distance.
    pub(crate) fn rounding(self, dtype: DType) -> f64 {
        16.0 * epsilon(dtype) / self.share
    }
}

fn first_share(dtype: DType) -> f64 {
    (8.0 * epsilon(dtype).sqrt()).max(1e-2)
}

/// A random direction from given weights, in units of the size of each tensor. It is drawn anew for each use, so that
/// nothing of its length is held.
#[derive(Debug)]
pub(crate) struct Nearby {
    space: ParamSpace,
    dtype: DType,
    /// The root mean square of each tensor's elements. For a tensor of zeros, that of all elements; one if all are
    /// zero.
    sizes: Vec<f64>,
}

impl Nearby {
    pub(crate) fn around(weights: &ParamVector) -> Result<Self, SpaceError> {
        let space = weights.space();
        let norms = weights.leaf_norms()?;
        let mean = |norm: f64, len: usize| norm / (len.max(1) as f64).sqrt();
        let positive = |size: f64| (size > 0.0 && size.is_finite()).then_some(size);
        let all = norms.iter().fold(0.0, |all: f64, norm| all.hypot(*norm));
        let all = positive(mean(all, space.len())).unwrap_or(1.0);
        let sizes = space.leaves().iter().zip(&norms);
        let sizes = sizes.map(|(leaf, norm)| positive(mean(*norm, leaf.len())).unwrap_or(all));
        Ok(Self {
            space: space.clone(),
            dtype: space.dtype()?,
            sizes: sizes.collect(),
        })
    }

    pub(crate) fn space(&self) -> &ParamSpace {
        &self.space
    }

    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    /// The displacement from the weights to the point at a distance.
    pub(crate) fn displacement(&self, distance: Distance) -> Result<ParamVector, SpaceError> {
        let steps = self.steps(distance).collect();
        ParamVector::from_values(&self.space, Tensor::cat(steps, 0))
    }

    /// The displacement of each tensor, flat.
    pub(crate) fn steps(&self, distance: Distance) -> impl Iterator<Item = Tensor<1>> {
        let (len, device) = (self.space.len(), self.space.device());
        let drawn = |len, seed| outer_gaussian(len, seed, device, self.dtype);
        let short = (len <= SHORT).then(|| drawn(len, SEED));
        let leaves = self.space.leaves().iter().zip(&self.sizes).enumerate();
        leaves.map(move |(index, (leaf, size))| {
            let direction = match &short {
                Some(all) => all.clone().slice(leaf.offset()..leaf.offset() + leaf.len()),
                None => drawn(leaf.len(), mix(SEED, index as u64)),
            };
            direction * (distance.share * size.max(distance.floor))
        })
    }
}
