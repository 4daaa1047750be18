//! What paths cost, as ratios measured in one run on Flex.
//!
//! `cargo bench --bench path` prints, for an MLP and a small CNN with batch norm:
//!
//! - a fitting step of a quadratic Bézier curve over a plain training step, the optimizer's closure
//!   step on a single model, and over the bare loop of gradient and step (bar: 1.15 over the closure
//!   step);
//! - the same for SAM on the curve over SAM on a model;
//! - a profile with 61 places over 61 evaluations of one model: `tests/path` counts that it takes these
//!   and no gradient, what is seen here is the time to form the models;
//! - the peak memory of a fitting step beyond that of a plain step, in copies of the parameters.
//!
//! The rounds interleave what is compared, and each round has its own ratio, of which the median is
//! printed. Figures of a run, with machine and date, are in `docs/performance.md`.

mod memory;
#[path = "../optim/models.rs"]
mod models;

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Int, Tensor};
use burnscape::loss::{NormalizationPolicy, Risk};
use burnscape::optim::{ClosureStep, SamConfig};
use burnscape::path::{BezierCurve, CurveFitterConfig, CurveProfileConfig};

use models::Classifier;

type Batch<const D: usize> = (Tensor<D>, Tensor<1, Int>);

const RATE: f64 = 1e-4;

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = match std::env::args().skip_while(|arg| arg != "--rounds").nth(1) {
        Some(rounds) => rounds.parse()?,
        None => 41,
    };
    // As in the benchmark of optimizers: glibc's threshold is that of a program with data loaded.
    drop(black_box(vec![1_u8; 31 << 20]));
    let device = Device::flex().autodiff();
    println!("medians of {rounds} rounds, SGD with momentum, Flex");
    let flat = models::flat_batch(&device);
    let twice = (
        Tensor::cat(vec![flat.0.clone(); 4], 0),
        Tensor::cat(vec![flat.1.clone(); 4], 0),
    );
    let mlps = [(); 2].map(|()| models::Mlp::new(&device));
    report("MLP 784-512-512-10, batch 128", &mlps, &flat, rounds)?;
    report("MLP 784-512-512-10, batch 512", &mlps, &twice, rounds)?;
    let cnns = [(); 2].map(|()| models::Cnn::new(&device));
    let images = models::image_batch(&device);
    report("CNN 1x28x28, 8-16, batch 64", &cnns, &images, rounds)?;
    memory::report("MLP 784-512-512-10, batch 128", &mlps, &flat)
}

fn base() -> ModuleOptimizer {
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    SgdConfig::new().with_momentum(Some(momentum)).init()
}

fn report<const D: usize, M: Classifier<D>>(
    name: &str,
    [first, last]: &[M; 2],
    batch: &Batch<D>,
    rounds: usize,
) -> Result<(), Box<dyn Error>> {
    let loss = |model: &M, batch: Batch<D>| model.loss(&batch);
    let curve = BezierCurve::between(first, last, 2)?;
    let mut bare = base();
    let mut bare_model = first.clone();
    let mut plain = base();
    let mut plain_model = first.clone();
    let mut fitter = CurveFitterConfig::new(RATE).init(curve.clone(), base())?;
    let mut sam = SamConfig::new().init(base())?;
    let mut sam_model = first.clone();
    let mut sam_fitter =
        CurveFitterConfig::new(RATE).init(curve.clone(), SamConfig::new().init(base())?)?;
    let data = [batch.clone()];
    let risk = Risk::new(&loss, &data);
    let config = CurveProfileConfig::new().with_policy(NormalizationPolicy::Leave);
    let mut times: [Vec<f64>; 6] = Default::default();
    for round in 0..rounds + 3 {
        let (moved, bare_step) = timed(|| {
            let gradients = bare_model.loss(batch).backward();
            let gradients = GradientsParams::from_grads(gradients, &bare_model);
            bare.step(RATE, bare_model, gradients)
        });
        bare_model = moved;
        let (result, plain_step) =
            timed(|| plain.closure_step(RATE, &mut plain_model, |model: &M| model.loss(batch)));
        result?;
        let (result, fit_step) = timed(|| fitter.step(batch.clone(), &loss));
        result?;
        let (result, sam_step) = timed(|| sam.step(RATE, &mut sam_model, |m: &M| m.loss(batch)));
        result?;
        let (result, sam_fit_step) = timed(|| sam_fitter.step(batch.clone(), &loss));
        result?;
        // Profiles are long; a few are enough.
        let profile = if round % 8 == 0 {
            let (result, evaluations) = timed(|| {
                let one = |_| {
                    risk.loss(first).map(|loss| {
                        black_box(loss);
                    })
                };
                (0..61).try_for_each(one)
            });
            result?;
            let (result, profile) = timed(|| config.run(&risk, &curve));
            black_box(result?);
            profile / evaluations
        } else {
            f64::NAN
        };
        if round >= 3 {
            let measured = [
                bare_step,
                plain_step,
                fit_step,
                sam_step,
                sam_fit_step,
                profile,
            ];
            for (series, time) in times.iter_mut().zip(measured) {
                series.push(time);
            }
        }
    }
    let ratio = |over: usize, under: usize| {
        let pairs = times[over].iter().zip(&times[under]);
        median(pairs.map(|(x, y)| x / y).collect())
    };
    let milliseconds = |series: usize| 1e3 * median(times[series].clone());
    println!("\n{name}");
    println!(
        "  bare step {:.3} ms, closure step {:.3} ms, fitting step {:.3} ms",
        milliseconds(0),
        milliseconds(1),
        milliseconds(2)
    );
    println!(
        "  fitting step / closure step          {:.3}  (bar 1.15)",
        ratio(2, 1)
    );
    println!("  fitting step / bare step             {:.3}", ratio(2, 0));
    println!("  SAM on the curve / SAM on a model    {:.3}", ratio(4, 3));
    println!(
        "  profile / 61 evaluations             {:.3}",
        median(times[5].clone())
    );
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed().as_secs_f64())
}

/// Of what is a number.
fn median(mut times: Vec<f64>) -> f64 {
    times.retain(|time| !time.is_nan());
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
