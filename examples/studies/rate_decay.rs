//! A large rate that is divided early, late or never, compared at the same training loss.

use std::iter::zip;
use std::ops::ControlFlow;
use std::slice::from_ref;

use burn::module::Module;
use burn::optim::SgdConfig;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Tensor};
use burnscape::krylov::{EigenpairsConfig, TraceConfig, Which};
use burnscape::loss::{Recorded, Risk};
use burnscape::space::ParamVector;

use super::criteria::rate_decay::{
    CLEAR, DEFICIT, EARLY, EXCESS, GOAL, LAMBDA, LATE, MIDDLE, NEVER, NOISE_EXCESS, SMALL,
    SUGGESTED, against, at_end, at_goal, judge,
};
use super::digits::{CLASSES, Digits, Labeled, NUM_TRAIN, PIXELS};
use super::frame::{Measured, Plan, Study};
use super::losses::{accuracy, cross_entropy, number};
use super::network::{Activation, Mlp, Network};
use super::numbers::with_error;
use super::training::{Course, Draws, Watched, minibatch};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "rate-decay",
    claim: "A large rate at the start regularizes: the earlier it is divided, the sharper is the place that training \
            has come to at the same training loss, and the worse it classifies.",
    papers: &[
        "Li, Wei and Ma 2019, arXiv:1907.04595",
        "Jastrzebski et al. 2020, arXiv:2002.09572",
        "Lewkowycz et al. 2020, arXiv:2003.02218",
    ],
    ran: "ReLU 64-64-64-10 with cross-entropy on 1,280 digits, of which a fifth have a label that is drawn anew, so \
          that gradients stay noisy until these labels are learned by heart; SGD on batches of 32. A rate of 0.4 is \
          divided by 10 after 10, 30 or 60 % of a budget of 1,000 steps, or never, or is 0.04 from the start. All runs \
          of a seed have the same initial weights, labels and batches. They go on beyond the budget, for 20,000 steps \
          at most, until the training loss over all images, read every 20 steps, is at most 0.15; a run that has come \
          to it by its division has no values there. Measured there and at the end of the budget: λ_max and trace (32 \
          products) of the Hessian, λ_max of the covariance Σ of the gradients of single examples, the distance from \
          the start, and loss and accuracy on 517 other digits, whose labels are right. Effects are pairs of runs of \
          one seed.",
    would_change: "At a training loss of 0.15, an excess of λ_max after the early division over that after the late \
                   one that is below a fifth, or within three standard errors of the pairs. In part: λ_max after the \
                   division between them that is not between theirs; no such excess of the small rate or of Σ; an \
                   accuracy after the early division that is not lower by two standard errors.",
    wrong: "From the end of the budget, that the time of the division decides on the sharpness: runs differ in their \
            training loss there, with which the curvature of cross-entropy changes, whatever the rate. From sharpness \
            and accuracy side by side, that one is the reason for the other: both follow from the rate. From the \
            accuracy at the matched loss, that training should go on to it: wrong labels are learned by heart there; \
            compare the end of the budget. And that it is the same without noise: with right labels a small network \
            can come to a low training loss at the large rate, before there is anything to divide.",
    references: &[],
    run,
    judge,
};

const WIDTH: usize = 64;
/// The share of the training labels that are drawn anew.
const RANDOM_LABELS: f64 = 0.2;
const BATCH: usize = 32;
const RATE: f64 = 0.4;
const DIVISOR: f64 = 10.0;
/// Steps of the budget, of which the division comes after a share.
const BUDGET: usize = 1000;
/// Steps to the goal at most.
const MOST: usize = 20_000;
/// Steps between two readings of the training loss.
const EVERY: usize = 20;
/// Steps between two points of the charts, within the budget and after it.
const SHOWN_EVERY: [usize; 2] = [50, 500];
/// Random numbers other than those of the initial weights.
const LABEL_SEEDS: u64 = 1 << 32;
const BATCH_SEEDS: u64 = 2 << 32;

/// With the share of the budget after which the rate is divided. The longest first.
const SETTINGS: [(&str, Option<f64>); 5] = [
    (SMALL, Some(0.0)),
    (EARLY, Some(0.1)),
    (MIDDLE, Some(0.3)),
    (LATE, Some(0.6)),
    (NEVER, None),
];

