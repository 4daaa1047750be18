use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burnscape::optim::{DescentGradient, SamConfig};

use crate::models::{Batch, Classifier};

pub(crate) fn base() -> ModuleOptimizer {
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    SgdConfig::new().with_momentum(Some(momentum)).init()
}

/// Prints the ratios for one model.
pub(crate) fn report<const D: usize, M: Classifier<D>>(
    name: &str,
    model: &M,
    batch: &Batch<D>,
    rounds: usize,
) -> Result<(), Box<dyn Error>> {
    let lr = 1e-4;
    let mut optimizer = base();
    let mut stepped = model.clone();
    let mut sam_model = model.clone();
    let mut look_model = model.clone();
    let mut sam = SamConfig::new().init(base())?;
    let look = DescentGradient::Look {
        every: 5,
        alpha: 0.7,
    };
    let mut look_sam = SamConfig::new().with_descent_gradient(look).init(base())?;
    let mut times: [Vec<f64>; 4] = Default::default();
    // The first rounds fill caches and the optimizers' state.
    for round in 0..rounds + 3 {
        let (gradients, gradient) =
            timed(|| GradientsParams::from_grads(stepped.loss(batch).backward(), &stepped));
        let (moved, base_step) = timed(|| optimizer.step(lr, stepped, gradients));
        stepped = moved;
        let (result, sam_step) = timed(|| sam.step(lr, &mut sam_model, |m: &M| m.loss(batch)));
        black_box(result?);
        let mut look_steps = 0.0;
        for _ in 0..5 {
            let (result, step) =
                timed(|| look_sam.step(lr, &mut look_model, |m: &M| m.loss(batch)));
            black_box(result?);
            look_steps += step;
        }
        if round >= 3 {
            let measured = [gradient, base_step, sam_step, look_steps / 5.0];
            for (series, time) in times.iter_mut().zip(measured) {
                series.push(time);
            }
        }
    }
    let ratios = |ratio: fn([f64; 4]) -> f64| {
        let rounds =
            (0..times[0].len()).map(|round| [0, 1, 2, 3].map(|series| times[series][round]));
        median(rounds.map(ratio).collect())
    };
    // The ratio of each round, then the median: a machine that changes pace does so for both sides.
    let sam_ratio = ratios(|[g, b, s, _]| s / (2.0 * g + b));
    let look_ratio = ratios(|[_, _, s, l]| l / s);
    let [g, b, s, l] = times.map(median);
    println!("\n{name}");
    println!("  gradient {:.3} ms, base step {:.3} ms", g * 1e3, b * 1e3);
    println!(
        "  SAM step {:.3} ms, LookSAM(5) step {:.3} ms (mean of 5)",
        s * 1e3,
        l * 1e3
    );
    println!("  SAM / (2 gradients + base step)    {sam_ratio:.3}  (bar 1.05)");
    let ideal = (1.2 * g + b) / (2.0 * g + b);
    println!(
        "  LookSAM(5) / SAM                   {:.3}  (bar {:.3}; its gradients alone {ideal:.3})",
        look_ratio,
        1.05 * ideal
    );
    Ok(())
}

pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed().as_secs_f64())
}

pub(crate) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
