//! Times, each until the device has a number for the host.

use std::hint::black_box;
use std::time::Instant;

use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor};
use burnscape::krylov::LinearOperator;
use burnscape::optim::SamConfig;
use burnscape::space::{LeafVector, ParamSpace, ParamVector};

use crate::lanczos::Wide;
use crate::models::{Classifier, Gpt, loss, risk};
use crate::{Options, say};

/// The median of `rounds` times in ms, after one that does not count.
fn median(rounds: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        work();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

pub(crate) fn products(options: &Options, device: &Device) {
    let model = Wide::new(options.width, &device.clone().autodiff());
    let data = [Wide::batch(device)];
    let risk = risk::<Wide, 2>(&data).with_checks(false);
    let hessian = risk.hessian(&model).expect("a Hessian");
    let draw = |seed| ParamVector::gaussian(hessian.space(), seed).expect("a vector");
    for count in [1, 4, 16] {
        let vectors: Vec<ParamVector> = (0..count).map(draw).collect();
        let ms = median(options.rounds, || {
            let products = hessian.matmat(&vectors).expect("products");
            for product in products {
                black_box(product.norm().expect("a number"));
            }
        });
        say(format!(
            "Hessian products of the MLP, {count} at once: {ms:.2} ms, {:.2} ms each",
            ms / count as f64
        ));
    }
}

/// Inner products of vectors in many and in few leaves.
pub(crate) fn dots(options: &Options, device: &Device) {
    for leaves in [10, 300] {
        let rows = (options.parameters / leaves / 100).max(1);
        let layer = |_| LinearConfig::new(rows, 100).with_bias(false).init(device);
        let model: Vec<Linear> = (0..leaves).map(layer).collect();
        let space = ParamSpace::of(&model).expect("a space");
        let flat = ParamVector::from_module(&space, &model).expect("a vector");
        let apart = LeafVector::from_module(&space, &model).expect("a vector");
        drop(model);
        let ms = median(options.rounds, || {
            black_box(flat.dot(&flat).expect("a number"));
        });
        let leaf_ms = median(options.rounds, || {
            black_box(apart.norm().expect("a number"));
        });
        say(format!(
            "inner product of {} parameters in {leaves} leaves: flat {ms:.3} ms, leaf by leaf {leaf_ms:.3} ms",
            space.len()
        ));
    }
}

pub(crate) fn gpt(options: &Options, device: &Device) {
    let Options {
        d, layers, tokens, ..
    } = *options;
    for rows in [1, options.rows] {
        device.memory_cleanup();
        let model = Gpt::new(d, layers, tokens, &device.clone().autodiff());
        let data = [Gpt::batch(rows, tokens, device)];
        let risk = risk::<Gpt, 2>(&data).with_checks(false);
        let hessian = risk.hessian(&model).expect("a Hessian");
        let v = ParamVector::gaussian(hessian.space(), 1).expect("a vector");
        let ms = median(options.rounds, || {
            let product = hessian.matvec(&v).expect("a product");
            black_box(product.norm().expect("a number"));
        });
        let predicted = hessian.linear_program().peak_bytes() as f64 / 1e6;
        let pool = device.memory_pool_usage();
        say(format!(
            "GPT d {d}, {layers} layers, {rows} x {tokens}, {} parameters: Hessian product {ms:.2} ms, predicted peak of a \
             product {predicted:.0} MB, device memory {pool:?}",
            hessian.space().len()
        ));
    }
}

pub(crate) fn sharpness_aware(options: &Options, device: &Device) {
    let device = device.clone().autodiff();
    let mut model = Wide::new(options.width, &device);
    let batch = Wide::batch(&device);
    let of = |model: &Wide| loss::<Wide, 2>(model, batch.clone());
    let mut sam = SamConfig::new()
        .init(SgdConfig::new().init())
        .expect("an optimizer");
    let gradient = |model: &Wide| {
        let loss = of(model);
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        let number = loss.into_scalar::<f32>();
        black_box((gradients, number));
    };
    let two = median(options.rounds, || {
        gradient(&model);
        gradient(&model);
    });
    let step = median(options.rounds, || {
        black_box(sam.step(1e-6, &mut model, of).expect("a step"));
    });
    // The last step of the optimizer is still running.
    let x: Tensor<2> = batch.0.clone();
    black_box(model.logits(x).into_data());
    say(format!(
        "sharpness-aware step {step:.2} ms, two gradients {two:.2} ms: {:.3}",
        step / two
    ));
}
