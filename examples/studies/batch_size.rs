//! Small and large batches: the sharpness of where they end, and what it says about other digits.

use std::iter::zip;
use std::ops::ControlFlow;
use std::slice::from_ref;

use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burnscape::krylov::{EigenpairsConfig, RankCorrelation, Which};
use burnscape::loss::{Recorded, Risk};
use burnscape::sharpness::WorstCaseSharpnessConfig;

use super::criteria::batch_size::{
    ALL, BATCH, CHANGE, FAST, GAIN, GOAL, LAMBDA, RATE, SMALL, TEST, after, at_goal, judge,
};
use super::digits::{CLASSES, Digits, Labeled, NUM_TRAIN, PIXELS, Place};
use super::frame::{Measured, Plan, Reference, Study};
use super::losses::{accuracy, cross_entropy, number};
use super::network::{Activation, Mlp};
use super::numbers::with_error;
use super::training::{Course, Draws, Seen, Watched, adam, full_batch, minibatch};
use crate::Failure;

mod changes;

pub(crate) static STUDY: Study = Study {
    name: "batch-size",
    claim: "Training with large batches ends in sharper minima, and these classify worse.",
    papers: &["Keskar et al. 2017, arXiv:1609.04836"],
    ran: "ReLU 64-64-64-10 with cross-entropy on 1,280 digits, at constant rates, by SGD and Adam, on batches that \
          are drawn with replacement or on all data. Each run is measured where it is first seen at a training loss \
          of 0.01, and some of them after a number of steps: λ_max of the Hessian, Keskar's measure in the box of \
          0.001 by ascents from four starts, and the accuracy on 517 other digits, as they are, shifted by a pixel in \
          each of four directions, with noise of 0.2 (four draws), and rotated by 15 degrees to both sides. Effects \
          are pairs of runs from the same initial weights.",
    would_change: "A 95 % interval of the change of λ_max by batches of 16 that is below zero; one of their gain in \
                   test accuracy that is above; a change by the batch larger than that by the rate.",
    wrong: "That batches make minima flat or sharp because λ_max differs tenfold between runs of some length: these \
            differ in their training loss, and λ_max falls with it, whatever the batch. And that a flat minimum is a \
            robust one: see the rank correlations with accuracy, and how wide their intervals are over eight \
            settings.",
    references: &[
        Reference::new("batch 16, rate 0.1: loss 0.01", LAMBDA, 0.605, 0.007),
        Reference::new("batch 16, rate 0.02: loss 0.01", LAMBDA, 0.695, 0.017),
        Reference::new("batch 128, rate 0.1: loss 0.01", LAMBDA, 0.675, 0.021),
        Reference::new("all, rate 0.1: loss 0.01", LAMBDA, 0.689, 0.023),
        Reference::new("all, rate 0.8: loss 0.01", LAMBDA, 0.682, 0.02),
        Reference::new("all, rate 1.6: loss 0.01", LAMBDA, 0.427, 0.012),
        Reference::new("batch 16, rate 0.1: 4800 steps", LAMBDA, 0.224, 0.007),
        Reference::new("all, rate 0.1: 1500 steps", LAMBDA, 0.815, 0.023),
    ],
    run,
    judge,
};

const SIZES: [usize; 4] = [PIXELS, 64, 64, CLASSES];
/// Half the width of Keskar's box.
const BOX_SIZE: f64 = 1e-3;

const STEPS: &str = "steps";
const LOSS: &str = "training loss";
const BOX: &str = "Keskar's measure";
const TEST_LOSS: &str = "test loss";
const SHIFTED: &str = "shifted";
const NOISY: &str = "noisy";
const ROTATED: &str = "rotated";

/// What is measured of a run, in the order of an `End`.
const COLUMNS: [&str; 9] = [
    STEPS, LOSS, LAMBDA, BOX, TEST_LOSS, TEST, SHIFTED, NOISY, ROTATED,
];
const ACCURACIES: [&str; 4] = [TEST, SHIFTED, NOISY, ROTATED];

type End = [f64; COLUMNS.len()];
type Loss = Recorded<fn(&Mlp, Labeled) -> Tensor<1>>;

