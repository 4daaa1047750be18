//! The traits of `burnscape-krylov` for flat vectors.

use burnscape_krylov::VectorSpace;

use super::epsilon::epsilon;
use super::products::max_abs;
use super::tensor_block::TensorBlock;
use super::{FlatSpace, FlatVector, SpaceError, limited_by};

impl<S: FlatSpace> VectorSpace for FlatVector<S> {
    type Error = SpaceError;
    type Space = S;
    type Block = TensorBlock<S>;

    fn space(&self) -> S {
        self.space().clone()
    }

    fn dimension(space: &S) -> usize {
        space.dimension()
    }

    fn check_same(expected: &S, found: &S) -> Result<(), SpaceError> {
        expected.check_same(found)
    }

    fn adopted(self, space: &S) -> Result<Self, SpaceError> {
        Self::adopted(self, space)
    }

    fn zeros(space: &S) -> Result<Self, SpaceError> {
        Self::zeros(space)
    }

    fn from_host(space: &S, values: &[f64]) -> Result<Self, SpaceError> {
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

    fn hadamard(self, x: &Self) -> Result<Self, SpaceError> {
        Self::hadamard(self, x)
    }

    fn dot(&self, x: &Self) -> Result<f64, SpaceError> {
        Self::dot(self, x)
    }

    fn max_abs(&self) -> Result<f64, SpaceError> {
        limited_by(self.space().waits(), || max_abs(self.values()))
    }

    fn norm(&self) -> Result<f64, SpaceError> {
        Self::norm(self)
    }
}
