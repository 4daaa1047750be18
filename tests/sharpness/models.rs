//! Models, losses and data whose sharpness is known.

use std::ops::ControlFlow;

use burn::module::{Module, Param};
use burn::nn::LinearConfig;
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::loss::{Progress, Work};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::models::TwoLayers;

/// A point of the plane, or of any space, as a model.
#[derive(Module, Debug)]
pub(crate) struct Point {
    pub(crate) w: Param<Tensor<1>>,
}

impl Point {
    pub(crate) fn new(values: &[f64]) -> Self {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        Self {
            w: Param::from_tensor(Tensor::from_data(data, (&Device::default(), DType::F64))),
        }
    }
}

pub(crate) fn matrix<const N: usize>(rows: [[f64; N]; N]) -> [Tensor<2>; 1] {
    let data = TensorData::from(rows);
    [Tensor::from_data(data, (&Device::default(), DType::F64))]
}

/// `½ wᵀHw`.
pub(crate) fn quadratic(model: &Point, h: Tensor<2>) -> Tensor<1> {
    let n = h.dims()[0];
    let w = model.w.val().reshape([1, n]);
    (w.clone().matmul(h) * w).sum() * 0.5
}

pub(crate) const H: [[f64; 3]; 3] = [[4.0, 1.0, 0.5], [1.0, 1.0, -0.3], [0.5, -0.3, 2.0]];
pub(crate) const TRACE: f64 = 7.0;

/// A ReLU network without biases.
pub(crate) fn net() -> TwoLayers {
    let device = Device::default();
    let net = TwoLayers {
        first: LinearConfig::new(4, 8).with_bias(false).init(&device),
        second: LinearConfig::new(8, 3).with_bias(false).init(&device),
    };
    // Weights that do not depend on the device's random stream.
    let space = ParamSpace::of(&net).unwrap();
    let weights = ParamVector::gaussian(&space, 3).unwrap().scale(0.5);
    weights.apply_to(&net).unwrap()
}

/// The same function at `(a W₁, W₂ / a)`.
pub(crate) fn rescaled(net: &TwoLayers, a: f64) -> TwoLayers {
    let space = ParamSpace::of(net).unwrap();
    let weights = ParamVector::from_module(&space, net).unwrap();
    let mut values = weights.to_host().unwrap();
    let border = space.leaves()[1].offset();
    for (index, value) in values.iter_mut().enumerate() {
        *value *= if index < border { a } else { 1.0 / a };
    }
    let values = ParamVector::from_host(&space, &values).unwrap();
    values.apply_to(net).unwrap()
}

pub(crate) fn squared_error(model: &TwoLayers, (x, y): (Tensor<2>, Tensor<2>)) -> Tensor<1> {
    let output = model.forward(x, relu);
    (output - y).powi_scalar(2).mean()
}

/// An observer that stops when `done` pieces of `work` are done.
pub(crate) fn stop_at(work: Work, done: usize) -> impl FnMut(&Progress) -> ControlFlow<()> + Send {
    move |progress| match (progress.work, progress.done) == (work, done) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

pub(crate) fn regression() -> [(Tensor<2>, Tensor<2>); 2] {
    let device = Device::default();
    let numbers = |count: usize, shift: f64| -> Vec<f32> {
        (0..count)
            .map(|i| (1.7 * i as f64 + shift).sin() as f32)
            .collect()
    };
    [(6, 0.0), (3, 0.4)].map(|(n, shift)| {
        let x = TensorData::new(numbers(n * 4, shift), [n, 4]);
        let y = TensorData::new(numbers(n * 3, shift + 1.0), [n, 3]);
        (Tensor::from_data(x, &device), Tensor::from_data(y, &device))
    })
}