struct Setting {
    name: &'static str,
    /// Images of a step.
    batch: usize,
    rate: f64,
    is_adam: bool,
    /// Steps to the goal at most.
    most: usize,
    /// Steps between two looks at the training loss.
    every: usize,
    /// Steps after which it is measured in addition, in rising order.
    lengths: &'static [usize],
}

const fn sgd(name: &'static str, batch: usize, rate: f64, [most, every]: [usize; 2]) -> Setting {
    Setting {
        name,
        batch,
        rate,
        is_adam: false,
        most,
        every,
        lengths: &[],
    }
}

const fn measured_after(lengths: &'static [usize], setting: Setting) -> Setting {
    Setting { lengths, ..setting }
}

const fn by_adam(setting: Setting) -> Setting {
    Setting {
        is_adam: true,
        ..setting
    }
}

static SETTINGS: [Setting; 8] = [
    measured_after(&[4800], sgd(SMALL, 16, 0.1, [6000, 50])),
    sgd("batch 16, rate 0.02", 16, 0.02, [12_000, 100]),
    sgd("batch 128, rate 0.1", 128, 0.1, [6000, 50]),
    measured_after(&[60, 1500], sgd(ALL, NUM_TRAIN, 0.1, [2500, 50])),
    measured_after(&[1500], sgd("all, rate 0.8", NUM_TRAIN, 0.8, [2500, 10])),
    measured_after(&[1500], sgd(FAST, NUM_TRAIN, 1.6, [2500, 10])),
    measured_after(
        &[4800],
        by_adam(sgd("batch 16, Adam", 16, 1e-3, [3000, 20])),
    ),
    measured_after(
        &[1000],
        by_adam(sgd("all, Adam", NUM_TRAIN, 1e-3, [1500, 10])),
    ),
];

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let digits = Digits::of_recipes()?;
    let changed = changes::changed(&digits)?;
    let is_quick = [SMALL, ALL, FAST];
    let settings = SETTINGS.iter();
    let settings = settings.filter(|setting| !plan.quick || is_quick.contains(&setting.name));
    let settings: Vec<&Setting> = settings.collect();
    let jobs = settings.iter();
    let jobs = jobs.flat_map(|&setting| plan.seeds.iter().map(move |&seed| (setting, seed)));
    let jobs: Vec<(&Setting, u64)> = jobs.collect();
    let runs = plan.over(&jobs, |&(setting, seed)| {
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        let images = Images::new(&digits, &changed, place);
        let run = trained(plan, setting, seed, &images)?;
        let (name, steps) = (setting.name, run.at_goal[0]);
        plan.progress(format!("{name}, seed {seed}: goal at step {steps}"));
        Ok(run)
    })?;
    // Those at the goal, and those of other lengths.
    let mut rows = [Vec::new(), Vec::new()];
    for ((setting, seed), run) in zip(&jobs, runs) {
        let goal = at_goal(setting.name);
        let lengths = setting.lengths.iter();
        let others: Vec<String> = lengths.map(|&steps| after(setting.name, steps)).collect();
        push(&goal, run.at_goal, found);
        for (row, end) in zip(&others, run.after) {
            push(row, end, found);
        }
        if plan.seeds.first() == Some(seed) {
            rows[0].push(goal);
            rows[1].extend(others);
            found.line("Training", "step", LOSS, setting.name, run.curve);
        }
    }
    effects(found);
    for (rows, when) in zip(&rows, ["at the goal", "after some steps"]) {
        correlations(plan, rows, when, found)?;
    }
    Ok(())
}

fn push(row: &str, end: End, found: &mut Measured) {
    for (column, value) in zip(COLUMNS, end) {
        found.push(row, column, value);
    }
}

