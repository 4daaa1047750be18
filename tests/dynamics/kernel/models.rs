//! Models whose kernels are known, and a small network.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::loss::{Risk, Split};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::double::device;
use burnscape_testkit::models::{Classifier, Mlp};
use burnscape_testkit::objectives::Point;

/// `f(x) = x (a·w)/√m`, a linear network with `m` hidden units.
#[derive(Module, Debug)]
pub(crate) struct Hidden {
    pub(crate) a: Param<Tensor<1>>,
    pub(crate) w: Param<Tensor<1>>,
}

impl Hidden {
    pub(crate) fn new([a, w]: [Vec<f64>; 2], device: &Device) -> Self {
        let parameter = |values: Vec<f64>| {
            let count = values.len();
            let values = TensorData::new(values, [count]);
            Param::from_tensor(Tensor::from_data(values, (device, DType::F64)))
        };
        Self {
            a: parameter(a),
            w: parameter(w),
        }
    }

    /// The outputs, `[n, 1]`, for inputs of the same shape.
    pub(crate) fn outputs(&self, x: &Tensor<2>) -> Tensor<2> {
        let [width] = self.a.val().dims();
        let slope = (self.a.val() * self.w.val()).sum() / (width as f64).sqrt();
        x.clone() * slope.unsqueeze::<2>()
    }
}

/// The input 1.
pub(crate) fn one() -> [Tensor<2>; 1] {
    [Tensor::ones([1, 1], (&device(), DType::F64))]
}

pub(crate) fn of_hidden(data: &[Tensor<2>; 1]) -> Risk<'_, Hidden, Split> {
    Risk::split(
        |net: &Hidden, x: &Tensor<2>| net.outputs(x),
        |z: Tensor<2>, _: Tensor<2>| z.square().mean(),
        data,
    )
}

pub(crate) fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &device(), DType::F64)
}

/// As many examples of 1.
pub(crate) fn ones(count: usize) -> [Tensor<1>; 1] {
    [Tensor::ones([count], (&device(), DType::F64))]
}

/// `½ w²`, an output for each coordinate: the kernel is `diag(w²)`.
pub(crate) fn of_squares(data: &[Tensor<1>; 1]) -> Risk<'_, Point, Split> {
    Risk::split(
        |point: &Point, x: &Tensor<1>| point.w.val().square() * 0.5 * x.clone(),
        |z: Tensor<1>, _: Tensor<1>| z.mean(),
        data,
    )
}

pub(crate) const EXAMPLES: usize = 5;
pub(crate) const OUTPUTS: usize = 3;

fn wave(index: usize, phase: f64) -> f64 {
    (1.0 + 0.41 * (index as f64 + phase).powf(1.27)).sin()
}

/// A network with three outputs, whose weights are a function of the phase.
pub(crate) fn net(phase: f64) -> Mlp {
    let net = Mlp::golden(&device().autodiff());
    let space = ParamSpace::of(&net).unwrap();
    let numbers: Vec<f64> = (0..space.len())
        .map(|index| 0.7 * wave(index, phase))
        .collect();
    let weights = ParamVector::from_host(&space, &numbers).unwrap();
    weights.apply_to(&net).unwrap()
}

/// Numbers in the shape `[examples, columns]`.
fn rows(columns: usize, phase: f64) -> Tensor<2> {
    let numbers: Vec<f64> = (0..EXAMPLES * columns)
        .map(|index| 1.5 * wave(index, phase))
        .collect();
    let data = TensorData::new(numbers, [EXAMPLES, columns]);
    Tensor::from_data(data, (&device().autodiff(), DType::F64))
}

pub(crate) fn inputs() -> Tensor<2> {
    rows(6, 0.4)
}

pub(crate) fn targets() -> Tensor<2> {
    rows(OUTPUTS, 9.1)
}

pub(crate) fn numbers(tensor: &Tensor<2>) -> Vec<f64> {
    tensor.to_data().iter::<f64>().collect()
}

pub(crate) fn of_net(data: &[Tensor<2>]) -> Risk<'_, Mlp, Split> {
    Risk::split(
        |net: &Mlp, x: &Tensor<2>| net.logits(x.clone()),
        |z: Tensor<2>, _: Tensor<2>| z.square().mean(),
        data,
    )
}

#[track_caller]
pub(crate) fn assert_near(found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs();
    assert!(error <= tolerance, "{found} {expected}");
}
