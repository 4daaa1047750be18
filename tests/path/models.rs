//! Points and networks to connect.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use burnscape::path::Curve;
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::Normalized;
use burnscape_testkit::objectives::Point;

/// A point in f64, on autodiff.
pub(crate) fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &Device::default().autodiff(), DType::F64)
}

/// The ring loss as an objective; the batch is ignored.
pub(crate) fn ring(point: &Point, _: Tensor<1>) -> Tensor<1> {
    burnscape_testkit::objectives::ring(point)
}

/// One batch, for losses that have no data.
pub(crate) fn nothing() -> [Tensor<1>; 1] {
    [Tensor::zeros([1], (&Device::default(), DType::F64))]
}

/// The coordinates of a curve of points at `t`.
pub(crate) fn at(curve: &impl Curve<Point>, t: f64) -> Vec<f64> {
    curve.point(t).unwrap().coordinates()
}

/// A network with batch norm and weights drawn from `seed`.
pub(crate) fn network(seed: u64) -> Normalized {
    let net = Normalized::new([4, 5, 2], &Device::default().autodiff());
    let space = ParamSpace::of(&net).unwrap();
    let weights = ParamVector::gaussian(&space, seed).unwrap();
    weights.apply_to(&net).unwrap()
}

/// The parameters of a model on the host.
pub(crate) fn parameters<M: Module>(model: &M) -> Vec<f64> {
    let space = ParamSpace::of(model).unwrap();
    let vector = ParamVector::from_module(&space, model).unwrap();
    vector.to_host().unwrap()
}
