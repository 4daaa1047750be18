//! Warmup and clipping: how sharp the loss is while the rate rises, and which rates train.

use std::iter::zip;
use std::slice::from_ref;

use burn::grad_clipping::GradientClippingConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device};
use burnscape::dynamics::{CurvatureMonitorConfig, Due, EdgeRule, Moment, Watch};
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::{Objective, Recorded, Risk};

use super::criteria::warmup::{
    CLIPPED, COMPARED, DOUBLINGS, FALL, HIGHEST, LARGEST, LONG, LOW, LOWER_PEAK, MULTIPLES, NONE,
    PEAK, RATIO, SHORT, at, judge,
};
use super::digits::{CLASSES, Digits, PIXELS, Place, Targeted};
use super::frame::{Measured, Plan, Study};
use super::losses::{half_mse, number};
use super::network::{Activation, Mlp};
use super::numbers::with_error;
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "warmup",
    claim: "At rates above the edge of the initial weights, warmup of the rate lowers λ_max step by step, so that λ_max \
            η/2 stays near one and larger rates train; clipping of gradients does something similar.",
    papers: &[
        "Gilmer et al. 2021, arXiv:2110.04369",
        "Kalra and Barkeshli 2024, arXiv:2406.09405",
        "Lewkowycz et al. 2020, arXiv:2003.02218",
    ],
    ran: "ReLU 64-64-64-64-10 with half the squared error on 400 digits, all in each of 400 steps of gradient descent, \
          from the weights of He. Rates are 1 to 32 times the edge 2/λ_max at the start: constant; with linear warmup \
          over 100 or 200 steps; or constant with the gradient of each tensor clipped to a norm of 0.25 (Burn clips \
          tensors one by one). A rate trains if the mean loss of the last 20 steps is at most 0.3, where constant \
          outputs have 0.45; a run whose loss is not finite or a million times that at the start has diverged. At 1, 4 \
          and 8 edges λ_max is measured every 9 steps of the first 200, and reported of runs that train; means and \
          highest readings are of those after the first 20 steps at a rate of at least one edge.",
    would_change: "A largest trainable rate that is not larger with warmup in four of five seeds; in warmup to 4 edges, \
                   a mean of λ_max η/2 outside 0.75 to 1.25, or a λ_max after it that is more than 0.7 times that of \
                   training at 1 edge, where nothing forces it down.",
    wrong: "That warmup is needed because the first gradients are noisy: all data are in every step. That λ_max falls \
            because of warmup: it falls because the loss is unstable at the current rate, and warmup makes these \
            instabilities small; compare λ_max and the highest loss at 4 edges with and without it. And that warmup \
            removes the limit: see up to which rate runs train with it. With clipping λ_max η/2 is not the distance \
            from an edge, since clipped steps are shorter than η says.",
    references: &[],
    run,
    judge,
};

/// With the steps over which the rate rises.
const METHODS: [(&str, Option<usize>); 4] = [
    (NONE, None),
    (SHORT, Some(100)),
    (LONG, Some(200)),
    (CLIPPED, None),
];

const IMAGES: usize = 400;
const WIDTH: usize = 64;
/// The largest norm of the gradient of a tensor.
const LIMIT: f32 = 0.25;
const STEPS: usize = 400;
/// The last steps, whose losses are averaged.
const TAIL: usize = 20;
/// A loss at which a rate has trained.
const GOAL: f64 = 0.3;
/// A loss that has diverged, over that at the start.
const DIVERGED: f64 = 1e6;

/// Rates at which λ_max is measured, in edges.
const WATCHED: [f64; 3] = [LOW, COMPARED, 8.0];
/// Steps in which it is, from one reading to the next, and those without means.
const READ: usize = 200;
const EVERY: usize = 9;
const FIRST: usize = 20;

const LOSS: &str = "loss at the end";

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let digits = Digits::of_recipes()?;
    let with_seeds = |(name, warmup)| {
        let seeds = plan.seeds.iter();
        seeds.map(move |&seed| Job { name, warmup, seed })
    };
    let jobs: Vec<Job> = METHODS.into_iter().flat_map(with_seeds).collect();
    let runs = plan.over(&jobs, |job| {
        let runs = job.runs(plan, &digits)?;
        let largest = largest(&runs);
        let Job { name, seed, .. } = job;
        plan.progress(format!("{name}, seed {seed}: up to {largest} edges train"));
        Ok(runs)
    })?;
    for (job, runs) in zip(&jobs, &runs) {
        found.push(job.name, LARGEST, largest(runs));
        for run in runs {
            columns(plan, job, run, found);
            if plan.seeds.first() == Some(&job.seed) && run.multiple == COMPARED {
                charts(job, run, found);
            }
        }
    }
    comparisons(found);
    notes(found);
    Ok(())
}

