//! Points near given weights, where what cancels at the weights does not.

use burn::tensor::{DType, Tensor};

use super::{ParamSpace, ParamVector, SpaceError, epsilon};

const SEED: u64 = 5;

/// How far from the weights: a share of each tensor's size, which counts as `floor` where it is less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Distance {
    share: f64,
    floor: f64,
}

impl Distance {
    /// The weights themselves.
    pub(crate) const NONE: Self = Self {
        share: 0.0,
        floor: 0.0,
    };

    /// From a hundredth of each tensor's size, or what half precision can tell from none, up to the size
    /// itself and to the scale of one.
    pub(crate) fn growing(dtype: DType) -> [Self; 4] {
        let first = first_share(dtype);
        let of = |share, floor| Self { share, floor };
        [
            of(first, 0.0),
            of(first.sqrt(), 0.0),
            of(1.0, 0.0),
            of(1.0, 1.0),
        ]
    }

    /// Below those, where the function is not finite there.
    pub(crate) fn shrinking(dtype: DType) -> [Self; 3] {
        [1e-1, 1e-2, 1e-3].map(|factor| Self {
            share: factor * first_share(dtype),
            floor: 0.0,
        })
    }

    /// What rounding leaves of terms that cancel, relative to what is left of them at this distance.
    pub(crate) fn rounding(self, dtype: DType) -> f64 {
        16.0 * epsilon(dtype) / self.share
    }
}

fn first_share(dtype: DType) -> f64 {
    (8.0 * epsilon(dtype).sqrt()).max(1e-2)
}

/// A seeded direction from given weights, in units of the size of each tensor.
#[derive(Debug)]
pub(crate) struct Nearby {
    direction: ParamVector,
    /// Root mean square of each tensor's elements; that of all elements for a tensor of zeros, one if
    /// there are only such.
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
            direction: ParamVector::gaussian(space, SEED)?,
            sizes: sizes.collect(),
        })
    }

    pub(crate) fn space(&self) -> &ParamSpace {
        self.direction.space()
    }

    /// From the weights to the point at a distance.
    pub(crate) fn displacement(&self, distance: Distance) -> Result<ParamVector, SpaceError> {
        let leaves = self.space().leaves().iter().zip(&self.sizes);
        let steps = leaves.map(|(leaf, size)| -> Tensor<1> {
            self.direction.leaf(leaf) * (distance.share * size.max(distance.floor))
        });
        ParamVector::from_values(self.space(), Tensor::cat(steps.collect(), 0))
    }
}
