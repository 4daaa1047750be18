//! SAM beside its base optimizer, with as many steps and with as many gradients.

mod vit;

use std::iter::zip;
use std::slice::from_ref;

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::optim::decay::WeightDecayConfig;
use burn::tensor::{DType, Device};
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::{Batch, Objective, Recorded, Risk};
use burnscape::optim::{ClosureStep, SamConfig};

use super::criteria::does_sam_help::{
    ACCURACY_GAIN, CLEAR, LOSS_GAIN, MLP, MODELS, ONCE, RATIO, SIZES, TWICE, VIT, is_better, judge,
    pair, row, sam, settings,
};
use super::digits::{CLASSES, Digits, Labeled, NUM_TRAIN, PIXELS};
use super::frame::{Measured, Plan, Study};
use super::losses::{accuracy, cross_entropy};
use super::network::{Activation, Mlp, Network};
use super::numbers::with_error;
use super::training::{Course, Draws, adam_w, heavy_ball};
use crate::Failure;
use vit::Vit;

pub(crate) static STUDY: Study = Study {
    name: "does-sam-help",
    claim: "SAM improves generalization, of vision transformers too, also beside as many gradients of its base \
            optimizer.",
    papers: &[
        "Foret et al. 2021, arXiv:2010.01412",
        "Chen, Hsieh and Gong 2021, arXiv:2106.01548",
        "Wen, Li and Ma 2023, arXiv:2307.11007",
    ],
    ran: "On 100, 300 and 1,280 digits, with cross-entropy and batches of 32: a perceptron (ReLU 64-64-64-10, 1,000 \
          steps by SGD with momentum 0.9, weight decay 5e-4, rate 0.1) and a vision transformer (16 tokens of 2×2 \
          pixels, width 32, one block with four heads, 300, 500 and 800 steps by AdamW, rate 0.002, weight decay 0.1); \
          rates fall along half a cosine. From the same initial weights, on the same digits: the base optimizer, the \
          same with twice the steps, and SAM around it with several radii; the one that decides was chosen on pilot \
          seeds. Loss and accuracy are of all other digits, λ_max of the Hessian is of the training digits \
          (transformer: of 100 at most). Every seed has other training digits and weights. Gains are differences \
          within seeds.",
    would_change: "For each model, whether SAM is better than the base optimizer with twice the steps for two of the \
                   three sizes; better is by two standard errors of the pairs in accuracy or in loss, and in neither \
                   worse by as much. In part: whether no gain is below zero by two of its standard errors, for any \
                   model and size, and whether SAM is better than as many steps for four of the six.",
    wrong: "That one clear setting is a finding: of twelve differences between equals about one is above two standard \
            errors of five seeds by chance. That a lower test loss means better decisions: it also falls where a \
            network is less sure of itself. That flatter is better: see λ_max beside the gains, and training losses, \
            with which it falls. That one of the two is at its best here: the radius was chosen, while rates, decay \
            and steps were not, for either. And that what holds here holds for images and transformers in general: \
            these are small.",
    references: &[],
    run,
    judge,
};

const BATCH: usize = 32;
const LAYERS: [usize; 4] = [PIXELS, 64, 64, CLASSES];
const MOMENTUM: f64 = 0.9;
const DECAY: f32 = 5e-4;
const ADAM_DECAY: f32 = 0.1;
/// Steps of a quick look.
const FEW_STEPS: usize = 4;
/// Keys of the repetitions of a seed differ from those of the next seed.
const MOST_REPETITIONS: u64 = 16;

const LOSS: &str = "training loss";
const TEST_LOSS: &str = "test loss";
const TEST: &str = "test accuracy";
const LAMBDA: &str = "λ_max";

/// What is measured of a network, in the order of `Values`.
const COLUMNS: [&str; 4] = [LOSS, TEST_LOSS, TEST, LAMBDA];
type Values = [f64; COLUMNS.len()];

