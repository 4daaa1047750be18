//! What watching a training run costs, as ratios measured in one run.
//!
//! ```text
//! cargo bench -p burnscape --bench dynamics
//! ```
//!
//! 784-128-10 on 1,024 examples in single precision, medians of rounds in which both sides take turns.
#![allow(clippy::expect_used, reason = "a benchmark stops at its first error")]

use std::hint::black_box;
use std::time::Instant;

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use burnscape::dynamics::{
    CommutatorConfig, CurvatureMonitorConfig, Due, GradientNoiseConfig, Moment, Monitor, Monitors,
    NoiseEstimator, TangentKernelConfig, Watch,
};
use burnscape::krylov::LinearOperator;
use burnscape::loss::Risk;
use burnscape::space::{FlatVector, ParamVector};

const EXAMPLES: usize = 1024;
const ROUNDS: usize = 21;

type Batch = (Tensor<2>, Tensor<1, Int>);

#[derive(Module, Debug)]
struct Mlp {
    hidden: Linear,
    last: Linear,
}

fn loss(model: &Mlp, (x, y): Batch) -> Tensor<1> {
    let logits = model.last.forward(model.hidden.forward(x).tanh());
    CrossEntropyLossConfig::new()
        .init(&logits.device())
        .forward(logits, y)
}

/// The examples in `count` batches.
fn batches(count: usize, device: &Device) -> Vec<Batch> {
    let size = EXAMPLES / count;
    let batch = |index: usize| {
        let rows = index * size..(index + 1) * size;
        let pixel = |at: usize| ((0.37 * at as f64).sin() + (0.011 * at as f64).cos()) as f32;
        let x: Vec<f32> = (rows.start * 784..rows.end * 784).map(pixel).collect();
        let y: Vec<i64> = rows.map(|row| (row * 7 % 10) as i64).collect();
        (
            Tensor::from_data(TensorData::new(x, [size, 784]), device),
            Tensor::from_data(TensorData::new(y, [size]), device),
        )
    };
    (0..count).map(batch).collect()
}

