//! What an exact Hessian-vector product costs, as a ratio to Burn's own gradient in one run on Flex.
//!
//! `cargo bench -p burnscape-linearize --bench products` prints, for tanh networks 784-w-w-w-10 with
//! batch w and mean cross-entropy, the medians of a gradient, of tracing and linearizing, and of a
//! product, and the median of each round's ratio.
#![allow(clippy::expect_used, reason = "a benchmark has nobody to report to")]

use std::hint::black_box;
use std::time::Instant;

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Int, Tensor};
use burnscape_linearize::{GradientTrace, LinearizedGradient};

#[derive(Module, Debug)]
struct Mlp {
    layers: [Linear; 4],
}

impl Mlp {
    fn new(width: usize, device: &Device) -> Self {
        let layer = |d_in, d_out| LinearConfig::new(d_in, d_out).init(device);
        let layers = [
            layer(784, width),
            layer(width, width),
            layer(width, width),
            layer(width, 10),
        ];
        Self { layers }
    }

    fn loss(&self, x: Tensor<2>, y: Tensor<1, Int>) -> Tensor<1> {
        let [first, second, third, last] = &self.layers;
        let hidden = third
            .forward(second.forward(first.forward(x).tanh()).tanh())
            .tanh();
        let logits = last.forward(hidden);
        CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits, y)
    }
}

fn main() {
    // So that glibc does not hand memory back between rounds; a program with data has done this.
    drop(black_box(vec![1_u8; 31 << 20]));
    println!("width = batch   gradient ms   trace+linearize ms   product ms   product / gradient");
    for width in [64, 256, 512] {
        report(width, 31);
    }
}

fn report(width: usize, rounds: usize) {
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let model = Mlp::new(width, &device);
    let x = Tensor::<2>::random([width, 784], Distribution::Normal(0.0, 1.0), &device);
    let y = Tensor::<1, Int>::arange(0..width as i64, &device).remainder_scalar(10);
    let linearize = || {
        let trace = GradientTrace::new(
            model.valid().train(),
            plain.settings(),
            |inputs| (inputs.float(x.clone()), inputs.int(y.clone())),
            |model: &Mlp, (x, y)| model.loss(x, y),
        );
        let trace = trace.expect("a trace");
        LinearizedGradient::new(&trace, plain.settings(), &plain).expect("a linearization")
    };
    let mut linearized = linearize();
    let direction: Vec<Tensor<1>> = linearized
        .gradients()
        .iter()
        .map(|part| {
            let len = part.as_ref().expect("a gradient").shape().num_elements();
            Tensor::random([len], Distribution::Normal(0.0, 1.0), &plain)
        })
        .collect();
    let mut series: [Vec<f64>; 4] = Default::default();
    for _ in 0..rounds {
        let gradient = timed(|| {
            let gradients = model.loss(x.clone(), y.clone()).backward();
            black_box(GradientsParams::from_grads(gradients, &model));
        });
        let product = timed(|| drop(black_box(linearized.hvp(&direction).expect("a product"))));
        let setup = timed(|| drop(black_box(linearize())));
        for (series, value) in series
            .iter_mut()
            .zip([gradient, setup, product, product / gradient])
        {
            series.push(value);
        }
    }
    let [gradient, setup, product, ratio] = series.map(median);
    let (gradient, setup, product) = (gradient * 1e3, setup * 1e3, product * 1e3);
    println!("{width:13}   {gradient:11.3}   {setup:18.3}   {product:10.3}   {ratio:18.2}");
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