/// A method, at all rates.
struct Job {
    name: &'static str,
    /// None: the rate is constant.
    warmup: Option<usize>,
    seed: u64,
}

impl Job {
    fn runs(&self, plan: &Plan, digits: &Digits) -> Result<Vec<Run>, Failure> {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let data = digits.targeted(0..plan.pick(IMAGES, 60), place);
        let start = start(plan, self.seed, place)?;
        let loss = Recorded::new(half_mse::<Mlp>);
        let risk = Risk::new(&loss, from_ref(&data));
        let top = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-3);
        let lambda = top.run(&risk.hessian(&start)?)?.values[0];
        let multiples = plan.pick(&MULTIPLES[..], &MULTIPLES[..3]).iter();
        let runs = multiples.map(|&multiple| -> Result<Run, Failure> {
            let read = plan.steps(READ);
            let is_watched = WATCHED.contains(&multiple);
            let descent = Descent {
                rate: multiple * 2.0 / lambda,
                warmup: self.warmup.map_or(1, |steps| plan.steps(steps)),
                steps: plan.steps(STEPS),
                read: if is_watched { read } else { 0 },
            };
            let (readings, losses) = descent.run(self.optimizer(), &loss, &data, start.clone())?;
            Ok(Run {
                multiple,
                lambda,
                readings,
                is_whole: losses.len() == descent.steps + 1,
                losses,
            })
        });
        runs.collect()
    }

    fn optimizer(&self) -> ModuleOptimizer {
        let clipping = GradientClippingConfig::Norm(LIMIT);
        let clipping = (self.name == CLIPPED).then_some(clipping);
        SgdConfig::new().with_gradient_clipping(clipping).init()
    }
}

/// The initial network.
fn start(plan: &Plan, seed: u64, place: Place<'_>) -> Result<Mlp, Failure> {
    let width = plan.pick(WIDTH, 16);
    let sizes = [PIXELS, width, width, width, CLASSES];
    Mlp::new(&sizes, Activation::Relu, seed, place)
}

/// Gradient descent whose rate rises to the last one.
struct Descent {
    rate: f64,
    warmup: usize,
    steps: usize,
    /// Steps in which `λ_max` is measured.
    read: usize,
}

/// `λ_max` before a step, and that in units of the edge of its rate.
#[derive(Debug, Clone, Copy)]
struct Reading {
    step: usize,
    rate: f64,
    sharpness: f64,
    ratio: f64,
}

impl Descent {
    fn rate_at(&self, step: usize) -> f64 {
        self.rate * ((step + 1) as f64 / self.warmup as f64).min(1.0)
    }

    /// Readings, and losses before each step and after the last. Both end where the loss has diverged.
    fn run(
        &self,
        mut optimizer: ModuleOptimizer,
        loss: &Recorded<impl Objective<Mlp, Targeted>>,
        data: &Targeted,
        mut net: Mlp,
    ) -> Result<(Vec<Reading>, Vec<f64>), Failure> {
        // In the first steps weights move fast.
        let monitor = CurvatureMonitorConfig::new()
            .with_optimizer(EdgeRule::gradient_descent())
            .with_max_warm_matvecs(30)
            .init()?;
        let objective = half_mse::<Mlp>;
        // The Hessian of the start has been checked.
        let risk = Risk::new(&objective, from_ref(data)).with_checks(false);
        let mut watch = Watch::new(Due::Every(EVERY), monitor, risk)?;
        let mut losses: Vec<f64> = Vec::new();
        for step in 0..=self.steps {
            let value = loss.loss_on(&net, data.clone())?;
            let size = number(value.clone())?;
            let most = losses.first().map_or(f64::MAX, |first| first * DIVERGED);
            let is_fine = size.is_finite() && size <= most;
            if !is_fine {
                break;
            }
            losses.push(size);
            let rate = self.rate_at(step);
            if step < self.read {
                watch.observe(&Moment::new(step, rate, &net))?;
            }
            if step < self.steps {
                let gradients = GradientsParams::from_grads(value.backward(), &net);
                net = optimizer.step(rate, net, gradients);
            }
        }
        let seen = watch.readings().to_vec();
        let readings = seen.iter().map(|seen| Reading {
            step: seen.step,
            rate: seen.lr,
            sharpness: seen.reading.sharpness,
            ratio: seen.reading.edge_ratio.unwrap_or(f64::NAN),
        });
        Ok((readings.collect(), losses))
    }
}

