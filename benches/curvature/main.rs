//! What exact curvature products cost, as ratios measured in one run on Flex.
//!
//! `cargo bench --bench curvature` prints for every network, on one batch:
//!
//! - a gradient by Burn, in ms, and what a Hessian-vector and a Gauss-Newton product take over it;
//! - the Hessian-vector product over the matrix products and convolutions of its linear program
//!   timed alone, which no engine on the same backend can go below; these kernels over the gradient
//!   (the *floor* of the first ratio) and their operations over those of the gradient's own kernels;
//! - tracing and linearizing, in gradients;
//! - a block of eight products, in single ones, with residuals kept and with residuals recomputed, and
//!   one product over eight such batches;
//! - the peak memory of making a Hessian and multiplying once, over that of a gradient.
//!
//! Options: `--rounds N` (21 by default), `--only NAME`, `--json PATH` for
//! `benches/peers/curvature.py`.
//!
//! Rounds interleave what is compared, and each has its own ratios, of which medians are printed: a
//! slow minute of the machine falls on all sides.
#![allow(clippy::expect_used, reason = "a benchmark has nobody to report to")]

mod memory;
mod models;
mod timing;

use std::collections::BTreeMap;

use burn::tensor::Device;
use models::{ConvNet, DigitsCnn, Mlp, Transformer, batch};

#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

fn main() {
    let option = |name: &str| std::env::args().skip_while(|arg| arg != name).nth(1);
    let rounds = option("--rounds").map_or(21, |rounds| rounds.parse().expect("a number"));
    let only = option("--only");
    let is_asked = |name: &str| {
        only.as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    };
    // So that glibc does not hand memory back between rounds; a program with data has done this.
    drop(std::hint::black_box(vec![1_u8; 31 << 20]));
    let device = Device::flex();
    device.seed(1);
    let mut figures = BTreeMap::new();
    println!("medians of {rounds} rounds; ratios to Burn's gradient unless said otherwise");
    println!("{}", timing::HEAD);
    let autodiff = device.clone().autodiff();
    for (activation, rectified) in [("tanh", false), ("relu", true)] {
        for width in [64, 256, 512] {
            let name = format!("mlp_{activation}_{width}");
            if is_asked(&name) {
                let model = Mlp::new(width, rectified, &autodiff);
                let batch = batch([width, 784], &device);
                figures.insert(name.clone(), timing::report(&name, &model, batch, rounds));
            }
        }
    }
    if is_asked("digits_cnn") {
        let model = DigitsCnn::new(&autodiff);
        let batch = batch([64, 1, 8, 8], &device);
        figures.insert(
            "digits_cnn".into(),
            timing::report("digits_cnn", &model, batch, rounds),
        );
    }
    if is_asked("conv_28") {
        let model = ConvNet::new(&autodiff);
        let batch = batch([128, 1, 28, 28], &device);
        figures.insert(
            "conv_28".into(),
            timing::report("conv_28", &model, batch, rounds),
        );
    }
    if is_asked("transformer") {
        let model = Transformer::new(&autodiff);
        let batch = batch([4, 64, 128], &device);
        figures.insert(
            "transformer".into(),
            timing::report("transformer", &model, batch, rounds),
        );
    }
    println!();
    if is_asked("digits_cnn") {
        memory::report(
            "digits_cnn",
            &DigitsCnn::new(&autodiff),
            batch([64, 1, 8, 8], &device),
        );
    }
    if is_asked("conv_28") {
        memory::report(
            "conv_28",
            &ConvNet::new(&autodiff),
            batch([128, 1, 28, 28], &device),
        );
    }
    if let Some(path) = option("--json") {
        let text = serde_json::to_string_pretty(&figures).expect("numbers");
        std::fs::write(path, text).expect("a file");
    }
}
