//! Points and networks to connect.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor};
use burnscape::path::Curve;
use burnscape::space::{ParamSpace, ParamVector};
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

/// Where a curve of points is at `t`.
pub(crate) fn at(curve: &impl Curve<Point>, t: f64) -> Vec<f64> {
    curve.point(t).unwrap().coordinates()
}

/// A network with batch norm, its weights drawn from `seed`.
#[derive(Module, Debug)]
pub(crate) struct Net {
    pub(crate) first: Linear,
    pub(crate) norm: BatchNorm,
    pub(crate) second: Linear,
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        let device = Device::default().autodiff();
        let net = Self {
            first: LinearConfig::new(4, 5).init(&device),
            norm: BatchNormConfig::new(5).init(&device),
            second: LinearConfig::new(5, 2).init(&device),
        };
        let space = ParamSpace::of(&net).unwrap();
        let weights = ParamVector::gaussian(&space, seed).unwrap();
        weights.apply_to(&net).unwrap()
    }

    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = relu(self.norm.forward(self.first.forward(x)));
        self.second.forward(hidden)
    }
}

/// The parameters of a model on the host.
pub(crate) fn parameters<M: Module>(model: &M) -> Vec<f64> {
    let space = ParamSpace::of(model).unwrap();
    let vector = ParamVector::from_module(&space, model).unwrap();
    vector.to_host().unwrap()
}