/// A training at one rate.
struct Run {
    /// Its rate, in edges of the start.
    multiple: f64,
    /// `λ_max` of the start.
    lambda: f64,
    readings: Vec<Reading>,
    losses: Vec<f64>,
    /// Whether it has not diverged.
    is_whole: bool,
}

impl Run {
    /// The mean loss at the end. Not a number if the run has diverged.
    fn end(&self) -> f64 {
        if !self.is_whole {
            return f64::NAN;
        }
        let tail = &self.losses[self.losses.len().saturating_sub(TAIL)..];
        tail.iter().sum::<f64>() / tail.len() as f64
    }

    /// Whether a rate is at least the edge of the start, up to rounding.
    fn is_over(&self, rate: f64) -> bool {
        0.5 * rate * self.lambda >= 1.0 - 1e-9
    }

    fn peak(&self) -> f64 {
        let highest = self.losses.iter().copied().fold(f64::NAN, f64::max);
        let first = self.losses.first().copied().unwrap_or(f64::NAN);
        (highest / first).log10()
    }
}

/// The largest rate that has trained, in edges. Not a number if none has.
fn largest(runs: &[Run]) -> f64 {
    let trained = runs.iter().filter(|run| run.end() <= GOAL);
    // The maximum of a number and of what is none is the number.
    trained.map(|run| run.multiple).fold(f64::NAN, f64::max)
}

fn columns(plan: &Plan, job: &Job, run: &Run, found: &mut Measured) {
    let row = at(job.name, run.multiple);
    found.push(row.as_str(), LOSS, run.end());
    found.push(row.as_str(), PEAK, run.peak());
    if !WATCHED.contains(&run.multiple) {
        return;
    }
    let first = plan.pick(FIRST, 0);
    let settled = run.readings.iter();
    let settled = settled.filter(|reading| reading.step >= first && run.is_over(reading.rate));
    let ratios: Vec<f64> = settled.map(|reading| reading.ratio).collect();
    // A run that has diverged, or whose units are dead, says nothing about the edge.
    let (mut mean, mut highest, mut fall) = (f64::NAN, f64::NAN, f64::NAN);
    if run.end() <= GOAL {
        mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        highest = ratios.iter().copied().fold(f64::NAN, f64::max);
        let last = run.readings.last();
        fall = last.map_or(f64::NAN, |last| last.sharpness / run.lambda);
    }
    found.push(row.as_str(), RATIO, mean);
    found.push(row.as_str(), HIGHEST, highest);
    found.push(row, FALL, fall);
}

fn charts(job: &Job, run: &Run, found: &mut Measured) {
    let readings = run.readings.iter();
    let ratios = readings.map(|reading| (reading.step as f64, reading.ratio));
    let ratios = ratios.collect();
    let losses = run.losses.iter().enumerate();
    let losses = losses.map(|(step, loss)| (step as f64, *loss));
    let losses = losses.collect();
    let name = format!("λ_max η/2 at {COMPARED} edges");
    found.line(&name, "step", "λ_max η/2", job.name, ratios);
    let name = format!("Training loss at {COMPARED} edges");
    found.line(&name, "step", "loss", job.name, losses);
}

/// Seed by seed.
fn comparisons(found: &mut Measured) {
    let without = found.values(NONE, LARGEST).to_vec();
    for method in [SHORT, LONG, CLIPPED] {
        let with = found.values(method, LARGEST).to_vec();
        let pairs = zip(with, &without);
        found.extend(
            method,
            DOUBLINGS,
            pairs.map(|(with, without)| (with / without).log2()),
        );
    }
    let peaks = |method: &str| found.values(&at(method, COMPARED), PEAK).to_vec();
    let less = zip(peaks(NONE), peaks(SHORT)).map(|(without, with)| without - with);
    found.extend(LOWER_PEAK, PEAK, less);
}

