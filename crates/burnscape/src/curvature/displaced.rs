//! A traced function at displaced weights.

use std::collections::HashMap;

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor, TensorMetadata};
use burn::tensor::{DType, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};

use super::CurvatureError;
use crate::loss::Tolerance;
use crate::space::{Distance, Nearby, ParamSpace, ParamVector, epsilon};

/// Seeds that are used nowhere else.
const SEEDS: [u64; 2] = [0x7A16, 0x0C07];

/// Points near the weights of a model, and tangents at these points.
#[derive(Debug)]
pub(super) struct Displaced {
    nearby: Nearby,
    tangents: HashMap<u64, Tensor<1>>,
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
            tangents: HashMap::new(),
        })
    }

    pub(super) fn dtype(&self) -> Result<DType, CurvatureError> {
        Ok(self.nearby.space().dtype()?)
    }

    /// The tangent at a distance. It is Gaussian: vectors of signs miss errors that cancel in pairs.
    pub(super) fn tangent(&mut self, distance: Distance) -> Result<Tensor<1>, CurvatureError> {
        if let Some(known) = self.tangents.get(&distance.seed) {
            return Ok(known.clone());
        }
        let drawn = ParamVector::gaussian(self.nearby.space(), SEEDS[0] ^ distance.seed)?;
        let tangent = drawn.values().clone();
        self.tangents.insert(distance.seed, tangent.clone());
        Ok(tangent)
    }

    /// The cotangent at a distance, for `outputs`.
    pub(super) fn cotangent(&self, distance: Distance, outputs: &Tensor<1>) -> Tensor<1> {
        let ([len], dtype) = (outputs.dims(), outputs.dtype());
        let rng = StdRng::seed_from_u64(SEEDS[1] ^ distance.seed);
        let values: Vec<f64> = StandardNormal.sample_iter(rng).take(len).collect();
        let data = TensorData::new(values, [len]);
        Tensor::from_data(data, (self.nearby.space().device(), dtype))
    }

    /// The inputs of a program, with displaced weights.
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
