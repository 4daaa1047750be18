//! Models in double precision whose sharpness is known.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};
use burnscape::loss::{Risk, Split};
use burnscape::space::{ParamSpace, ParamVector};
pub(crate) use burnscape_testkit::double::device;
use burnscape_testkit::models::TwoLayers;

fn wave(index: usize, phase: f64) -> f64 {
    (1.0 + 0.37 * (index as f64 + phase).powf(1.31)).sin()
}

pub(crate) fn waves<const D: usize>(shape: [usize; D], phase: f64) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values: Vec<f64> = (0..count).map(|index| wave(index, phase)).collect();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

/// The model with weights that depend on nothing but their place.
pub(crate) fn filled<M: Module>(model: &M, size: f64, phase: f64) -> M {
    let space = ParamSpace::of(model).unwrap();
    let values: Vec<f64> = (0..space.len())
        .map(|index| size * wave(index, phase))
        .collect();
    let weights = ParamVector::from_host(&space, &values).unwrap();
    weights.apply_to(model).unwrap()
}

/// A point of space as a model.
#[derive(Module, Debug)]
pub(crate) struct Point {
    pub(crate) w: Param<Tensor<1>>,
}

impl Point {
    pub(crate) fn new(values: &[f64]) -> Self {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        Self {
            w: Param::from_tensor(Tensor::from_data(data, &device())),
        }
    }
}

pub(crate) fn matrix<const N: usize>(rows: [[f64; N]; N]) -> [Tensor<2>; 1] {
    [Tensor::from_data(TensorData::from(rows), &device())]
}

pub(crate) fn diagonal<const N: usize>(values: [f64; N]) -> [Tensor<2>; 1] {
    matrix::<N>(std::array::from_fn(|i| {
        std::array::from_fn(|j| if i == j { values[i] } else { 0.0 })
    }))
}

/// `½ wᵀHw`: the Hessian is H.
pub(crate) fn quadratic(model: &Point, h: Tensor<2>) -> Tensor<1> {
    let n = h.dims()[0];
    let w = model.w.val().reshape([1, n]);
    (w.clone().matmul(h) * w).sum() * 0.5
}

pub(crate) type Pair<const D: usize> = (Tensor<D>, Tensor<2>);

/// Three layers without biases, ReLU between them.
#[derive(Module, Debug)]
pub(crate) struct Deep {
    pub(crate) first: Linear,
    pub(crate) second: Linear,
    pub(crate) third: Linear,
}

impl Deep {
    pub(crate) fn new() -> Self {
        let layer = |from, to| LinearConfig::new(from, to).with_bias(false).init(&device());
        let net = Self {
            first: layer(4, 6),
            second: layer(6, 5),
            third: layer(5, 3),
        };
        filled(&net, 0.8, 2.3)
    }

    pub(crate) fn outputs(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = relu(self.first.forward(x));
        self.third.forward(relu(self.second.forward(hidden)))
    }
}

/// A layer with a bias, ReLU, and another.
pub(crate) fn net() -> TwoLayers {
    filled(&TwoLayers::new([4, 6, 3], &device()), 0.7, 5.1)
}

/// Two convolutions with ReLU between them, and the mean over the image.
#[derive(Module, Debug)]
pub(crate) struct ConvNet {
    pub(crate) first: Conv2d,
    pub(crate) second: Conv2d,
}

impl ConvNet {
    pub(crate) fn new() -> Self {
        let layer = |from, to| Conv2dConfig::new([from, to], [2, 2]).init(&device());
        let net = Self {
            first: layer(1, 3),
            second: layer(3, 2),
        };
        filled(&net, 0.7, 1.7)
    }

    pub(crate) fn outputs(&self, x: Tensor<4>) -> Tensor<2> {
        let images = self.second.forward(relu(self.first.forward(x)));
        images.mean_dim(3).mean_dim(2).flatten(1, 3)
    }
}

/// `½ |f − y|²` a row, in the mean.
pub(crate) fn half_squared(outputs: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    (outputs - target).square().sum_dim(1).mean() * 0.5
}

/// Two batches of unequal size.
pub(crate) fn regression() -> [Pair<2>; 2] {
    [(7, 0.0), (4, 9.5)].map(|(n, phase)| (waves([n, 4], phase), waves([n, 3], phase + 40.0)))
}

pub(crate) fn images() -> [Pair<4>; 1] {
    [(waves([5, 1, 4, 4], 3.0), waves([5, 2], 60.0))]
}

pub(crate) fn deep_split(data: &[Pair<2>]) -> Risk<'_, Deep, Split> {
    Risk::split(
        |m: &Deep, (x, _): &Pair<2>| m.outputs(x.clone()),
        |z, (_, y): Pair<2>| half_squared(z, y),
        data,
    )
}

pub(crate) fn net_split(data: &[Pair<2>]) -> Risk<'_, TwoLayers, Split> {
    Risk::split(
        |m: &TwoLayers, (x, _): &Pair<2>| m.forward(x.clone(), relu),
        |z, (_, y): Pair<2>| half_squared(z, y),
        data,
    )
}

pub(crate) fn net_loss(model: &TwoLayers, (x, y): Pair<2>) -> Tensor<1> {
    half_squared(model.forward(x, relu), y)
}

pub(crate) fn conv_loss(model: &ConvNet, (x, y): Pair<4>) -> Tensor<1> {
    half_squared(model.outputs(x), y)
}

/// Relative closeness.
#[track_caller]
pub(crate) fn close(found: f64, exact: f64, tolerance: f64) {
    let error = (found - exact).abs();
    assert!(
        error <= tolerance * exact.abs(),
        "{found} is not {exact}, by {error:e}"
    );
}
