//! The laws of products, in single precision, on every device that is compiled in.
//!
//! With the feature `wgpu` and a software driver this checks CubeCL's compiler without a GPU, with
//! `cuda` a card: see CONTRIBUTING.md.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burnscape_linearize::{
    Batching, Checkpointing, GradientTrace, Likelihood, LinearMap, Linearized, OutputMetric,
    OutputTrace, Point,
};

/// A classifier of five examples.
trait Net: Module {
    const SHAPE: [usize; 4];
    fn new(device: &Device) -> Self;
    fn logits(&self, x: Tensor<4>) -> Tensor<2>;
}

#[derive(Module, Debug)]
struct Mlp {
    first: Linear,
    second: Linear,
    last: Linear,
}

impl Net for Mlp {
    const SHAPE: [usize; 4] = [5, 1, 1, 6];

    fn new(device: &Device) -> Self {
        Self {
            first: LinearConfig::new(6, 8).init(device),
            second: LinearConfig::new(8, 8).init(device),
            last: LinearConfig::new(8, 3).init(device),
        }
    }

    fn logits(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.first.forward(x.flatten::<2>(1, 3)).tanh();
        self.last.forward(relu(self.second.forward(x)))
    }
}

#[derive(Module, Debug)]
struct Cnn {
    conv: Conv2d,
    norm: BatchNorm,
    pool: MaxPool2d,
    last: Linear,
}

impl Net for Cnn {
    const SHAPE: [usize; 4] = [5, 2, 8, 8];

    fn new(device: &Device) -> Self {
        Self {
            conv: Conv2dConfig::new([2, 4], [3, 3]).init(device),
            norm: BatchNormConfig::new(4).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            last: LinearConfig::new(36, 3).init(device),
        }
    }

    fn logits(&self, x: Tensor<4>) -> Tensor<2> {
        let x = relu(self.norm.forward(self.conv.forward(x)));
        self.last.forward(self.pool.forward(x).flatten::<2>(1, 3))
    }
}

#[derive(Module, Debug)]
struct Transformer {
    encoder: TransformerEncoder,
    last: Linear,
}

impl Net for Transformer {
    const SHAPE: [usize; 4] = [5, 1, 4, 8];

    fn new(device: &Device) -> Self {
        let encoder = TransformerEncoderConfig::new(8, 16, 2, 1).with_dropout(0.0);
        Self {
            encoder: encoder.init(device),
            last: LinearConfig::new(8, 3).init(device),
        }
    }

    fn logits(&self, x: Tensor<4>) -> Tensor<2> {
        let words = TransformerEncoderInput::new(x.squeeze_dim::<3>(1));
        let words = self.encoder.forward(words);
        self.last.forward(words.mean_dim(1).squeeze_dim::<2>(1))
    }
}

/// The same numbers on every device.
struct Fill(f64);

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        if !value.is_require_grad() {
            return Param::from_mapped_value(id, value, mapper);
        }
        self.0 += 31.0;
        let numbers = waves(value.shape().num_elements(), self.0);
        let data = TensorData::new(numbers, value.shape());
        let value = Tensor::<D>::from_data(data, &value.device());
        Param::from_mapped_value(id, (value * 0.5).detach().require_grad(), mapper)
    }
}

fn waves(len: usize, phase: f64) -> Vec<f32> {
    let wave = |i: usize| (1.0 + 0.37 * (i as f64 + phase).powf(1.31)).sin() as f32;
    (0..len).map(wave).collect()
}

fn vector(len: usize, phase: f64, device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(waves(len, phase), [len]), device)
}

