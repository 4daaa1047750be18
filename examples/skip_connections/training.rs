//! Training on all points at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::network::{Kind, Net, loss};
use super::spirals;
use crate::{Args, Failure};

/// A training ends below this loss.
pub(crate) const TARGET: f64 = 1e-5;
/// Learning rate of Adam.
pub(crate) const RATE: f64 = 1e-3;
/// Burn's default of 1e-5 is as large as the gradients near the end.
const EPSILON: f32 = 1e-8;

/// A trained network.
#[derive(Serialize, Debug)]
pub(crate) struct Trained {
    pub(crate) kind: Kind,
    pub(crate) seed: u64,
    #[serde(skip)]
    pub(crate) net: Net,
    /// Steps of Adam.
    pub(crate) steps: usize,
    /// The loss at the end.
    pub(crate) loss: f64,
}

impl Trained {
    /// Whether the loss is below the target, and not only the limit of the steps reached.
    pub(crate) fn is_done(&self) -> bool {
        self.loss < TARGET
    }
}

/// All networks: for each seed a plain one and a residual one.
pub(crate) fn all(args: &Args) -> Result<Vec<Trained>, Failure> {
    let seeds = 0..args.seeds as u64;
    let jobs: Vec<(Kind, u64)> = seeds
        .flat_map(|seed| [(Kind::Plain, seed), (Kind::Residual, seed)])
        .collect();
    let progress = bar(jobs.len())?;
    let trained = in_parallel(args.threads, &jobs, |(kind, seed)| {
        let trained = train(args, kind, seed, &progress);
        progress.inc(1);
        trained.map_err(|error| format!("{kind} network, seed {seed}: {error}").into())
    })?;
    progress.finish_and_clear();
    Ok(trained)
}

/// A bar on standard error; hidden where that is no terminal.
pub(crate) fn bar(total: usize) -> Result<ProgressBar, Failure> {
    let style = "{bar:32.cyan/dim} {percent:>3} %  {msg}  ({elapsed}, about {eta} left)";
    let bar = ProgressBar::new(total as u64);
    bar.set_style(ProgressStyle::with_template(style)?.progress_chars("━╸─"));
    bar.enable_steady_tick(Duration::from_millis(500));
    Ok(bar)
}

fn train(args: &Args, kind: Kind, seed: u64, progress: &ProgressBar) -> Result<Trained, Failure> {
    let device = Device::default().autodiff();
    let points = spirals::points(&device);
    let mut net = Net::new(kind, args.depth, seed, &device)?;
    let mut adam = AdamConfig::new().with_epsilon(EPSILON).init();
    let mut steps = 0;
    let end = loop {
        let found = loss(&net, points.clone());
        let value = found.clone().into_scalar::<f64>();
        if !value.is_finite() {
            return Err(format!("the loss is {value} after {steps} steps").into());
        }
        if value < TARGET || steps == args.steps {
            break value;
        }
        if steps.is_multiple_of(100) {
            progress.set_message(format!(
                "{kind}, seed {seed}: step {steps}, loss {value:.2e}"
            ));
        }
        let gradients = GradientsParams::from_grads(found.backward(), &net);
        net = adam.step(RATE, net, gradients);
        steps += 1;
    };
    Ok(Trained {
        kind,
        seed,
        net: net.valid(),
        steps,
        loss: end,
    })
}

/// Works on several threads, and returns the results in the order of the jobs.
fn in_parallel(
    threads: usize,
    jobs: &[(Kind, u64)],
    work: impl Fn((Kind, u64)) -> Result<Trained, Failure> + Sync,
) -> Result<Vec<Trained>, Failure> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(&job) = jobs.get(index) else {
                return Ok::<_, Failure>(done);
            };
            done.push((index, work(job)?));
        }
    };
    let mut found = Vec::new();
    thread::scope(|scope| -> Result<(), Failure> {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        for handle in handles {
            let done = handle.join().map_err(|_| "a training panicked")?;
            found.extend(done?);
        }
        Ok(())
    })?;
    found.sort_by_key(|(index, _)| *index);
    Ok(found.into_iter().map(|(_, trained)| trained).collect())
}