/// A model, and how it is trained.
struct Kind {
    name: &'static str,
    /// Of the base optimizer, by the number of training digits.
    steps: [usize; SIZES.len()],
    rate: f64,
    /// Radii of SAM, the one that decides among them.
    radii: &'static [f64],
    /// Trainings whose mean is the value of a seed.
    repetitions: u64,
    /// Training digits that λ_max is measured on, at most.
    measured: usize,
    base: fn() -> ModuleOptimizer,
    compared: fn(&Bench<'_>) -> Result<Vec<Values>, Failure>,
}

static KINDS: [Kind; 2] = [
    Kind {
        name: MLP,
        steps: [1000; SIZES.len()],
        rate: 0.1,
        radii: &[0.05, 0.2, 0.4],
        repetitions: 1,
        measured: NUM_TRAIN,
        base: sgd,
        compared: perceptrons,
    },
    Kind {
        name: VIT,
        steps: [300, 500, 800],
        rate: 2e-3,
        radii: &[0.01, 0.02, 0.05],
        repetitions: 1,
        measured: 100,
        base: adam_alone,
        compared: transformers,
    },
];

fn sgd() -> ModuleOptimizer {
    let decay = WeightDecayConfig::new(DECAY);
    let sgd = heavy_ball(MOMENTUM).with_weight_decay(Some(decay));
    sgd.init()
}

fn adam_alone() -> ModuleOptimizer {
    adam_w(0.999, ADAM_DECAY).init()
}

fn perceptrons(bench: &Bench<'_>) -> Result<Vec<Values>, Failure> {
    let place = (&bench.device, DType::F32);
    bench.compared(&Mlp::new(&LAYERS, Activation::Relu, bench.key, place)?)
}

fn transformers(bench: &Bench<'_>) -> Result<Vec<Values>, Failure> {
    bench.compared(&Vit::new(bench.key, (&bench.device, DType::F32))?)
}

impl Kind {
    /// Those of the base optimizer on so many training digits.
    fn steps(&self, size: usize) -> Option<usize> {
        let mut steps = zip(SIZES, self.steps);
        let (_, steps) = steps.find(|(known, _)| *known == size)?;
        Some(steps)
    }

    /// All of them, or the one that decides for a quick look.
    fn radii(&self, plan: &Plan) -> Vec<f64> {
        let decides = |radius: f64| MODELS.contains(&(self.name, radius));
        let radii = self.radii.iter().copied();
        radii
            .filter(|radius| !plan.quick || decides(*radius))
            .collect()
    }

    /// The names of the ways to train, in the order of `Bench::compared`.
    fn ways(&self, plan: &Plan) -> Vec<String> {
        let radii = self.radii(plan).into_iter().map(sam);
        let plain = [ONCE, TWICE].map(String::from);
        plain.into_iter().chain(radii).collect()
    }
}

struct Job {
    kind: &'static Kind,
    size: usize,
    seed: u64,
}

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let sizes = &SIZES[..plan.pick(SIZES.len(), 1)];
    let mut jobs = Vec::new();
    for kind in &KINDS {
        for &size in sizes {
            jobs.extend(plan.seeds.iter().map(|&seed| Job { kind, size, seed }));
        }
    }
    // The long ones first.
    let last_first: Vec<&Job> = jobs.iter().rev().collect();
    let seeds = plan.over(&last_first, |job| {
        let values = values(plan, job)?;
        let accuracies = values.iter().map(|values| format!("{:.4}", values[2]));
        let accuracies = accuracies.collect::<Vec<_>>().join(", ");
        let (name, size, seed) = (job.kind.name, job.size, job.seed);
        plan.progress(format!(
            "{name}, {size} digits, seed {seed}: test accuracy {accuracies}"
        ));
        Ok(values)
    })?;
    for (job, ways) in zip(&jobs, seeds.iter().rev()) {
        for (way, values) in zip(job.kind.ways(plan), ways) {
            let row = row(job.kind.name, job.size, &way);
            for (column, value) in zip(COLUMNS, values) {
                found.push(row.as_str(), column, *value);
            }
        }
    }
    pairs(found);
    for kind in &KINDS {
        draw(plan, kind, sizes, found);
    }
    notes(plan, sizes, found);
    Ok(())
}

/// Of each way to train, the mean over the repetitions of a seed.
fn values(plan: &Plan, job: &Job) -> Result<Vec<Values>, Failure> {
    let count = plan.pick(job.kind.repetitions, 1);
    let mut means: Vec<Values> = Vec::new();
    for repetition in 0..count {
        let bench = Bench::new(plan, job, MOST_REPETITIONS * job.seed + repetition)?;
        let ways = (job.kind.compared)(&bench)?;
        means.resize(ways.len(), [0.0; COLUMNS.len()]);
        for (mean, value) in zip(means.iter_mut().flatten(), ways.iter().flatten()) {
            *mean += value / count as f64;
        }
    }
    Ok(means)
}

/// The data of a repetition.
struct Bench<'b> {
    plan: &'b Plan,
    kind: &'static Kind,
    /// Of the base optimizer.
    steps: usize,
    /// Decides the order of the digits, the initial weights and the batches.
    key: u64,
    device: Device,
    train: Labeled,
    test: Labeled,
    /// What λ_max is measured on.
    measured: Labeled,
}