/// Changes by the batch and by the rate, seed by seed.
fn effects(found: &mut Measured) {
    for (name, one, other) in [(BATCH, SMALL, ALL), (RATE, FAST, ALL)] {
        let pairs = |column: &str| -> Vec<(f64, f64)> {
            let [one, other] = [one, other].map(|it| found.values(&at_goal(it), column));
            zip(one, other).map(|(a, b)| (*a, *b)).collect()
        };
        let (sharpness, accuracy) = (pairs(LAMBDA), pairs(TEST));
        found.extend(name, CHANGE, sharpness.iter().map(|(a, b)| a / b - 1.0));
        found.extend(name, GAIN, accuracy.iter().map(|(a, b)| a - b));
    }
    let hundred = |row: &str, column: &str| {
        let (mean, error) = (found.mean(row, column), found.standard_error(row, column));
        with_error(100.0 * mean, Some(100.0 * error))
    };
    let text = format!(
        "At a training loss of {GOAL}, batches of 16 change λ_max by {} % and test accuracy by {} points; a rate of \
         1.6 in place of 0.1 changes them by {} % and {} points.",
        hundred(BATCH, CHANGE),
        hundred(BATCH, GAIN),
        hundred(RATE, CHANGE),
        hundred(RATE, GAIN)
    );
    found.note(text);
}

/// Of λ_max with everything else, over all runs of these rows.
fn correlations(
    plan: &Plan,
    rows: &[String],
    when: &str,
    found: &mut Measured,
) -> Result<(), Failure> {
    let draws = plan.pick(2000, 100);
    let name = format!("rank correlation with λ_max {when}");
    let (low, high) = (format!("{name}, 2.5 %"), format!("{name}, 97.5 %"));
    for column in [LOSS, BOX, TEST_LOSS].into_iter().chain(ACCURACIES) {
        let of_row = |row: &String| -> Vec<(f64, f64)> {
            let [x, y] = [LAMBDA, column].map(|column| found.values(row, column));
            zip(x, y).map(|(x, y)| (*x, *y)).collect()
        };
        let grid: Vec<Vec<(f64, f64)>> = rows.iter().map(of_row).collect();
        let correlation = RankCorrelation::of_grid(&grid, draws, 0)?;
        let ends = correlation.interval(0.95).unwrap_or((f64::NAN, f64::NAN));
        found.push(name.as_str(), column, correlation.value);
        found.push(low.as_str(), column, ends.0);
        found.push(high.as_str(), column, ends.1);
    }
    found.note(format!(
        "Rank correlations {when} are Spearman's over {} settings and all seeds. Their 95 % intervals are of {draws} \
         samples, in which settings and seeds are drawn anew independently of each other.",
        rows.len()
    ));
    for column in ACCURACIES {
        let means = rows
            .iter()
            .map(|row| [LAMBDA, column].map(|it| found.mean(row, it)));
        let mut points: Vec<(f64, f64)> = means.map(|[x, y]| (x, y)).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let chart = format!("Accuracy by λ_max {when}: means of settings");
        found.line(&chart, LAMBDA, "accuracy", column, points);
    }
    Ok(())
}

/// The data of a run.
struct Images {
    train: Labeled,
    test: Labeled,
    /// In the order of the changes.
    changed: Vec<Vec<Labeled>>,
}

