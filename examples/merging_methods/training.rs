//! The training loop, and its progress.

use std::f64::consts::PI;
use std::time::Duration;

use burn::module::Module;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burnscape::loss::Batch;
use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::data::{BATCH_SIZE, Data};
use super::network::{Net, loss};
use crate::Failure;

/// A bar on standard error; hidden where that is no terminal.
pub(crate) fn bar(total: usize) -> Result<ProgressBar, Failure> {
    let style = "{bar:32.cyan/dim} {percent:>3} %  {msg}  ({elapsed}, about {eta} left)";
    let bar = ProgressBar::new(total as u64);
    bar.set_style(ProgressStyle::with_template(style)?.progress_chars("━╸─"));
    bar.enable_steady_tick(Duration::from_millis(500));
    Ok(bar)
}

/// Batches of some examples, drawn without end: in another order in every pass.
pub(crate) struct Batches {
    examples: Vec<usize>,
    next: usize,
    rng: StdRng,
}

impl Batches {
    pub(crate) fn of(examples: Vec<usize>, seed: u64) -> Self {
        Self {
            next: examples.len(),
            examples,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// All images to learn from.
    pub(crate) fn all(data: &Data, seed: u64) -> Self {
        Self::of((0..data.train.labels.len()).collect(), seed)
    }

    fn draw(&mut self) -> &[usize] {
        if self.next >= self.examples.len() {
            self.examples.shuffle(&mut self.rng);
            self.next = 0;
        }
        let from = self.next;
        self.next = (from + BATCH_SIZE).min(self.examples.len());
        &self.examples[from..self.next]
    }
}

/// How long and how fast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) steps: usize,
    /// Learning rate of the first step.
    pub(crate) rate: f64,
    /// Whether it falls to zero along half a cosine.
    pub(crate) falls: bool,
    pub(crate) momentum: f64,
}

impl Plan {
    /// The usual one: rate 0.05, falling to zero, momentum 0.9.
    pub(crate) fn new(steps: usize) -> Self {
        Self {
            steps,
            rate: 0.05,
            falls: true,
            momentum: 0.9,
        }
    }

    fn rate(&self, step: usize) -> f64 {
        match self.falls {
            true => 0.5 * self.rate * (1.0 + (PI * step as f64 / self.steps as f64).cos()),
            false => self.rate,
        }
    }
}

/// The network after these steps from a start.
pub(crate) fn train(
    start: &Net,
    data: &Data,
    batches: &mut Batches,
    plan: Plan,
) -> Result<Net, Failure> {
    // Burn's default dampening is 0.1.
    let momentum = MomentumConfig::new()
        .with_momentum(plan.momentum)
        .with_dampening(0.0);
    let mut sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
    let mut net = start.clone().train();
    for step in 0..plan.steps {
        let batch = data.lesson.select(batches.draw())?;
        let gradients = GradientsParams::from_grads(loss(&net, batch).backward(), &net);
        net = sgd.step(plan.rate(step), net, gradients);
    }
    Ok(net.valid())
}

/// A network that is trained from its initial weights, both functions of the seed.
pub(crate) fn trained(
    widths: &[usize],
    seed: u64,
    data: &Data,
    steps: usize,
) -> Result<Net, Failure> {
    let start = Net::new(widths, seed)?;
    train(
        &start,
        data,
        &mut Batches::all(data, seed),
        Plan::new(steps),
    )
}