const BEFORE: &str = "loss at the division";
const STEP: &str = "step";
const LOSS: &str = "training loss";
const TRACE: &str = "trace";
const NOISE: &str = "λ_max of Σ";
const DISTANCE: &str = "distance";
const TEST_LOSS: &str = "test loss";
const TEST: &str = "test accuracy";
const TRACE_EXCESS: &str = "excess of the trace";

/// What is measured of a network, in the order of an `End`.
const COLUMNS: [&str; 8] = [STEP, LOSS, LAMBDA, TRACE, NOISE, DISTANCE, TEST_LOSS, TEST];

type End = [f64; COLUMNS.len()];
type Loss = Recorded<fn(&Mlp, Labeled) -> Tensor<1>>;

/// A run.
struct Job {
    name: &'static str,
    share: Option<f64>,
    seed: u64,
}

/// What became of it. Numbers are none where it has not come.
struct Run {
    before: f64,
    at_goal: End,
    at_end: End,
    curve: Vec<Point>,
}

/// A point of the charts.
struct Point {
    step: f64,
    loss: f64,
    sharpness: f64,
}

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let digits = Digits::of_recipes()?;
    let settings = SETTINGS.iter();
    let settings = settings.filter(|(name, _)| !plan.quick || [EARLY, LATE].contains(name));
    let jobs = settings.flat_map(|&(name, share)| {
        let seeds = plan.seeds.iter();
        seeds.map(move |&seed| Job { name, share, seed })
    });
    let jobs: Vec<Job> = jobs.collect();
    let runs = plan.over(&jobs, |job| {
        let run = trained(plan, job, &digits)?;
        let (name, seed, step) = (job.name, job.seed, run.at_goal[0]);
        plan.progress(format!("{name}, seed {seed}: goal at step {step:.0}"));
        Ok(run)
    })?;
    for (job, run) in zip(&jobs, &runs) {
        let row = at_goal(job.name);
        push(&row, run.at_goal, found);
        found.push(row, BEFORE, run.before);
    }
    for (job, run) in zip(&jobs, &runs) {
        push(&at_end(job.name), run.at_end, found);
        if plan.seeds.first() == Some(&job.seed) {
            charts(job.name, &run.curve, found);
        }
    }
    for at in [at_goal, at_end] {
        for first in [SMALL, EARLY, MIDDLE] {
            effects(at, first, found);
        }
    }
    notes(found);
    Ok(())
}

fn push(row: &str, end: End, found: &mut Measured) {
    for (column, value) in zip(COLUMNS, end) {
        found.push(row, column, value);
    }
}

fn charts(name: &str, curve: &[Point], found: &mut Measured) {
    let of = |value: fn(&Point) -> (f64, f64)| curve.iter().map(value).collect::<Vec<_>>();
    let by_step = of(|point| (point.step, point.sharpness));
    let losses = of(|point| (point.step, point.loss));
    let by_loss = of(|point| (point.loss, point.sharpness));
    found.line("λ_max by step", STEP, LAMBDA, name, by_step);
    found.line("training loss by step", STEP, LOSS, name, losses);
    found.line("λ_max by training loss", LOSS, LAMBDA, name, by_loss);
}

/// What a setting has more than the late division, seed by seed.
fn effects(at: fn(&str) -> String, first: &str, found: &mut Measured) {
    let pairs = |column: &str| -> Vec<(f64, f64)> {
        let [one, other] = [first, LATE].map(|name| found.values(&at(name), column));
        zip(one, other).map(|(a, b)| (*a, *b)).collect()
    };
    let accuracies = pairs(TEST);
    let excesses = [
        (EXCESS, pairs(LAMBDA)),
        (TRACE_EXCESS, pairs(TRACE)),
        (NOISE_EXCESS, pairs(NOISE)),
    ];
    let row = at(&against(first, LATE));
    for (column, pairs) in excesses {
        found.extend(&row, column, pairs.iter().map(|(a, b)| a / b - 1.0));
    }
    found.extend(&row, DEFICIT, accuracies.iter().map(|(a, b)| b - a));
}

