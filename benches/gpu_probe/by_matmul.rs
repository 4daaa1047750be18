//! Parameter vectors whose bases are multiplied by matrix products, whatever these round.

use burn::tensor::{Tensor, TensorData};
use burnscape::curvature::{CurvatureError, Hessian};
use burnscape::krylov::{KrylovFault, LinearOperator, SelfAdjoint, VectorBlock, VectorSpace};
use burnscape::space::{ParamSpace, ParamVector, SpaceError};

#[derive(Debug, Clone)]
pub(crate) struct Plain(pub(crate) ParamVector);

impl VectorSpace for Plain {
    type Error = SpaceError;
    type Space = ParamSpace;
    type Block = PlainBlock;

    fn space(&self) -> ParamSpace {
        self.0.space().clone()
    }

    fn dimension(space: &ParamSpace) -> usize {
        space.len()
    }

    fn check_same(expected: &ParamSpace, found: &ParamSpace) -> Result<(), SpaceError> {
        expected.check_same(found)
    }

    fn zeros(space: &ParamSpace) -> Result<Self, SpaceError> {
        ParamVector::zeros(space).map(Self)
    }

    fn from_host(space: &ParamSpace, values: &[f64]) -> Result<Self, SpaceError> {
        ParamVector::from_host(space, values).map(Self)
    }

    fn to_host(&self) -> Result<Vec<f64>, SpaceError> {
        self.0.to_host()
    }

    fn epsilon(&self) -> f64 {
        VectorSpace::epsilon(&self.0)
    }

    fn axpy(self, a: f64, x: &Self) -> Result<Self, SpaceError> {
        self.0.axpy(a, &x.0).map(Self)
    }

    fn scale(self, a: f64) -> Self {
        Self(self.0.scale(a))
    }

    fn dot(&self, x: &Self) -> Result<f64, SpaceError> {
        self.0.dot(&x.0)
    }
}

/// Rows `[len, n]`.
#[derive(Debug, Clone)]
pub(crate) struct PlainBlock {
    space: ParamSpace,
    rows: Vec<Tensor<2>>,
}

impl PlainBlock {
    fn all(&self) -> Tensor<2> {
        Tensor::cat(self.rows.clone(), 0)
    }
}

impl VectorBlock for PlainBlock {
    type Vector = Plain;

    fn with_capacity(space: &ParamSpace, _capacity: usize) -> Result<Self, SpaceError> {
        let space = space.clone();
        let rows = Vec::new();
        Ok(Self { space, rows })
    }

    fn space(&self) -> ParamSpace {
        self.space.clone()
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn push(&mut self, v: Plain) -> Result<(), SpaceError> {
        self.rows.push(v.0.values().clone().unsqueeze_dim::<2>(0));
        Ok(())
    }

    fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
    }

    fn get(&self, index: usize) -> Result<Option<Plain>, SpaceError> {
        let row = self.rows.get(index).map(|row| {
            let row = row.clone().reshape([self.space.len()]);
            ParamVector::from_values(&self.space, row).map(Plain)
        });
        row.transpose()
    }

    fn dots(&self, v: &Plain) -> Result<Vec<f64>, SpaceError> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let column = v.0.values().clone().unsqueeze_dim::<2>(1);
        let products = self.all().matmul(column).into_data();
        Ok(products.iter::<f64>().collect())
    }

    fn linear_combination(&self, coefficients: &[f64]) -> Result<Plain, SpaceError> {
        let (expected, found) = (self.len(), coefficients.len());
        if expected != found {
            return Err(KrylovFault::CoefficientCount { expected, found }.into());
        }
        if found == 0 {
            return Plain::zeros(&self.space);
        }
        let data = TensorData::new(coefficients.to_vec(), [1, found]);
        let rows = self.all();
        let row = Tensor::<2>::from_data(data, (&rows.device(), rows.dtype()));
        let sum = row.matmul(rows).reshape([self.space.len()]);
        ParamVector::from_values(&self.space, sum).map(Plain)
    }
}

/// A Hessian of such vectors.
pub(crate) struct PlainHessian<'a, 'b>(pub(crate) &'a Hessian<'b>);

impl LinearOperator for PlainHessian<'_, '_> {
    type Domain = Plain;
    type Range = Plain;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.0.space().clone()
    }

    fn range(&self) -> ParamSpace {
        self.domain()
    }

    fn matvec(&self, v: &Plain) -> Result<Plain, CurvatureError> {
        self.0.matvec(&v.0).map(Plain)
    }
}

impl SelfAdjoint for PlainHessian<'_, '_> {}
