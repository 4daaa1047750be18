//! A traced function at displaced weights.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::tensor::{DType, Tensor};

use super::CurvatureError;
use crate::space::{Distance, Nearby, ParamSpace, ParamVector, epsilon};

const SEED: u64 = 3;

/// Where a function is looked at near the weights of a model, and along what.
#[derive(Debug)]
pub(super) struct Displaced {
    nearby: Nearby,
    /// What is multiplied there: Gaussian, for signs are blind to what cancels in pairs.
    pub(super) tangent: Tensor<1>,
}

impl Displaced {
    /// Around the weights that stand at `positions` of a program's inputs, one for each tensor of the
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
            tangent: ParamVector::gaussian(space, SEED)?.values().clone(),
        })
    }

    /// The inputs of a program with displaced weights.
    pub(super) fn inputs(
        &self,
        inputs: &[DispatchTensor],
        positions: &[usize],
        distance: Distance,
    ) -> Result<Vec<DispatchTensor>, CurvatureError> {
        let step = self.nearby.displacement(distance)?;
        let mut moved = inputs.to_vec();
        for (leaf, &index) in self.nearby.space().leaves().iter().zip(positions) {
            let value = &inputs[index];
            let sum = flat(value.clone()) + step.leaf(leaf);
            moved[index] = Dispatch::float_reshape(sum.into_dispatch(), value.shape());
        }
        Ok(moved)
    }
}

/// How far a derivative forwards and one backwards may be apart: rounding adds up over the operations of
/// a deep net, and some of Burn's backward passes compute in f32 whatever the type is. What is detached
/// makes a difference of the order of one.
pub(super) fn of_derivatives(dtype: DType) -> f64 {
    (8.0 * epsilon(dtype).sqrt()).clamp(1e-4, 0.1)
}

/// How far two products with a vector may be apart, relative to the product of the norms.
pub(super) fn of_products(dtype: DType) -> f64 {
    epsilon(dtype).sqrt().max(1e-6)
}

fn flat(tensor: DispatchTensor) -> Tensor<1> {
    let len = tensor.shape().num_elements();
    Tensor::from_dispatch(Dispatch::float_reshape(tensor, [len].into()))
}