impl Images {
    fn new(digits: &Digits, changed: &[(&'static str, Vec<Digits>)], place: Place<'_>) -> Self {
        let tests = |variants: &[Digits]| variants.iter().map(|it| it.test(place)).collect();
        Self {
            train: digits.train(place),
            test: digits.test(place),
            changed: changed.iter().map(|(_, it)| tests(it)).collect(),
        }
    }

    /// The mean accuracy over variants.
    fn accuracy(net: &Mlp, variants: &[Labeled]) -> Result<f64, Failure> {
        let mut sum = 0.0;
        for variant in variants {
            sum += accuracy(net, variant)?;
        }
        Ok(sum / variants.len() as f64)
    }
}

/// What became of a run.
struct Run {
    /// Numbers that are none if the goal was not reached.
    at_goal: End,
    after: Vec<End>,
    /// Steps and training losses.
    curve: Vec<(f64, f64)>,
}

fn trained(plan: &Plan, setting: &Setting, seed: u64, images: &Images) -> Result<Run, Failure> {
    let device = images.train.0.device();
    let place = (&device, DType::F32);
    let net = Mlp::new(&SIZES, Activation::Relu, seed, place)?;
    let loss: Loss = Recorded::new(cross_entropy::<Mlp> as fn(&Mlp, Labeled) -> Tensor<1>);
    let mut optimizer = match setting.is_adam {
        true => adam(0.999, 1e-8).init(),
        false => SgdConfig::new().init(),
    };
    let lengths = setting.lengths.iter().map(|&steps| plan.steps(steps));
    let mut seen = Snapshots {
        train: &images.train,
        loss: &loss,
        goal: plan.pick(GOAL, 1.0),
        most: plan.steps(setting.most),
        every: plan.pick(setting.every, 5),
        lengths: lengths.collect(),
        at_goal: None,
        after: Vec::new(),
        curve: Vec::new(),
    };
    train_on(setting, seed, net, &mut optimizer, &mut seen)?;
    let Snapshots {
        at_goal,
        after,
        curve,
        ..
    } = seen;
    let at_goal = match at_goal {
        Some((step, net)) => end(plan, step, &net, &loss, images)?,
        None => [f64::NAN; COLUMNS.len()],
    };
    let after = after.iter();
    let after = after.map(|(step, net)| end(plan, *step, net, &loss, images));
    Ok(Run {
        at_goal,
        after: after.collect::<Result<_, _>>()?,
        curve,
    })
}

fn train_on(
    setting: &Setting,
    seed: u64,
    net: Mlp,
    optimizer: &mut ModuleOptimizer,
    seen: &mut Snapshots<'_>,
) -> Result<(), Failure> {
    let (loss, train) = (seen.loss, seen.train);
    let course = Course::constant(seen.last(), setting.rate);
    if setting.batch == NUM_TRAIN {
        full_batch(net, optimizer, loss, train, course, |now| seen.see(now))?;
    } else {
        let mut draws = Draws::replaced(NUM_TRAIN, setting.batch, seed);
        minibatch(net, optimizer, loss, train, &mut draws, course, |now| {
            seen.see(now)
        })?;
    }
    Ok(())
}

/// Networks along a run.
struct Snapshots<'s> {
    train: &'s Labeled,
    loss: &'s Loss,
    /// A training loss.
    goal: f64,
    most: usize,
    every: usize,
    lengths: Vec<usize>,
    at_goal: Option<(usize, Mlp)>,
    after: Vec<(usize, Mlp)>,
    curve: Vec<(f64, f64)>,
}

impl Snapshots<'_> {
    /// The most steps of the run.
    fn last(&self) -> usize {
        self.lengths.iter().copied().fold(self.most, usize::max)
    }

    fn see(&mut self, now: &Seen<'_, Mlp>) -> Watched {
        let step = now.step;
        if self.lengths.contains(&step) {
            self.after.push((step, now.model.clone()));
        }
        let is_due = step > 0 && step <= self.most && step.is_multiple_of(self.every);
        if self.at_goal.is_none() && is_due {
            let loss = number(self.loss.loss_on(now.model, self.train.clone())?)?;
            self.curve.push((step as f64, loss));
            if loss <= self.goal {
                self.at_goal = Some((step, now.model.clone()));
            }
        }
        let is_over = self.at_goal.is_some() || step >= self.most;
        Ok(match is_over && self.after.len() == self.lengths.len() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }
}

/// What is measured at the end of a run, in the order of the columns.
fn end(plan: &Plan, step: usize, net: &Mlp, loss: &Loss, images: &Images) -> Result<End, Failure> {
    let data = [&images.train, &images.test];
    let [risk, other]: [Risk<'_, Mlp>; 2] = data.map(|data| Risk::new(loss, from_ref(data)));
    let top = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-3);
    let sharpness = top.run(&risk.hessian(net)?)?.values[0];
    let worst = WorstCaseSharpnessConfig::keskar(BOX_SIZE);
    let worst = worst.with_num_steps(plan.pick(20, 2)).run(&risk, net)?;
    let mut found = [f64::NAN; COLUMNS.len()];
    found[..6].copy_from_slice(&[
        step as f64,
        risk.loss(net)?.value,
        sharpness,
        worst.keskar()?,
        other.loss(net)?.value,
        accuracy(net, &images.test)?,
    ]);
    for (place, variants) in zip(&mut found[6..], &images.changed) {
        *place = Images::accuracy(net, variants)?;
    }
    Ok(found)
}
