//! The layers of random programs: smooth, from `[n, 6]` to `[n, 6]`, row by row, with derivatives of order one.

use burn::tensor::activation::{
    gelu, gelu_approximate, log_softmax, mish, quiet_softmax, sigmoid, silu, softmax, softplus,
};
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Bool, Int, Tensor};

/// The number of features.
pub(super) const WIDTH: usize = 6;

type Apply = fn(Tensor<2>, Tensor<2>, &[Tensor<2>]) -> Tensor<2>;

/// A layer of two values and of parameters with some shapes.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) parameters: &'static [[usize; 2]],
    pub(super) apply: Apply,
}

const fn step(name: &'static str, parameters: &'static [[usize; 2]], apply: Apply) -> Step {
    Step {
        name,
        parameters,
        apply,
    }
}

/// Between `center` − 0.5 and `center` + 0.5.
fn near(x: Tensor<2>, center: f64) -> Tensor<2> {
    x.tanh() * 0.5 + center
}

/// A sequence of two tokens with three features.
fn tokens(x: Tensor<2>) -> Tensor<3> {
    let [rows, _] = x.dims();
    x.reshape([rows, 2, 3])
}

fn features(x: Tensor<3>) -> Tensor<2> {
    let [rows, tokens, width] = x.dims();
    x.reshape([rows, tokens * width])
}

fn normalized(x: Tensor<2>) -> Tensor<2> {
    let x = x.clone() - x.mean_dim(1);
    let variance = x.clone().square().mean_dim(1);
    x / (variance + 0.3).sqrt()
}

/// `true` where the sum of both indices is a multiple of three.
fn mask(x: &Tensor<2>) -> Tensor<2, Bool> {
    let [rows, width] = x.dims();
    let device = x.device();
    let rows = Tensor::<1, Int>::arange(0..rows as i64, &device).reshape([rows, 1]);
    let columns = Tensor::<1, Int>::arange(0..width as i64, &device).reshape([1, width]);
    (rows + columns).remainder_scalar(3).equal_elem(0)
}

const NONE: &[[usize; 2]] = &[];
const ROW: [usize; 2] = [1, WIDTH];
const SQUARE: [usize; 2] = [WIDTH, WIDTH];

