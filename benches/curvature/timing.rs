use std::hint::black_box;
use std::time::Instant;

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Dispatch, DispatchTensor};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor};
use burnscape::curvature::{GaussNewton, Hessian};
use burnscape::krylov::LinearOperator;
use burnscape::linearize::{GradientTrace, Port};
use burnscape::space::ParamVector;
use serde::Serialize;

use crate::models::{Batch, Classifier, loss, risk};

pub(crate) const HEAD: &str = "\
network          gradient ms    hvp    ggn   hvp ms   ggn ms   hvp/kernels   µs/step   floor   flops   linearize   8 kept   8 recomputed   8 batches";

/// Blocks of products are left out where a single one takes longer, in milliseconds.
const LONG: f64 = 100.0;

/// Medians, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    gradient_ms: f64,
    hvp_ms: f64,
    ggn_ms: f64,
    /// The matrix products and convolutions of a Hessian-vector product.
    kernels_ms: f64,
}

/// Times one network on one batch.
pub(crate) fn report<M: Classifier<D>, const D: usize>(
    name: &str,
    model: &M,
    batch: Batch<D>,
    rounds: usize,
) -> Figures {
    let data = [batch];
    let one = risk::<M, D>(&data);
    // As in a training loop: the inputs are on autodiff already.
    let lifted = (data[0].0.clone().autodiff(), data[0].1.clone().autodiff());
    let gradient = || {
        let loss = loss(model, lifted.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        black_box(gradients);
    };
    let make = || -> Hessian<'_> {
        one.clone()
            .with_checks(false)
            .hessian(model)
            .expect("a Hessian")
    };
    let hessian = make();
    let recomputed = one
        .clone()
        .with_checks(false)
        .with_residual_budget(0)
        .hessian(model)
        .expect("a Hessian");
    let newton: GaussNewton<'_> = one
        .clone()
        .with_checks(false)
        .gauss_newton(model)
        .expect("a matrix");
    let eight = vec![data[0].clone(); 8];
    let batches = risk::<M, D>(&eight).with_checks(false);
    let batches = batches.hessian(model).expect("a Hessian");
    let vectors: Vec<ParamVector> = (0..8)
        .map(|seed| ParamVector::gaussian(hessian.space(), seed).expect("a vector"))
        .collect();
    let program = hessian.linear_program();
    let kernels = program.prepare_kernels(&Device::flex());
    let mut kernels = kernels.expect("kernels");
    let operands = operands(kernels.inputs());
    let flops = program.kernels().flops() as f64 / gradient_flops(model, &data[0]) as f64;

    let product = || drop(black_box(hessian.matvec(&vectors[0]).expect("a product")));
    let is_long = steady(product) > LONG;
    let brief = |work: &dyn Fn()| if is_long { f64::NAN } else { steady(work) };
    let mut times: [Vec<f64>; 9] = Default::default();
    for round in 0..rounds + 2 {
        let measured = [
            steady(gradient),
            steady(product),
            steady(|| drop(black_box(newton.matvec(&vectors[0]).expect("a product")))),
            steady(|| drop(black_box(kernels.run(&operands).expect("a run")))),
            steady(|| drop(black_box(make()))),
            brief(&|| drop(black_box(hessian.matmat(&vectors).expect("products")))),
            brief(&|| {
                drop(black_box(
                    recomputed.matvec(&vectors[0]).expect("a product"),
                ))
            }),
            brief(&|| drop(black_box(recomputed.matmat(&vectors).expect("products")))),
            brief(&|| drop(black_box(batches.matvec(&vectors[0]).expect("a product")))),
        ];
        // Caches and allocators warm up first.
        if round >= 2 {
            for (list, time) in times.iter_mut().zip(measured) {
                list.push(time);
            }
        }
    }
    let ratio = |top: usize, bottom: usize| {
        let pairs = times[top].iter().zip(&times[bottom]);
        median(pairs.map(|(a, b)| a / b).collect())
    };
    let [gradient_ms, hvp_ms, ggn_ms, kernels_ms, ..] = times.clone().map(median);
    // What a step costs beyond the kernels, where these do not hide it.
    let steps = program.num_operations() as f64;
    let micros = (hvp_ms - kernels_ms) * 1e3 / steps;
    println!(
        "{name:<16} {gradient_ms:>11.2} {:>6.2} {:>6.2} {hvp_ms:>8.2} {ggn_ms:>8.2} {:>13.2} {micros:>9.2} {:>7.2} {:>7.2} {:>11.1} {:>8.1} {:>14.1} {:>11.1}",
        ratio(1, 0),
        ratio(2, 0),
        ratio(1, 3),
        ratio(3, 0),
        flops,
        ratio(4, 0),
        ratio(5, 1),
        ratio(7, 6),
        ratio(8, 1),
    );
    Figures {
        gradient_ms,
        hvp_ms,
        ggn_ms,
        kernels_ms,
    }
}

/// Random numbers for every operand, in its shape: where a product reads them, nothing is reshaped either.
fn operands(ports: &[Port]) -> Vec<DispatchTensor> {
    let device = Device::flex();
    let random = |port: &Port| {
        let normal = Distribution::Normal(0.0, 1.0);
        let numbers = Tensor::<1>::random([port.num_elements()], normal, &device);
        Dispatch::float_reshape(numbers.into_dispatch(), port.shape().to_vec().into())
    };
    ports.iter().map(random).collect()
}

/// The matrix products and convolutions of Burn's own gradient, in floating-point operations.
fn gradient_flops<M: Classifier<D>, const D: usize>(model: &M, (x, y): &Batch<D>) -> u64 {
    let device = Device::flex();
    let trace = GradientTrace::new(
        model.valid().train(),
        device.settings(),
        |inputs| (inputs.float(x.clone()), inputs.int(y.clone())),
        loss,
    );
    trace.expect("a trace").program.kernels().flops()
}

/// The time of `work` in a loop of it: what was measured before has left threads asleep and other data in
/// the caches, so that the first 10 ms do not count.
pub(crate) fn steady(mut work: impl FnMut()) -> f64 {
    let mut mean_over = |span: f64| {
        let start = Instant::now();
        let mut runs = 0.0;
        loop {
            work();
            runs += 1.0;
            let elapsed = start.elapsed().as_secs_f64() * 1e3;
            if elapsed >= span {
                return elapsed / runs;
            }
        }
    };
    mean_over(10.0);
    mean_over(5.0)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