fn host(tensor: &Tensor<1>) -> Vec<f64> {
    tensor.to_data().iter::<f64>().collect()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

fn distance(x: &[f64], y: &[f64]) -> f64 {
    let difference: Vec<f64> = x.iter().zip(y).map(|(x, y)| x - y).collect();
    norm(&difference) / norm(x).max(f64::MIN_POSITIVE)
}

/// The results of a device: gradient by Burn, gradient of the program, products.
struct Computed {
    burn: Vec<f64>,
    gradient: Vec<f64>,
    hessian: Vec<f64>,
    newton: Vec<f64>,
    fisher: Vec<f64>,
    block: Vec<f64>,
}

fn compute<N: Net>(plain: &Device) -> Computed {
    let (device, settings) = (plain.clone().autodiff(), plain.settings());
    let net = N::new(&device).map(&mut Fill(0.0));
    let len = N::SHAPE.iter().product();
    let x = vector(len, 0.5, plain).reshape(N::SHAPE);
    let y = Tensor::<1, Int>::from_data([0, 2, 1, 1, 0], plain);
    let criterion = |z: Tensor<2>, y: Tensor<1, Int>| {
        let device = z.device();
        CrossEntropyLossConfig::new().init(&device).forward(z, y)
    };
    // Flags off, so that batch norm uses its running statistics on all sides.
    let net = net.map(&mut Off);

    let loss = criterion(net.logits(x.clone().autodiff()), y.clone().autodiff());
    let gradients = loss.backward();
    let mut burn = Flat {
        gradients: &gradients,
        numbers: Vec::new(),
    };
    net.visit(&mut burn);
    let burn = burn.numbers;

    let trace = GradientTrace::new(
        net.clone(),
        settings,
        |inputs| (inputs.float(x.clone()), inputs.int(y.clone())),
        |net: &N, (x, y)| criterion(net.logits(x), y),
    );
    let trace = trace.expect("a trace");
    let wrt: Vec<usize> = (0..trace.parameters.len()).collect();
    let at = |map: LinearMap, bindings: &[_]| -> (Linearized, Point) {
        let at = Linearized::new(&map, plain).expect("a device");
        let mut at = at.with_batching(Batching::Together);
        let point = at.point(bindings, Checkpointing::Store).expect("a point");
        (at, point)
    };
    let map = LinearMap::hessian(&trace, &wrt, settings).expect("a map");
    let n = map.num_columns();
    let (mut hessian, point) = at(map, &trace.bindings);
    let (u, v) = (vector(n, 2.0, plain), vector(n, 7.0, plain));
    let mut product = |v: &Tensor<1>| {
        let product = hessian.apply(&point, std::slice::from_ref(v));
        host(&product.expect("a product")[0])
    };
    let (hu, hv) = (product(&u), product(&v));
    // The operator is symmetric and linear, to single precision.
    let (uhv, vhu) = (dot(&host(&u), &hv), dot(&host(&v), &hu));
    let size = norm(&host(&u)) * norm(&hv);
    assert!((uhv - vhu).abs() <= 1e-6 * size, "{uhv} {vhu} of {size}");
    let sum = product(&(u.clone() * 2.0 - v.clone()));
    let expected: Vec<f64> = hu.iter().zip(&hv).map(|(a, b)| 2.0 * a - b).collect();
    assert!(distance(&expected, &sum) < 1e-5);
    let block = hessian.apply_block(&point, Tensor::stack::<2>(vec![u, v.clone()], 0));
    let block = block.expect("products").reshape([2 * n]);

    let split = OutputTrace::with_criterion(
        net,
        settings,
        |inputs| (inputs.float(x.clone()), inputs.int(y.clone())),
        |net: &N, (x, _): &(Tensor<4>, Tensor<1, Int>)| net.logits(x.clone()),
        |z, (_, y)| criterion(z, y),
    );
    let split = split.expect("a trace");
    let once = |map: LinearMap| {
        let (mut at, point) = at(map, &split.bindings);
        host(
            &at.apply(&point, std::slice::from_ref(&v))
                .expect("a product")[0],
        )
    };
    let metric = OutputMetric::Fisher {
        likelihood: Likelihood::Categorical,
        scale: 0.2,
    };
    Computed {
        burn,
        gradient: host(&point.values()[1]),
        newton: once(LinearMap::gauss_newton(&split, &wrt, settings).expect("a map")),
        fisher: once(LinearMap::pulled_back(&split, &wrt, metric, settings).expect("a map")),
        block: host(&block),
        hessian: [hu, hv].concat(),
    }
}

struct Off;

impl ModuleMapper for Off {
    fn map_flag(&mut self, flag: Param<burn::module::Flag>) -> Param<burn::module::Flag> {
        flag.with_value(false)
    }
}

struct Flat<'a> {
    gradients: &'a burn::tensor::Gradients,
    numbers: Vec<f64>,
}

impl burn::module::ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.numbers.extend(gradient.into_data().iter::<f64>());
        }
    }
}

fn check<N: Net>(name: &str) {
    let reference = compute::<N>(&Device::flex());
    for (device, plain) in devices() {
        let found = compute::<N>(&plain);
        let compared = [
            (
                "gradient and Burn's",
                distance(&found.burn, &found.gradient),
            ),
            ("gradient", distance(&reference.gradient, &found.gradient)),
            ("Hessian", distance(&reference.hessian, &found.hessian)),
            (
                "Hessian, block and single",
                distance(&found.hessian, &found.block),
            ),
            ("Gauss-Newton", distance(&reference.newton, &found.newton)),
            (
                "Fisher and Gauss-Newton",
                distance(&found.newton, &found.fisher),
            ),
        ];
        for (what, distance) in compared {
            println!("{name} on {device}: {what}: {distance:.1e}");
            // Rounding of some dozen operations in single precision.
            assert!(distance < 1e-4, "{name} on {device}: {what}: {distance:e}");
        }
    }
}

fn devices() -> Vec<(&'static str, Device)> {
    vec![
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated, reason = "deprecated by Burn, served while Burn has it")]
        ("ndarray", Device::ndarray()),
        #[cfg(feature = "wgpu")]
        ("wgpu", Device::wgpu(burn::tensor::DeviceKind::Cpu)),
        #[cfg(feature = "cuda")]
        ("cuda", Device::cuda(0)),
    ]
}

#[test]
fn mlp() {
    check::<Mlp>("mlp");
}

#[test]
fn cnn() {
    check::<Cnn>("cnn");
}

#[test]
fn transformer_block() {
    check::<Transformer>("transformer");
}
