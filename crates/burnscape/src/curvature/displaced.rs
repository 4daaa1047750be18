//! A traced function at displaced weights.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::tensor::{DType, Tensor};

use super::CurvatureError;
use crate::loss::Tolerance;
use crate::space::{Distance, Nearby, ParamSpace, ParamVector, epsilon, outer_gaussian};

/// Seeds that are used nowhere else.
const SEEDS: [u64; 2] = [0x7A16, 0x0C07];

/// Points near the weights of a model, and tangents at these points. Nothing is held that is as long as the weights.
#[derive(Debug)]
pub(super) struct Displaced {
    nearby: Nearby,
}

impl Displaced {
    /// Points around the weights at `positions` among the inputs of a program, one position per tensor of the
    /// space.
    pub(super) fn from(
        space: &ParamSpace,
        inputs: &[DispatchTensor],
        positions: &[usize],
    ) -> Result<Self, CurvatureError> {
        let weights = positions.iter().map(|&index| flat(inputs[index].clone()));
        let weights = ParamVector::from_values(space, Tensor::cat(weights.collect(), 0))?;
        Ok(Self {
            nearby: Nearby::around(&weights)?,
        })
    }

    pub(super) fn dtype(&self) -> DType {
        self.nearby.dtype()
    }

    /// The tangent at a distance. It is no vector of signs: these miss errors that cancel in pairs.
    pub(super) fn tangent(&self, distance: Distance) -> Tensor<1> {
        let space = self.nearby.space();
        let seed = SEEDS[0] ^ distance.seed;
        outer_gaussian(space.len(), seed, space.device(), self.dtype())
    }

    /// The cotangent at a distance, for `outputs`.
    pub(super) fn cotangent(&self, distance: Distance, outputs: &Tensor<1>) -> Tensor<1> {
        let [len] = outputs.dims();
        let seed = SEEDS[1] ^ distance.seed;
        outer_gaussian(len, seed, self.nearby.space().device(), outputs.dtype())
    }

    /// The inputs of a program, with displaced weights.
    pub(super) fn inputs(
        &self,
        inputs: &[DispatchTensor],
        positions: &[usize],
        distance: Distance,
    ) -> Vec<DispatchTensor> {
        let mut moved = inputs.to_vec();
        for (step, &index) in self.nearby.steps(distance).zip(positions) {
            let value = &inputs[index];
            let sum = step + flat(value.clone());
            moved[index] = Dispatch::float_reshape(sum.into_dispatch(), value.shape());
        }
        moved
    }
}

/// The tolerance between forward and backward derivatives. Rounding errors accumulate over the operations of a deep
/// network, and some of Burn's backward passes compute in f32 for every element type. A detached tensor causes a
/// difference of order one.
pub(super) fn of_derivatives(dtype: DType) -> Tolerance {
    let throughout = (8.0 * epsilon(dtype).sqrt()).clamp(1e-4, 0.1);
    Tolerance {
        at_once: (64.0 * epsilon(dtype)).clamp(1e-6, throughout),
        throughout,
    }
}

/// The tolerance between two products with a vector, relative to the product of the norms.
pub(super) fn of_products(dtype: DType) -> f64 {
    epsilon(dtype).sqrt().max(1e-6)
}

fn flat(tensor: DispatchTensor) -> Tensor<1> {
    let len = tensor.shape().num_elements();
    Tensor::from_dispatch(Dispatch::float_reshape(tensor, [len].into()))
}
