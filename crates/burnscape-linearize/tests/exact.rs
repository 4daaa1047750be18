//! Exact products against central differences of Burn's own gradient.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, FloatDType, Int, Tensor, TensorData};
use burnscape_linearize::{LinearizedGradient, trace_gradient};

#[derive(Module, Debug)]
struct Net {
    first: Linear,
    norm: LayerNorm,
    last: Linear,
}

impl Net {
    fn loss(&self, x: Tensor<2>, y: Tensor<1, Int>) -> Tensor<1> {
        let hidden = self.norm.forward(self.first.forward(x)).tanh();
        let logits = self.last.forward(hidden);
        CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits, y)
    }
}

struct Collect<'a> {
    gradients: &'a GradientsParams,
    values: Vec<f64>,
    lengths: Vec<usize>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(param.id).expect("a gradient");
        self.lengths.push(gradient.shape().num_elements());
        self.values.extend(gradient.into_data().iter::<f64>());
    }
}

struct Shift<'a> {
    direction: &'a [f64],
    scale: f64,
}

impl ModuleMapper for Shift<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let value = value.inner();
        let len = value.shape().num_elements();
        let (own, rest) = self.direction.split_at(len);
        self.direction = rest;
        let step = TensorData::new(own.to_vec(), value.shape());
        let step = Tensor::<D>::from_data(step, (&value.device(), DType::F64));
        let moved = (value + step * self.scale).autodiff().require_grad();
        Param::from_mapped_value(id, moved, mapper)
    }
}

#[test]
fn the_product_is_the_limit_of_differences() {
    let mut plain = Device::flex();
    plain.configure(FloatDType::F64).expect("a fresh device");
    let device = plain.clone().autodiff();
    let net = Net {
        first: LinearConfig::new(5, 7).init(&device),
        norm: LayerNormConfig::new(7).init(&device),
        last: LinearConfig::new(7, 3).init(&device),
    };
    let wave = |i: usize| (i as f64 * 0.7).sin();
    let x: Vec<f64> = (0..40).map(wave).collect();
    let x = Tensor::<2>::from_data(TensorData::new(x, [8, 5]), &device);
    let y = Tensor::<1, Int>::from_data([0, 1, 2, 0, 1, 2, 0, 1], &device);
    let gradient = |net: &Net| {
        let gradients = net.loss(x.clone(), y.clone()).backward();
        let gradients = GradientsParams::from_grads(gradients, net);
        let mut collect = Collect {
            gradients: &gradients,
            values: vec![],
            lengths: vec![],
        };
        net.visit(&mut collect);
        (collect.values, collect.lengths)
    };
    let (exact_gradient, lengths) = gradient(&net);
    let trace = trace_gradient(
        net.clone().valid().train(),
        plain.settings(),
        |lifter| (lifter.float(x.clone()), lifter.int(y.clone())),
        |net: &Net, (x, y)| net.loss(x, y),
    );
    let trace = trace.expect("a trace");
    println!("{}", trace.program);
    let linearized = LinearizedGradient::new(&trace, plain.settings(), &plain);
    let mut linearized = linearized.expect("a linearization");
    let flat = |parts: &[Option<Tensor<1>>]| -> Vec<f64> {
        let read = |part: &Option<Tensor<1>>| part.clone().expect("a part").into_data();
        parts
            .iter()
            .flat_map(|part| read(part).iter::<f64>().collect::<Vec<_>>())
            .collect()
    };
    let near = |found: &[f64], expected: &[f64], tolerance: f64| {
        let norm = expected.iter().map(|x| x * x).sum::<f64>().sqrt();
        let difference = found.iter().zip(expected).map(|(a, b)| (a - b) * (a - b));
        let difference = difference.sum::<f64>().sqrt();
        println!("relative difference {:.2e}", difference / norm);
        assert!(difference <= tolerance * norm);
    };
    near(&flat(linearized.gradients()), &exact_gradient, 1e-14);
    let direction: Vec<f64> = (0..exact_gradient.len()).map(|i| wave(i * i)).collect();
    let mut rest = direction.as_slice();
    let parts: Vec<Tensor<1>> = lengths
        .iter()
        .map(|&len| {
            let (own, others) = rest.split_at(len);
            rest = others;
            Tensor::from_data(TensorData::new(own.to_vec(), [len]), &plain)
        })
        .collect();
    let product = flat(&linearized.hvp(&parts).expect("a product"));
    let again = flat(&linearized.hvp(&parts).expect("a product"));
    assert_eq!(product, again);
    let step = 1e-5;
    let at = |scale| {
        gradient(&net.clone().map(&mut Shift {
            direction: &direction,
            scale,
        }))
        .0
    };
    let (ahead, behind) = (at(step), at(-step));
    let central: Vec<f64> = ahead
        .iter()
        .zip(&behind)
        .map(|(a, b)| (a - b) / (2.0 * step))
        .collect();
    near(&product, &central, 1e-8);
}