impl<'b> Bench<'b> {
    fn new(plan: &'b Plan, job: &Job, key: u64) -> Result<Self, Failure> {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let digits = Digits::load(key)?;
        let measured = plan.pick(job.size.min(job.kind.measured), 8);
        let end = plan.pick(digits.len(), job.size + 50);
        let steps = job.kind.steps(job.size).ok_or("a size without steps")?;
        Ok(Self {
            plan,
            kind: job.kind,
            steps: plan.pick(steps, FEW_STEPS),
            key,
            train: digits.labeled(0..job.size, place),
            test: digits.labeled(job.size..end, place),
            measured: digits.labeled(0..measured, place),
            device,
        })
    }

    /// The ends of all ways to train, from the same weights.
    fn compared<N>(&self, start: &N) -> Result<Vec<Values>, Failure>
    where
        N: Network + Module + 'static,
    {
        let loss = Recorded::new(cross_entropy::<N>);
        let (steps, base) = (self.steps, self.kind.base);
        let mut ends = vec![
            self.trained(start.clone(), base(), &loss, steps)?,
            self.trained(start.clone(), base(), &loss, 2 * steps)?,
        ];
        for radius in self.kind.radii(self.plan) {
            let sam = SamConfig::new().with_rho(radius).init(base())?;
            ends.push(self.trained(start.clone(), sam, &loss, steps)?);
        }
        Ok(ends)
    }

    fn trained<N, O, S>(
        &self,
        mut net: N,
        mut optimizer: S,
        loss: &Recorded<O>,
        steps: usize,
    ) -> Result<Values, Failure>
    where
        N: Network + Module + 'static,
        O: Objective<N, Labeled>,
        S: ClosureStep,
    {
        let [count, _] = self.train.0.dims();
        let mut draws = Draws::epochs(count, BATCH, self.key);
        let course = Course::cosine(steps, self.kind.rate);
        for step in 0..steps {
            let batch = self.train.select(&draws.draw())?;
            let closure = |net: &N| loss.loss_on(net, batch.clone());
            let report = optimizer.closure_step(course.rate_at(step), &mut net, closure)?;
            if report.skipped.is_some() {
                return Err(format!("{}: step {step} is not finite", self.kind.name).into());
            }
        }
        let objective = cross_entropy::<N>;
        let data = [&self.train, &self.test, &self.measured];
        let [train, test, measured]: [Risk<'_, N>; 3] =
            data.map(|data| Risk::new(&objective, from_ref(data)));
        let top = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-2);
        Ok([
            train.loss(&net)?.value,
            test.loss(&net)?.value,
            accuracy(&net, &self.test)?,
            top.run(&measured.hessian(&net)?)?.values[0],
        ])
    }
}

/// Gains of SAM with the radius that decides, seed by seed.
fn pairs(found: &mut Measured) {
    for (model, radius) in MODELS {
        let with = sam(radius);
        for (size, other) in SIZES.iter().flat_map(|&size| [(size, ONCE), (size, TWICE)]) {
            let rows = [with.as_str(), other].map(|way| row(model, size, way));
            let both = |column: &str| -> Vec<(f64, f64)> {
                let [one, two] = [&rows[0], &rows[1]].map(|row| found.values(row, column));
                zip(one, two).map(|(one, two)| (*one, *two)).collect()
            };
            let (accuracies, losses, sharpness) = (both(TEST), both(TEST_LOSS), both(LAMBDA));
            let pair = pair(model, size, other);
            let more = accuracies.iter().map(|(one, two)| one - two);
            found.extend(&pair, ACCURACY_GAIN, more);
            let less = losses.iter().map(|(one, two)| two - one);
            found.extend(&pair, LOSS_GAIN, less);
            found.extend(&pair, RATIO, sharpness.iter().map(|(one, two)| one / two));
        }
    }
}

/// Mean gains over twice the steps by the number of training digits.
fn draw(plan: &Plan, kind: &Kind, sizes: &[usize], found: &mut Measured) {
    for radius in kind.radii(plan) {
        let way = sam(radius);
        let gain = |column: &str, size: usize, scale: f64| {
            let [with, without] =
                [way.as_str(), TWICE].map(|way| found.mean(&row(kind.name, size, way), column));
            (size as f64, scale * (with - without))
        };
        let points = |column: &str, scale: f64| -> Vec<(f64, f64)> {
            let gains = sizes.iter().map(|&size| gain(column, size, scale));
            gains.collect()
        };
        let (accuracies, losses) = (points(TEST, 100.0), points(TEST_LOSS, -1.0));
        let series = format!("{}, {way}", kind.name);
        for (chart, name, points) in [
            ("gain in test accuracy", "percentage points", accuracies),
            ("gain in test loss", "nats", losses),
        ] {
            found.line(chart, "training digits", name, &series, points);
        }
    }
}