fn notes(found: &mut Measured) {
    // In percent or points.
    let said = |row: &str, column: &str, clear: f64| {
        let (mean, error) = (found.mean(row, column), found.standard_error(row, column));
        let text = with_error(100.0 * mean, Some(100.0 * error));
        match mean.abs() >= clear * error {
            true => text,
            false => format!("{text} (no clear difference)"),
        }
    };
    let effect = |first: &str| {
        let row = at_goal(&against(first, LATE));
        format!(
            "λ_max is larger by {} %, the trace by {} %, λ_max of Σ by {} %, and the test accuracy lower by {} points",
            said(&row, EXCESS, CLEAR),
            said(&row, TRACE_EXCESS, CLEAR),
            said(&row, NOISE_EXCESS, CLEAR),
            said(&row, DEFICIT, SUGGESTED)
        )
    };
    let early = format!(
        "At a training loss of {GOAL}, after a division at 10 % instead of 60 %: {}.",
        effect(EARLY)
    );
    let others = format!(
        "There, after a division at 30 % instead of 60 %: {}. With a small rate from the start instead: {}.",
        effect(MIDDLE),
        effect(SMALL)
    );
    let with = |row: &str, column: &str| {
        let (mean, error) = (found.mean(row, column), found.standard_error(row, column));
        with_error(mean, Some(error))
    };
    let late = format!(
        "The late division comes at a training loss of {}. A run that is at {GOAL} by then is not measured there, as \
         it has nothing left to train at the small rate.",
        with(&at_goal(LATE), BEFORE)
    );
    let row = at_end(&against(EARLY, LATE));
    let end = format!(
        "At the end of the budget, training losses are {} after the early division and {} after the late one, and \
         λ_max is larger after the early one by {} %.",
        with(&at_end(EARLY), LOSS),
        with(&at_end(LATE), LOSS),
        said(&row, EXCESS, CLEAR)
    );
    for text in [early, others, late, end] {
        found.note(text);
    }
    found.note("An excess is the ratio within a seed less one. Charts are of the first seed.");
}

/// The data of a run.
struct Images {
    train: Labeled,
    test: Labeled,
    /// The images to train on once more, not on autodiff.
    plain: Labeled,
}

impl Images {
    fn new(plan: &Plan, digits: &Digits, seed: u64) -> Self {
        let part = 0..plan.pick(NUM_TRAIN, 160);
        let digits = digits.clone();
        let digits = digits.with_noisy_labels(part.clone(), RANDOM_LABELS, LABEL_SEEDS + seed);
        let device = Device::default().autodiff();
        let place = (&device, DType::F32);
        Self {
            train: digits.labeled(part.clone(), place),
            test: digits.test(place),
            plain: digits.labeled(part, (&Device::default(), DType::F32)),
        }
    }

    /// The number of images to train on.
    fn count(&self) -> usize {
        let [count, _] = self.train.0.dims();
        count
    }
}

fn trained(plan: &Plan, job: &Job, digits: &Digits) -> Result<Run, Failure> {
    let images = Images::new(plan, digits, job.seed);
    let device = images.train.0.device();
    let width = plan.pick(WIDTH, 16);
    let sizes = [PIXELS, width, width, CLASSES];
    let start = Mlp::new(&sizes, Activation::Relu, job.seed, (&device, DType::F32))?;
    let loss: Loss = Recorded::new(cross_entropy::<Mlp> as fn(&Mlp, Labeled) -> Tensor<1>);
    let (budget, most) = (plan.steps(BUDGET), plan.pick(MOST, 150));
    let division = job
        .share
        .map(|share| (share * budget as f64).round() as usize);
    let mut looks = Looks {
        images: &images,
        loss: &loss,
        goal: plan.pick(GOAL, 2.0),
        division,
        budget,
        is_shown: plan.seeds.first() == Some(&job.seed),
        is_over: false,
        last: None,
        before: f64::NAN,
        at_goal: None,
        at_end: None,
        curve: Vec::new(),
    };
    let mut sgd = SgdConfig::new().init();
    let mut draws = Draws::epochs(images.count(), BATCH, BATCH_SEEDS + job.seed);
    let middle = division.unwrap_or(most);
    let mut net = start.clone();
    for (from, to, rate) in [(0, middle, RATE), (middle, most, RATE / DIVISOR)] {
        if looks.is_over {
            break;
        }
        let (train, course) = (&images.train, Course::constant(to - from, rate));
        net = minibatch(net, &mut sgd, &loss, train, &mut draws, course, |seen| {
            looks.see(from + seen.step, seen.model)
        })?;
    }
    let Looks {
        before,
        at_goal,
        at_end,
        curve,
        ..
    } = looks;
    let measured = |seen: Option<(usize, Mlp)>| match seen {
        Some((step, net)) => end(plan, job.seed, step, [&start, &net], &images),
        None => Ok([f64::NAN; COLUMNS.len()]),
    };
    Ok(Run {
        before,
        at_goal: measured(at_goal)?,
        at_end: measured(at_end)?,
        curve,
    })
}

