//! What a surface costs beside the passes over the data that it consists of, as ratios measured in one run on Flex.
//!
//! ```text
//! cargo bench -p burnscape --bench landscape
//! cargo bench -p burnscape --bench landscape -- --rounds 31
//! ```
//!
//! A surface of 5 × 5 points around a model, filter-normalized directions, one thread, over 25 passes of the same risk at
//! the model: as many as the surface makes, since its central point is the model. What is left is forming models from
//! weights and directions, less the host synchronizations that a surface makes for many points at once. Below that, the
//! surface on one thread over the surface on two. Flex computes large products on all cores, whatever the threads.
//!
//! Rounds in which both sides take turns; each has its own ratio, of which the median is printed. Figures of a run, with
//! machine and date, are in `docs/performance.md`.
//!
//! | | MLP 784-512-512-10, batches of 128 | CNN 1×28×28, 8-16 channels, batches of 64 | bar |
//! |---|---|---|---|
//! | surface ÷ passes, ten batches | 1.04 | 0.91 | 1.05 |
//! | surface ÷ passes, one batch | 1.20 | 1.00 | 1.25 |
//! | one thread ÷ two | 1.05 | | |

#[path = "optim/models.rs"]
mod models;

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use burnscape::landscape::{Direction, LandscapeConfig};
use burnscape::loss::Risk;
use burnscape::space::{DirectionNorm, Grid, ParamSpace, UnfilteredRule};

use models::{Batch, Classifier, Cnn, Mlp, flat_batch, image_batch};

type Outcome = Result<(), Box<dyn Error>>;

/// Points along each of the two axes.
const SIDE: usize = 5;
/// Rounds that are not counted.
const WARM_UP: usize = 3;

fn main() -> Outcome {
    let rounds = match std::env::args().skip_while(|arg| arg != "--rounds").nth(1) {
        Some(rounds) => rounds.parse()?,
        None => 15,
    };
    // As in the benchmark of optimizers: glibc's threshold is that of a program with data loaded.
    drop(black_box(vec![1_u8; 31 << 20]));
    let device = Device::flex();
    device.seed(1);
    let (mlp, cnn) = (Mlp::new(&device), Cnn::new(&device));
    println!("medians of {rounds} rounds, milliseconds a point, Flex");
    println!(
        "{:<58}{:>9}{:>9}{:>8}{:>7}",
        "", "left", "right", "ratio", "bar"
    );
    for (count, bar) in [(10, 1.05), (1, 1.25)] {
        let flat: Vec<Batch<2>> = (0..count).map(|_| flat_batch(&device)).collect();
        let images: Vec<Batch<4>> = (0..count).map(|_| image_batch(&device)).collect();
        let name = format!("MLP 784-512-512-10, {count} × 128: surface ÷ passes");
        over_passes(&name, &mlp, &flat, bar, rounds)?;
        let name = format!("CNN 1x28x28, 8-16, {count} × 64: surface ÷ passes");
        over_passes(&name, &cnn, &images, bar, rounds)?;
    }
    for count in [10, 1] {
        let flat: Vec<Batch<2>> = (0..count).map(|_| flat_batch(&device)).collect();
        let name = format!("MLP 784-512-512-10, {count} × 128: one thread ÷ two");
        over_threads(&name, &mlp, &flat, rounds)?;
    }
    Ok(())
}

/// A surface beside the passes that it makes.
fn over_passes<const D: usize, M: Classifier<D>>(
    name: &str,
    model: &M,
    data: &[Batch<D>],
    bar: f64,
    rounds: usize,
) -> Outcome {
    let loss = |model: &M, batch: Batch<D>| model.loss(&batch);
    let risk = Risk::new(&loss, data);
    let (grid, directions) = (Grid::symmetric(1.0, SIDE)?, directions(model)?);
    let surface: LandscapeConfig<'_, M> = LandscapeConfig::new([grid.clone(), grid]);
    let times = in_turns(
        rounds,
        || {
            black_box(surface.run(&risk, model, &directions)?);
            Ok(())
        },
        || {
            for _ in 0..SIDE * SIDE {
                black_box(risk.loss(model)?);
            }
            Ok(())
        },
    )?;
    print(name, &times, Some(bar));
    Ok(())
}

/// A surface on one thread beside the same on two.
fn over_threads<const D: usize, M: Classifier<D>>(
    name: &str,
    model: &M,
    data: &[Batch<D>],
    rounds: usize,
) -> Outcome {
    let loss = |model: &M, batch: Batch<D>| model.loss(&batch);
    let risk = Risk::new(&loss, data);
    let (grid, directions) = (Grid::symmetric(1.0, SIDE)?, directions(model)?);
    let one: LandscapeConfig<'_, M> = LandscapeConfig::new([grid.clone(), grid]);
    let two = one.clone().with_threads(2);
    let times = in_turns(
        rounds,
        || {
            black_box(one.run(&risk, model, &directions)?);
            Ok(())
        },
        || {
            black_box(two.run(&risk, model, &directions)?);
            Ok(())
        },
    )?;
    print(name, &times, None);
    Ok(())
}

fn directions<M: Module>(model: &M) -> Result<[Direction; 2], Box<dyn Error>> {
    let space = ParamSpace::of(model)?;
    let norm = DirectionNorm::Filter(UnfilteredRule::Zero);
    Ok([
        Direction::random(&space, model, norm, 1)?,
        Direction::random(&space, model, norm, 2)?,
    ])
}

/// Seconds of two pieces of work that take turns, for each round.
fn in_turns(
    rounds: usize,
    mut left: impl FnMut() -> Outcome,
    mut right: impl FnMut() -> Outcome,
) -> Result<Vec<[f64; 2]>, Box<dyn Error>> {
    let timed = |work: &mut dyn FnMut() -> Outcome| -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        work()?;
        Ok(start.elapsed().as_secs_f64())
    };
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds + WARM_UP {
        let pair = if round % 2 == 0 {
            let first = timed(&mut left)?;
            [first, timed(&mut right)?]
        } else {
            let second = timed(&mut right)?;
            [timed(&mut left)?, second]
        };
        if round >= WARM_UP {
            times.push(pair);
        }
    }
    Ok(times)
}

/// Times of `SIDE × SIDE` points.
fn print(name: &str, times: &[[f64; 2]], bar: Option<f64>) {
    let of = |value: fn(&[f64; 2]) -> f64| median(times.iter().map(value).collect());
    let points = (SIDE * SIDE) as f64;
    let [left, right] = [of(|pair| pair[0]), of(|pair| pair[1])].map(|time| 1e3 * time / points);
    let ratio = of(|pair| pair[0] / pair[1]);
    let (bar, mark) = match bar {
        Some(bar) => (
            format!("{bar:.2}"),
            if ratio > bar { "  above" } else { "" },
        ),
        None => ("-".to_string(), ""),
    };
    println!("{name:<58}{left:>9.3}{right:>9.3}{ratio:>8.3}{bar:>7}{mark}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
