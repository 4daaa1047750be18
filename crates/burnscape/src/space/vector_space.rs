use burn::tensor::{DType, Device, Tensor};
use burnscape_krylov::{Elementwise, VectorSpace};

use super::epsilon::epsilon;
use super::products::max_abs;
use super::{FlatVector, ParamSpace, ParamVector, SpaceError, TensorBlock};

impl VectorSpace for ParamVector {
    type Error = SpaceError;
    type Space = ParamSpace;
    type Block = TensorBlock<Self>;

    fn space(&self) -> ParamSpace {
        self.space().clone()
    }

    fn dimension(space: &ParamSpace) -> usize {
        space.len()
    }

    fn check_same(expected: &ParamSpace, found: &ParamSpace) -> Result<(), SpaceError> {
        expected.check_same(found)
    }

    fn zeros(space: &ParamSpace) -> Result<Self, SpaceError> {
        Self::zeros(space)
    }

    fn from_host(space: &ParamSpace, values: &[f64]) -> Result<Self, SpaceError> {
        Self::from_host(space, values)
    }

    fn to_host(&self) -> Result<Vec<f64>, SpaceError> {
        Self::to_host(self)
    }

    fn epsilon(&self) -> f64 {
        epsilon(self.values().dtype())
    }

    fn axpy(self, a: f64, x: &Self) -> Result<Self, SpaceError> {
        Self::axpy(self, a, x)
    }

    fn scale(self, a: f64) -> Self {
        Self::scale(self, a)
    }

    fn dot(&self, x: &Self) -> Result<f64, SpaceError> {
        Self::dot(self, x)
    }

    fn max_abs(&self) -> Result<f64, SpaceError> {
        max_abs(self.values())
    }

    fn norm(&self) -> Result<f64, SpaceError> {
        Self::norm(self)
    }
}

impl Elementwise for ParamVector {
    fn times(self, x: &Self) -> Result<Self, SpaceError> {
        Self::times(self, x)
    }
}

impl FlatVector for ParamVector {
    fn flat(&self) -> &Tensor<1> {
        self.values()
    }

    fn from_flat(space: &ParamSpace, values: Tensor<1>) -> Result<Self, SpaceError> {
        Self::from_values(space, values)
    }

    fn place(space: &ParamSpace) -> Result<(Device, DType), SpaceError> {
        Ok((space.device().clone(), space.dtype()?))
    }
}
