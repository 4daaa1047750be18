//! The device, functions with a prescribed Hessian, and matrices as operators over parameters.

use burn::tensor::{DType, Tensor, TensorData};
use burnscape::curvature::{CurvatureError, Hessian};
use burnscape::krylov::{Dense, LinearOperator, SelfAdjoint};
use burnscape::loss::Risk;
use burnscape::space::{ParamSpace, ParamVector};
pub(crate) use burnscape_testkit::double::device;
use burnscape_testkit::objectives::Point;

/// A point of that many coordinates, away from the origin.
pub(crate) fn point(dimension: usize) -> Point {
    let coordinates: Vec<f64> = (0..dimension).map(|i| 0.3 + 0.01 * i as f64).collect();
    Point::new(&coordinates, &device(), DType::F64)
}

pub(crate) fn origin(dimension: usize) -> Point {
    Point::new(&vec![0.0; dimension], &device(), DType::F64)
}

/// Data with nothing in them, for functions of the weights alone.
pub(crate) fn nothing() -> [Tensor<1>; 1] {
    [Tensor::zeros([1], &device())]
}

/// `½ Σ λ w²`: a loss whose Hessian has these eigenvalues.
pub(crate) fn quadratic(eigenvalues: &[f64]) -> impl Fn(&Point, Tensor<1>) -> Tensor<1> + use<> {
    let values = eigenvalues.to_vec();
    move |point: &Point, batch: Tensor<1>| {
        let data = TensorData::new(values.clone(), [values.len()]);
        let curvature = Tensor::<1>::from_data(data, &batch.device());
        (point.w.val().powi_scalar(2) * curvature).sum() * 0.5 + batch.sum() * 0.0
    }
}

/// The Hessian of [`quadratic`] at `point`, handed to `ask`.
pub(crate) fn with_hessian<T>(
    point: &Point,
    eigenvalues: &[f64],
    ask: impl FnOnce(&Hessian<'_>) -> T,
) -> T {
    let loss = quadratic(eigenvalues);
    let data = nothing();
    ask(&Risk::new(&loss, &data).hessian(point).unwrap())
}

/// A matrix as an operator over the parameters of a model: products in microseconds, for tests that
/// need many.
pub(crate) struct Matrix {
    pub(crate) space: ParamSpace,
    pub(crate) entries: Dense,
}

impl LinearOperator for Matrix {
    type Domain = ParamVector;
    type Range = ParamVector;
    type Error = CurvatureError;

    fn domain(&self) -> ParamSpace {
        self.space.clone()
    }

    fn range(&self) -> ParamSpace {
        self.space.clone()
    }

    fn matvec(&self, v: &ParamVector) -> Result<ParamVector, CurvatureError> {
        let product = self.entries.matvec(&v.to_host()?)?;
        Ok(ParamVector::from_host(&self.space, &product)?)
    }
}

impl SelfAdjoint for Matrix {}
