use burn::tensor::DType;
use burnscape_krylov::{VectorList, VectorSpace};

use super::{ParamSpace, ParamVector, SpaceError};

impl VectorSpace for ParamVector {
    type Error = SpaceError;
    type Space = ParamSpace;
    type Block = VectorList<Self>;

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
}

/// The distance from one to the next number of a type.
pub(crate) fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::EPSILON,
        DType::F16 => 2.0_f64.powi(-10),
        DType::BF16 => 2.0_f64.powi(-7),
        _ => f64::from(f32::EPSILON),
    }
}