/// Medians in milliseconds of two pieces of work that take turns.
fn in_turns(mut left: impl FnMut(), mut right: impl FnMut()) -> (f64, f64) {
    let timed = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e3
    };
    let (mut lefts, mut rights) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + 3 {
        let (first, second) = if round % 2 == 0 {
            let first = timed(&mut left);
            (first, timed(&mut right))
        } else {
            let second = timed(&mut right);
            (timed(&mut left), second)
        };
        if round >= 3 {
            lefts.push(first);
            rights.push(second);
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    (median(&mut lefts), median(&mut rights))
}

fn print(name: &str, (ours, theirs): (f64, f64), bar: f64) {
    let ratio = ours / theirs;
    println!("{name:<62} {ours:>8.2} {theirs:>8.2} {ratio:>7.3} {bar:>6.2}");
}

fn main() {
    let device = Device::flex().autodiff();
    device.seed(1);
    let model = Mlp {
        hidden: LinearConfig::new(784, 128).init(&device),
        last: LinearConfig::new(128, 10).init(&device),
    };
    println!(
        "{:<62} {:>8} {:>8} {:>7} {:>6}",
        "", "ours ms", "sum ms", "ratio", "bar"
    );
    commutator(&model, &device);
    noise(&model, &device);
    kernel(&model, &device);
    never_due(model, &device);
}

/// A pair of a monitor that has measured before, against its gradients and products.
fn commutator(model: &Mlp, device: &Device) {
    let data = batches(2, device);
    let risk = Risk::new(&loss, &data).with_checks(false);
    let config = CommutatorConfig::new().with_num_pairs(1);
    let mut monitor = config.init().expect("settings");
    let moment = Moment::new(0, 0.1, model);
    let halves: Vec<[Batch; 1]> = data.iter().map(|batch| [batch.clone()]).collect();
    let risks: Vec<_> = halves
        .iter()
        .map(|half| Risk::new(&loss, half).with_checks(false))
        .collect();
    let hessians: Vec<_> = risks
        .iter()
        .map(|risk| risk.hessian(model).expect("a Hessian"))
        .collect();
    let vector = ParamVector::rademacher(hessians[0].space(), 1).expect("a vector");
    let times = in_turns(
        || {
            black_box(monitor.measure(&risk, &moment).expect("a reading"));
        },
        || {
            for (risk, hessian) in risks.iter().zip(&hessians) {
                black_box(risk.loss_and_gradient(model).expect("a gradient"));
                let product = hessian.matvec(&vector).expect("a product");
                black_box(product.norm().expect("a norm"));
            }
        },
    );
    print("a commutator pair ÷ 2 gradients and 2 products", times, 1.1);
}

fn noise(model: &Mlp, device: &Device) {
    for count in [8, 32] {
        let data = batches(count, device);
        let risk = Risk::new(&loss, &data).with_checks(false);
        let config = GradientNoiseConfig::new(NoiseEstimator::MicroBatches { size: None });
        let times = in_turns(
            || {
                black_box(config.run(&risk, model).expect("a reading"));
            },
            || {
                black_box(risk.loss_and_gradient(model).expect("gradients"));
            },
        );
        let name = format!("gradient noise of {count} micro-batches ÷ their gradients");
        print(&name, times, 1.05);
    }
}

/// Steps of gradient descent with three monitors that are never due, and without.
fn never_due(model: Mlp, device: &Device) {
    let data = batches(8, device);
    let risk = Risk::new(&loss, &data).with_checks(false);
    let never = || Due::At(vec![usize::MAX]);
    let curvature = CurvatureMonitorConfig::new().init().expect("settings");
    let noise = GradientNoiseConfig::new(NoiseEstimator::MicroBatches { size: None });
    let watches = Monitors::new()
        .with(Watch::new(never(), curvature, risk.clone()).expect("a schedule"))
        .expect("a name")
        .with(
            Watch::new(never(), noise.init().expect("settings"), risk.clone()).expect("a schedule"),
        )
        .expect("a name")
        .with(
            Watch::new(
                never(),
                CommutatorConfig::new().init().expect("settings"),
                risk.clone(),
            )
            .expect("a schedule"),
        );
    let mut monitors = watches.expect("a name");
    let train = |watch: &mut dyn FnMut(usize, &Mlp)| {
        let (mut model, mut sgd) = (model.clone(), SgdConfig::new().init());
        for (step, batch) in data.iter().enumerate() {
            watch(step, &model);
            let gradients = loss(&model, batch.clone()).backward();
            let gradients = GradientsParams::from_grads(gradients, &model);
            model = sgd.step(0.01, model, gradients);
        }
        black_box(model);
    };
    let times = in_turns(
        || {
            train(&mut |step, model| {
                monitors
                    .observe(&Moment::new(step, 0.01, model))
                    .expect("nothing is due");
            });
        },
        || train(&mut |_, _| {}),
    );
    print(
        "8 steps with three monitors that are never due ÷ without",
        times,
        1.01,
    );
}

/// A reading of a monitor that has a start, against the products with its kernel.
fn kernel(model: &Mlp, device: &Device) {
    let data = [batches(16, device).remove(0)];
    let risk = Risk::split(
        |m: &Mlp, (x, _): &Batch| m.last.forward(m.hidden.forward(x.clone()).tanh()),
        |z: Tensor<2>, (_, y): Batch| {
            CrossEntropyLossConfig::new()
                .init(&z.device())
                .forward(z, y)
        },
        &data,
    )
    .with_checks(false);
    let mut monitor = TangentKernelConfig::new().init().expect("settings");
    let moment = Moment::new(0, 0.1, model);
    monitor.measure(&risk, &moment).expect("a start");
    let ntk = risk.ntk(model).expect("a kernel");
    let size = ntk.outputs().len();
    let unit = |index: usize| {
        let mut unit = vec![0.0; size];
        unit[index] = 1.0;
        FlatVector::from_host(ntk.outputs(), &unit).expect("a vector")
    };
    let units: Vec<_> = (0..size).map(unit).collect();
    let times = in_turns(
        || {
            black_box(monitor.measure(&risk, &moment).expect("a reading"));
        },
        || {
            for block in units.chunks(16) {
                let products = ntk.matmat(block).expect("products");
                black_box(products[0].norm().expect("a norm"));
            }
        },
    );
    print(
        "a tangent kernel of 64 × 10 outputs ÷ its products",
        times,
        1.2,
    );
}