/// What is seen along a run.
struct Looks<'s> {
    images: &'s Images,
    loss: &'s Loss,
    /// A training loss.
    goal: f64,
    /// None if the rate is never divided.
    division: Option<usize>,
    budget: usize,
    /// Whether points of the charts are measured.
    is_shown: bool,
    is_over: bool,
    last: Option<usize>,
    /// The loss at the division.
    before: f64,
    at_goal: Option<(usize, Mlp)>,
    at_end: Option<(usize, Mlp)>,
    curve: Vec<Point>,
}

impl Looks<'_> {
    fn see(&mut self, step: usize, net: &Mlp) -> Watched {
        let is_named = self.division == Some(step) || self.budget == step;
        let is_due = is_named || step.is_multiple_of(EVERY);
        // The division is seen twice: after its first part, and before its second.
        if is_due && self.last != Some(step) {
            self.last = Some(step);
            self.look(step, net)?;
        }
        Ok(match self.is_over {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }

    fn look(&mut self, step: usize, net: &Mlp) -> Result<(), Failure> {
        let plain = self.images.plain.clone();
        let loss = number(self.loss.loss_on(&net.valid(), plain)?)?;
        if !loss.is_finite() {
            self.is_over = true;
            return Ok(());
        }
        if self.division == Some(step) {
            self.before = loss;
        }
        if self.budget == step {
            self.at_end = Some((step, net.clone()));
        }
        let is_divided = self.division.is_none_or(|division| division <= step);
        // Then nothing is left to train at the small rate.
        let is_too_late = self.before <= self.goal;
        if is_divided && !is_too_late && loss <= self.goal && self.at_goal.is_none() {
            self.at_goal = Some((step, net.clone()));
        }
        let [within, after] = SHOWN_EVERY;
        let spacing = if step <= self.budget { within } else { after };
        if self.is_shown && step.is_multiple_of(spacing) {
            self.curve.push(Point {
                step: step as f64,
                loss,
                sharpness: sharpness(net, self.images)?,
            });
        }
        self.is_over = (self.at_goal.is_some() || is_too_late) && step >= self.budget;
        Ok(())
    }
}

/// For the charts.
fn sharpness(net: &Mlp, images: &Images) -> Result<f64, Failure> {
    let objective = cross_entropy::<Mlp>;
    let risk = Risk::new(&objective, from_ref(&images.train)).with_checks(false);
    let top = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-2);
    Ok(top.run(&risk.hessian(net)?)?.values[0])
}

/// The cross-entropy of each image.
fn losses(net: &Mlp, (images, labels): Labeled) -> Tensor<1> {
    let logs = log_softmax(net.forward(images), 1);
    -logs
        .gather(1, labels.unsqueeze_dim::<2>(1))
        .squeeze_dim::<1>(1)
}

/// What is measured of a network, in the order of the columns.
fn end(
    plan: &Plan,
    seed: u64,
    step: usize,
    [start, net]: [&Mlp; 2],
    images: &Images,
) -> Result<End, Failure> {
    let objective = cross_entropy::<Mlp>;
    let risk = Risk::new(&objective, from_ref(&images.train));
    let hessian = risk.hessian(net)?;
    let each = Risk::per_example(losses, from_ref(&images.train));
    let covariance = each.gradient_covariance(net)?;
    let top = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-3);
    let trace = TraceConfig::new().with_max_matvecs(plan.pick(32, 2));
    let space = risk.space(net)?;
    let from = ParamVector::from_module(&space, start)?;
    let way = ParamVector::from_module(&space, net)?.axpy(-1.0, &from)?;
    Ok([
        step as f64,
        hessian.loss(),
        top.run(&hessian)?.values[0],
        trace.with_seed(seed).run(&hessian)?.value,
        top.run(&covariance)?.values[0],
        way.norm()?,
        number(cross_entropy(net, images.test.clone()))?,
        accuracy(net, &images.test)?,
    ])
}