pub(super) const STEPS: &[Step] = &[
    step("tanh", NONE, |x, _, _| x.tanh()),
    step("sin", NONE, |x, y, _| (x + y).sin()),
    step("cos", NONE, |x, _, _| x.cos()),
    step("tan", NONE, |x, _, _| near(x, 0.1).tan()),
    step("asin", NONE, |x, _, _| near(x, 0.2).asin()),
    step("acos", NONE, |x, _, _| near(x, -0.2).acos()),
    step("atan", NONE, |x, _, _| x.atan()),
    step("atan2", NONE, |x, y, _| x.tanh().atan2(near(y, 1.5))),
    step("sinh", NONE, |x, _, _| x.tanh().sinh()),
    step("cosh", NONE, |x, _, _| x.tanh().cosh()),
    step("asinh", NONE, |x, _, _| x.asinh()),
    step("atanh", NONE, |x, _, _| near(x, 0.1).atanh()),
    step("erf", NONE, |x, _, _| x.erf()),
    step("exp", NONE, |x, _, _| x.tanh().exp()),
    step("bell", NONE, |x, _, _| (-x.square()).exp()),
    step("log", NONE, |x, _, _| (x.square() + 1.0).log()),
    step("log1p", NONE, |x, _, _| x.square().log1p()),
    step("sqrt", NONE, |x, y, _| {
        (x.square() + y.square() + 1.0).sqrt()
    }),
    step("recip", NONE, |x, _, _| (x.square() + 1.0).recip()),
    step("sigmoid", NONE, |x, _, _| sigmoid(x)),
    step("silu", NONE, |x, _, _| silu(x)),
    step("gelu", NONE, |x, _, _| gelu(x)),
    step("gelu_approximate", NONE, |x, _, _| gelu_approximate(x)),
    step("mish", NONE, |x, _, _| mish(x)),
    step("softplus", NONE, |x, _, _| softplus(x, 1.0)),
    step("product", NONE, |x, y, _| x.tanh() * y.sin()),
    step("gate", NONE, |x, y, _| x * sigmoid(y)),
    step("quotient", NONE, |x, y, _| x / (y.square() + 1.0)),
    step("difference", NONE, |x, y, _| x - y * 0.7),
    step("powi", NONE, |x, _, _| x.tanh().powi_scalar(3)),
    step("powf", NONE, |x, _, _| near(x, 1.0).powf_scalar(1.7)),
    step("power", NONE, |x, y, _| near(x, 1.0).powf(y.tanh())),
    step("softmax", NONE, |x, _, _| softmax(x, 1) * 3.0),
    step("log_softmax", NONE, |x, _, _| log_softmax(x, 1)),
    step("quiet_softmax", NONE, |x, y, _| quiet_softmax(x, 1) * y),
    step("layer_norm", &[ROW, ROW], |x, _, p| {
        normalized(x) * p[0].clone() + p[1].clone()
    }),
    step("linear", &[SQUARE, ROW], |x, _, p| {
        x.matmul(p[0].clone()) + p[1].clone()
    }),
    step("residual", &[SQUARE], |x, y, p| {
        x + y.matmul(p[0].clone()).tanh()
    }),
    step("scale", &[ROW], |x, _, p| x * p[0].clone().cos()),
    step("quadratic", &[SQUARE], |x, y, p| {
        x.tanh() * y.matmul(p[0].clone())
    }),
    step("token_mixing", &[[2, 2]], |x, _, p| {
        features(p[0].clone().reshape([1, 2, 2]).matmul(tokens(x)))
    }),
    step("token_features", &[[3, 3]], |x, y, p| {
        features(tokens(x).matmul(p[0].clone().reshape([1, 3, 3]))) + y
    }),
    step("attention", NONE, |x, y, _| {
        let x = tokens(x);
        let scores = softmax(x.clone().matmul(x.swap_dims(1, 2)), 2);
        features(scores.matmul(tokens(y)))
    }),
    step("swapped", NONE, |x, y, _| {
        features(tokens(x).swap_dims(1, 2)) * y.cos()
    }),
    step("convolution", &[[2, 6]], |x, _, p| {
        let weight = p[0].clone().reshape([2, 2, 3]);
        let options = ConvOptions::new([1], [1], [1], 1);
        features(conv1d(tokens(x), weight, None, options))
    }),
    step("concat", &[[2 * WIDTH, WIDTH]], |x, y, p| {
        Tensor::cat(vec![x, y], 1).matmul(p[0].clone())
    }),
    step("slices", NONE, |x, y, _| {
        let [rows, _] = x.dims();
        let left = x.slice([0..rows, 0..4]);
        Tensor::cat(vec![left, y.slice([0..rows, 1..3])], 1)
    }),
    step("slice_assign", NONE, |x, y, _| {
        let [rows, _] = x.dims();
        let part = x.slice([0..rows, 0..3]);
        y.slice_assign([0..rows, 2..5], part)
    }),
    step("select", NONE, |x, _, _| {
        let places = Tensor::<1, Int>::from_data([5, 0, 3, 3, 1, 2], &x.device());
        x.select(1, places)
    }),
    step("gather", NONE, |x, _, _| {
        let [rows, width] = x.dims();
        let places = Tensor::<1, Int>::arange(0..(rows * width) as i64, &x.device());
        let places = (places * 5 + 2).remainder_scalar(WIDTH as i64);
        x.gather(1, places.reshape([rows, width]))
    }),
    step("flip", NONE, |x, y, _| x.flip([1]) - y),
    step("where", NONE, |x, y, _| {
        let mask = mask(&x);
        x.mask_where(mask, y.tanh())
    }),
    step("fill", NONE, |x, y, _| {
        let mask = mask(&x);
        x.mask_fill(mask, 0.4) * y
    }),
    step("cumsum", NONE, |x, _, _| (x * 0.4).cumsum(1)),
    step("cumprod", NONE, |x, _, _| near(x, 1.0).cumprod(1)),
    step("prod_dim", NONE, |x, y, _| {
        near(x, 1.0).prod_dim(1) * y.tanh()
    }),
    step("mean_dim", NONE, |x, _, _| x.clone() - x.mean_dim(1)),
    step("sum_dim", NONE, |x, y, _| y + x.sum_dim(1) * 0.3),
    step("inner_product", NONE, |x, y, _| {
        let inner = (x.clone() * y).sum_dim(1);
        x * inner.tanh()
    }),
];
