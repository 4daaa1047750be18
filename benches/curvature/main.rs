//! What exact curvature products cost, as ratios measured in one run on Flex.
//!
//! `cargo bench --bench curvature` prints for every network, on one batch:
//!
//! - a gradient by Burn, in ms, and what a Hessian-vector and a Gauss-Newton product take over it;
//! - the Hessian-vector product over the matrix products and convolutions of its linear program
//!   timed alone, and the rest for each step of the program; these kernels over the gradient (the *floor* of the
//!   first ratio) and their operations over those of the gradient's own kernels;
//! - tracing and linearizing, in gradients;
//! - a block of eight products, in single ones, with residuals kept and with residuals recomputed, and
//!   one product over eight such batches;
//! - the peak memory of making a Hessian and multiplying once, over that of a gradient, and what was predicted of it.
//!
//! The kernels alone run as in a product: prepared once, on the same threads, with sums of two convolutions as one
//! where the product has them as one. Their program has no outputs, so that each result is freed as soon as it is
//! there; to read a number of each would add steps, and to keep results would add fresh memory, which a product does
//! not need. What they read are contiguous tensors of their own: the kernels never find in the cache what was just
//! computed, and never read a transposed tensor, where a product may do both.
//!
//! Models are in evaluation mode, the default of a risk: batch norm uses running statistics in gradients as well.
//!
//! `--moving` prints instead what it costs to follow a model through steps of gradient descent: a new Hessian, one
//! that moves, and a reading of a curvature monitor with and without the programs of the reading before.
//!
//! Options: `--rounds N` (21 by default; 0 leaves out the times), `--only NAME`, `--json PATH` for
//! `benches/peers/curvature.py`.
//!
//! Rounds interleave what is compared, and each has its own ratios, of which medians are printed: a
//! slow minute of the machine falls on all sides.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark has nobody to report to"
)]

mod memory;
mod models;
mod moving;
mod timing;

use std::collections::BTreeMap;

use burn::tensor::Device;
use burnscape::space::copy_for_gradients;
use models::{Batch, Classifier, ConvNet, DigitsCnn, Gpt, Mlp, ResNet, Transformer, batch};
use timing::Figures;

#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

fn main() {
    let option = |name: &str| std::env::args().skip_while(|arg| arg != name).nth(1);
    let rounds = option("--rounds").map_or(21, |rounds| rounds.parse().expect("a number"));
    // So that glibc does not hand memory back between rounds; a program with data has done this.
    drop(std::hint::black_box(vec![1_u8; 31 << 20]));
    let device = Device::flex();
    device.seed(1);
    let mut run = Run {
        figures: BTreeMap::new(),
        only: option("--only"),
        rounds,
        is_moving: std::env::args().any(|arg| arg == "--moving"),
    };
    println!("medians of {rounds} rounds; ratios to Burn's gradient unless said otherwise");
    println!(
        "{}",
        if run.is_moving {
            moving::HEAD
        } else {
            timing::HEAD
        }
    );
    let autodiff = device.clone().autodiff();
    for (activation, rectified) in [("tanh", false), ("relu", true)] {
        for width in [64, 256, 512] {
            let name = format!("mlp_{activation}_{width}");
            let model = || Mlp::new(width, rectified, &autodiff);
            run.time(&name, model, || batch([width, 784], &device));
        }
    }
    let digits = || batch([64, 1, 8, 8], &device);
    let images = || batch([128, 1, 28, 28], &device);
    run.time("digits_cnn", || DigitsCnn::new(&autodiff), digits);
    run.time("conv_28", || ConvNet::new(&autodiff), images);
    let words = || batch([4, 64, 128], &device);
    run.time("transformer", || Transformer::new(&autodiff), words);
    let photos = || batch([16, 3, 32, 32], &device);
    run.time("resnet_18", || ResNet::new(&autodiff), photos);
    let gpt = |layers| move |device: &Device| Gpt::new(256, layers, 128, device);
    let tokens = || Gpt::batch(4, 128, &device);
    run.time("gpt_4", || gpt(4)(&autodiff), tokens);
    if run.is_moving {
        return;
    }
    println!();
    run.peak("digits_cnn", || DigitsCnn::new(&autodiff), digits);
    run.peak("conv_28", || ConvNet::new(&autodiff), images);
    run.peak("gpt_4", || gpt(4)(&autodiff), tokens);
    run.peak("gpt_12", || gpt(12)(&autodiff), tokens);
    if let Some(path) = option("--json") {
        let text = serde_json::to_string_pretty(&run.figures).expect("numbers");
        std::fs::write(path, text).expect("a file");
    }
}

/// What to measure, and what was.
struct Run {
    figures: BTreeMap<String, Figures>,
    only: Option<String>,
    rounds: usize,
    is_moving: bool,
}

impl Run {
    fn is_asked(&self, name: &str) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| name.contains(only.as_str()))
    }

    fn time<M: Classifier<D>, const D: usize>(
        &mut self,
        name: &str,
        model: impl FnOnce() -> M,
        batch: impl FnOnce() -> Batch<D>,
    ) {
        if !self.is_asked(name) || !self.is_moving && self.rounds == 0 {
            return;
        }
        let model = copy_for_gradients(&model(), false);
        if self.is_moving {
            moving::report(name, &model, batch(), self.rounds);
        } else {
            let figures = timing::report(name, &model, batch(), self.rounds);
            self.figures.insert(name.into(), figures);
        }
    }

    fn peak<M: Classifier<D>, const D: usize>(
        &self,
        name: &str,
        model: impl FnOnce() -> M,
        batch: impl FnOnce() -> Batch<D>,
    ) {
        if self.is_asked(name) {
            memory::report(name, &copy_for_gradients(&model(), false), batch());
        }
    }
}