/// What the pairs say, and which radius would have been the best.
fn notes(plan: &Plan, sizes: &[usize], found: &mut Measured) {
    let measured = || settings().filter(move |(_, size)| sizes.contains(size));
    for (model, size) in measured() {
        for other in [ONCE, TWICE] {
            let sentence = sentence(&pair(model, size, other), found);
            found.note(sentence);
        }
    }
    let is_flatter = |pair: &str| {
        let (ratio, error) = (found.mean(pair, RATIO), found.standard_error(pair, RATIO));
        1.0 - ratio >= CLEAR * error
    };
    let pairs = measured().map(|(model, size)| pair(model, size, TWICE));
    let pairs: Vec<String> = pairs.collect();
    let flatter = pairs.iter().filter(|pair| is_flatter(pair)).count();
    let better = pairs.iter().filter(|pair| is_better(found, pair)).count();
    let both = pairs
        .iter()
        .filter(|pair| is_flatter(pair) && is_better(found, pair));
    let sentence = format!(
        "Of {} models and sizes, SAM is clearly flatter than the base optimizer with twice the steps in {flatter} and \
         clearly better in {better}, both in {}.",
        pairs.len(),
        both.count()
    );
    found.note(sentence);
    let mut best = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.radii(plan).len() > 1) {
        for &size in sizes {
            let loss = |radius: &f64| found.mean(&row(kind.name, size, &sam(*radius)), TEST_LOSS);
            let radii = kind.radii.iter();
            if let Some(radius) = radii.min_by(|one, two| loss(one).total_cmp(&loss(two))) {
                best.push(format!("{}, {size} digits: {radius}", kind.name));
            }
        }
    }
    if !best.is_empty() {
        found.note(format!(
            "The radius with the lowest test loss, {}.",
            best.join("; ")
        ));
    }
}

/// Differences of a pair in words.
fn sentence(pair: &str, found: &Measured) -> String {
    let text = |column: &str, scale: f64, none: f64| {
        let (mean, error) = (found.mean(pair, column), found.standard_error(pair, column));
        let text = with_error(scale * mean, Some(scale * error));
        match (mean - none).abs() > CLEAR * error {
            true => text,
            false => format!("{text} (no clear difference)"),
        }
    };
    format!(
        "{pair}: test accuracy better by {} points, test loss by {}; λ_max times {}.",
        text(ACCURACY_GAIN, 100.0, 0.0),
        text(LOSS_GAIN, 1.0, 0.0),
        text(RATIO, 1.0, 1.0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_radius_that_decides_is_among_those_that_are_run() {
        for (kind, (model, radius)) in zip(&KINDS, MODELS) {
            assert_eq!(kind.name, model);
            assert_eq!(kind.steps(SIZES[1]), Some(kind.steps[1]));
            assert!(kind.radii.contains(&radius) && kind.repetitions <= MOST_REPETITIONS);
            let quick = Plan::new("does-sam-help", vec![0], true);
            assert_eq!(kind.radii(&quick), [radius]);
            assert_eq!(kind.ways(&quick), [ONCE, TWICE, sam(radius).as_str()]);
        }
    }

    #[test]
    fn gains_are_more_than_zero_where_sam_is_better() {
        let mut found = Measured::default();
        let (model, radius) = MODELS[0];
        for seed in [0.0, 0.1] {
            for (way, better) in [(sam(radius), 1.0), (TWICE.to_string(), 0.0)] {
                let row = row(model, SIZES[0], &way);
                found.push(row.as_str(), TEST, 0.9 + 0.01 * better + seed);
                found.push(row.as_str(), TEST_LOSS, 0.3 - 0.02 * better + seed);
                found.push(row.as_str(), LAMBDA, 2.0 - better);
            }
        }
        pairs(&mut found);
        let pair = pair(model, SIZES[0], TWICE);
        for (column, gain) in [(ACCURACY_GAIN, 0.01), (LOSS_GAIN, 0.02), (RATIO, 0.5)] {
            let mean = found.mean(&pair, column);
            assert!((mean - gain).abs() < 1e-12, "{column}: {mean}");
        }
        assert!(is_better(&found, &pair));
    }
}
