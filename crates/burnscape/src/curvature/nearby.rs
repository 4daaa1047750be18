//! Points near the model's own weights, where what cancels at the weights does not.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::tensor::{DType, Tensor};

use super::CurvatureError;
use crate::space::{ParamSpace, ParamVector, as_accumulator, epsilon};

/// Seeds of the displacement and of the vector that is multiplied.
const SEEDS: [u64; 2] = [5, 3];

/// How far from the weights: a share of each tensor's size, which counts as `floor` where it is less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Distance {
    share: f64,
    floor: f64,
}

impl Distance {
    /// The weights themselves.
    pub(super) const NONE: Self = Self {
        share: 0.0,
        floor: 0.0,
    };

    /// From a hundredth of each tensor's size, or what half precision can tell from none, up to the size
    /// itself and to the scale of one.
    pub(super) fn growing(dtype: DType) -> [Self; 4] {
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
    pub(super) fn shrinking(dtype: DType) -> [Self; 3] {
        [1e-1, 1e-2, 1e-3].map(|factor| Self {
            share: factor * first_share(dtype),
            floor: 0.0,
        })
    }

    /// What rounding leaves of terms that cancel, relative to what is left of them at this distance.
    pub(super) fn rounding(self, dtype: DType) -> f64 {
        16.0 * epsilon(dtype) / self.share
    }
}

fn first_share(dtype: DType) -> f64 {
    (8.0 * epsilon(dtype).sqrt()).max(1e-2)
}

/// A seeded direction from the weights of a model, in units of the size of each tensor.
#[derive(Debug)]
pub(super) struct Nearby {
    space: ParamSpace,
    direction: ParamVector,
    /// Root mean square of each tensor's elements; that of all elements for a tensor of zeros, one if
    /// there are only such.
    sizes: Vec<f64>,
    /// What is multiplied at the points: Gaussian, for signs are blind to what cancels in pairs.
    pub(super) tangent: Tensor<1>,
}

impl Nearby {
    /// Around the weights that stand at `positions` of a program's inputs, one for each tensor of the
    /// space.
    pub(super) fn of(
        space: &ParamSpace,
        inputs: &[DispatchTensor],
        positions: &[usize],
    ) -> Result<Self, CurvatureError> {
        let weights = positions.iter().map(|&index| flat(inputs[index].clone()));
        let weights = ParamVector::from_values(space, Tensor::cat(weights.collect(), 0))?;
        let norms = weights.leaf_norms()?;
        let mean = |norm: f64, len: usize| norm / (len.max(1) as f64).sqrt();
        let positive = |size: f64| (size > 0.0 && size.is_finite()).then_some(size);
        let all = mean(
            norms.iter().fold(0.0, |all: f64, norm| all.hypot(*norm)),
            space.len(),
        );
        let all = positive(all).unwrap_or(1.0);
        let sizes = space.leaves().iter().zip(&norms);
        let sizes = sizes.map(|(leaf, norm)| positive(mean(*norm, leaf.len())).unwrap_or(all));
        Ok(Self {
            space: space.clone(),
            direction: ParamVector::gaussian(space, SEEDS[0])?,
            sizes: sizes.collect(),
            tangent: ParamVector::gaussian(space, SEEDS[1])?.values().clone(),
        })
    }

    /// The inputs of a program with displaced weights.
    pub(super) fn inputs(
        &self,
        inputs: &[DispatchTensor],
        positions: &[usize],
        distance: Distance,
    ) -> Vec<DispatchTensor> {
        let mut moved = inputs.to_vec();
        let leaves = self.space.leaves().iter().zip(&self.sizes);
        for ((leaf, size), &index) in leaves.zip(positions) {
            let value = &inputs[index];
            let length = distance.share * size.max(distance.floor);
            let step = as_accumulator(self.direction.leaf(leaf)) * length;
            let sum = as_accumulator(flat(value.clone())) + step;
            let sum = match sum.dtype() == value.dtype() {
                true => sum,
                false => sum.cast(value.dtype()),
            };
            moved[index] = Dispatch::float_reshape(sum.into_dispatch(), value.shape());
        }
        moved
    }
}

fn flat(tensor: DispatchTensor) -> Tensor<1> {
    let len = tensor.shape().num_elements();
    Tensor::from_dispatch(Dispatch::float_reshape(tensor, [len].into()))
}