fn notes(found: &mut Measured) {
    let text = |row: &str, column: &str| {
        let (mean, error) = (found.mean(row, column), found.standard_error(row, column));
        with_error(mean, Some(error))
    };
    let doublings = |method: &str| text(method, DOUBLINGS);
    let rates = format!(
        "The largest rate that trains is by {} factors of two larger with warmup over 100 steps than without, by {} \
         with 200, and by {} with clipping. Without warmup it is {} edges.",
        doublings(SHORT),
        doublings(LONG),
        doublings(CLIPPED),
        text(NONE, LARGEST)
    );
    let fall = |method: &str, multiple: f64| text(&at(method, multiple), FALL);
    let curvature = format!(
        "λ_max near step 200 over that at the start: {} with warmup over 100 steps to {COMPARED} edges, {} with 200, \
         {} without warmup at {COMPARED} edges where it trained, and {} at 1 edge.",
        fall(SHORT, COMPARED),
        fall(LONG, COMPARED),
        fall(NONE, COMPARED),
        fall(NONE, LOW)
    );
    let top = MULTIPLES.into_iter().fold(LOW, f64::max);
    let at_top = METHODS.into_iter().filter_map(|(method, _)| {
        let largest = found.values(method, LARGEST).iter();
        let count = largest.filter(|value| **value == top).count();
        (count > 0).then(|| format!("{method} ({count})"))
    });
    let at_top: Vec<String> = at_top.collect();
    let mut all = vec![rates, curvature];
    if !at_top.is_empty() {
        all.push(format!(
            "Runs that train at the highest rate that was tried, so that their largest one is not known: {}.",
            at_top.join("; ")
        ));
    }
    for note in all {
        found.note(note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(multiple: f64, losses: &[f64], is_whole: bool) -> Run {
        Run {
            multiple,
            lambda: 50.0,
            readings: Vec::new(),
            losses: losses.to_vec(),
            is_whole,
        }
    }

    #[test]
    fn rates_rise_to_the_last_one() {
        let descent = |warmup: usize| Descent {
            rate: 0.5,
            warmup,
            steps: 10,
            read: 0,
        };
        let rates = [0, 1, 3, 4, 9].map(|step| descent(5).rate_at(step));
        assert_eq!(rates, [0.1, 0.2, 0.4, 0.5, 0.5]);
        assert_eq!(descent(1).rate_at(0), 0.5);
    }

    #[test]
    fn the_largest_rate_is_of_runs_that_end_low() {
        let runs = [
            made(1.0, &[20.0, 5.0, 0.1], true),
            made(2.0, &[20.0, 300.0, 0.2], true),
            made(4.0, &[20.0, 2e5, 0.45], true),
            made(8.0, &[20.0, 0.1], false),
        ];
        // Means over few steps are those over all.
        assert!(largest(&runs).is_nan());
        let ends = [[0.1; 30], [0.2; 30], [0.45; 30], [0.1; 30]];
        let runs = zip([1.0, 2.0, 4.0, 8.0], ends);
        let runs: Vec<Run> = runs
            .map(|(multiple, end)| made(multiple, &end, multiple < 8.0))
            .collect();
        assert_eq!(largest(&runs), 2.0);
    }

    #[test]
    fn rates_are_compared_with_the_edge_of_the_start() {
        let run = made(1.0, &[20.0], true);
        // The edge is 2/50.
        assert!(run.is_over(0.04) && run.is_over(0.1) && !run.is_over(0.039));
    }

    #[test]
    fn peaks_are_relative_to_the_start() {
        assert!((made(1.0, &[20.0, 2000.0, 0.1], true).peak() - 2.0).abs() < 1e-12);
        assert_eq!(made(1.0, &[20.0, 0.1], true).peak(), 0.0);
    }

    #[test]
    fn steps_that_are_much_too_long_diverge() {
        let plan = Plan::new("a", vec![0], true);
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let data = Digits::of_recipes().unwrap().targeted(0..30, place);
        let loss = Recorded::new(half_mse::<Mlp>);
        let start = start(&plan, 0, place).unwrap();
        let [short, long] = [1e-4, 1e3].map(|rate| {
            let descent = Descent {
                rate,
                warmup: 1,
                steps: 20,
                read: 10,
            };
            let optimizer = SgdConfig::new().init();
            descent.run(optimizer, &loss, &data, start.clone()).unwrap()
        });
        assert_eq!((short.0.len(), short.1.len()), (2, 21));
        assert!(long.1.len() < 21 && long.0.len() == 1);
    }
}
