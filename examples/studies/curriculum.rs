//! Easy examples first: in the full time, in a tenth of it, and with wrong labels.

use std::iter::zip;
use std::ops::ControlFlow;
use std::slice::from_ref;

use burn::tensor::{DType, Device, Tensor};
use burnscape::krylov::{EigenpairsConfig, Which};
use burnscape::loss::{Batch, Recorded, Risk};

use super::criteria::curriculum::{
    AT_ONCE, EASY, FULL, HARD, NOISY, RANDOM, SHORT, TEST, judge, less,
};
use super::digits::{CLASSES, Digits, NUM_TRAIN, PIXELS, Place};
use super::frame::{Measured, Plan, Study};
use super::losses::{accuracy, cross_entropy, number};
use super::network::{Activation, Mlp};
use super::numbers::with_error;
use super::training::{Course, Seen, Watched, heavy_ball, train};
use crate::Failure;
use difficulty::{easiest_first, held_out_losses, shuffled};
use pacing::{Pace, Paced};

mod difficulty;
mod pacing;

pub(crate) static STUDY: Study = Study {
    name: "curriculum",
    claim: "Easy examples first change nothing in a training of the usual length; they help where training is short, \
            and where labels are wrong.",
    papers: &[
        "Bengio et al. 2009, Curriculum learning (ICML)",
        "Hacohen and Weinshall 2019, arXiv:1904.03626",
        "Wu, Dyer and Neyshabur 2021, arXiv:2012.03107",
    ],
    ran: "ReLU 64-128-10 with cross-entropy on 1,280 digits, another split for each seed, SGD with a momentum of 0.9, \
          batches of 64, a rate of 0.05 that falls along half a cosine. The difficulty of an example is its loss under \
          networks that were trained on the other half of the data, mean over two ways to halve them, and compared \
          with examples of the same label, so that all classes come in at one pace. Batches are drawn from a part of \
          the data that grows from a fifth to all in the first half of the steps, linearly or exponentially: easy \
          examples first, hard ones first, or in a random order; or from all at once. There are 1,200 steps, a tenth \
          of them, and 1,200 with 40 % of the training labels drawn anew, with which the difficulties are computed. A \
          value is the mean of four trainings from other initial weights, λ_max that of the first; differences are of \
          the means over both paces.",
    would_change: "In a tenth of the time and with wrong labels, whether the gain of easy first over all at once in test \
                   accuracy is at least 0.005 and two standard errors of the differences within seeds; in the full \
                   time, whether the size of this difference and two standard errors together are below 0.005. Other \
                   paces may differ: Wu et al. take the best of many.",
    wrong: "That an order of the examples saves time: the difficulties come from four networks that were trained \
            before. That easy examples are better teachers where labels are wrong: the order has put the wrong labels \
            last, where training sees them later and at lower rates. And that a better start is a better end: compare \
            the curves with the table.",
    references: &[],
    run,
    judge,
};

const WIDTH: usize = 128;
const BATCH: usize = 64;
const RATE: f64 = 0.05;
const MOMENTUM: f64 = 0.9;
/// Keeps random orders apart from the stream that draws the batches.
const ORDER_STREAM: u64 = 1 << 40;
/// Trainings of a seed whose mean is a value.
const REPEATS: u64 = 4;
/// The share of labels that are drawn anew.
const NOISE: f64 = 0.4;
/// Examples of a quick look.
const FEW: usize = 400;
/// Points of a curve.
const POINTS: usize = 20;

struct Condition {
    name: &'static str,
    steps: usize,
    has_wrong_labels: bool,
}

static CONDITIONS: [Condition; 3] = [
    Condition {
        name: FULL,
        steps: 1200,
        has_wrong_labels: false,
    },
    Condition {
        name: SHORT,
        steps: 120,
        has_wrong_labels: false,
    },
    Condition {
        name: NOISY,
        steps: 1200,
        has_wrong_labels: true,
    },
];

static ORDERS: [(&str, Pace); 7] = [
    (AT_ONCE, Pace::AtOnce),
    (EASY, Pace::Linear),
    (EASY, Pace::Exponential),
    (HARD, Pace::Linear),
    (HARD, Pace::Exponential),
    (RANDOM, Pace::Linear),
    (RANDOM, Pace::Exponential),
];

/// Orders whose differences are rows.
const COMPARED: [[&str; 2]; 5] = [
    [EASY, AT_ONCE],
    [HARD, AT_ONCE],
    [RANDOM, AT_ONCE],
    [EASY, RANDOM],
    [EASY, HARD],
];

const TEST_LOSS: &str = "test loss";
const LOSS: &str = "training loss";
const LAMBDA: &str = "λ_max";
/// What is measured of a network, in the order of an `End`.
const COLUMNS: [&str; 4] = [TEST, TEST_LOSS, LOSS, LAMBDA];
type End = [f64; COLUMNS.len()];

/// The shares of labels that are wrong among the examples that come first, and last.
const FIRST_WRONG: &str = "wrong labels in the easiest fifth";
const LAST_WRONG: &str = "in the hardest fifth";

/// The row of an order.
fn row(condition: &str, order: &str, pace: Pace) -> String {
    match pace {
        Pace::AtOnce => format!("{condition}: {order}"),
        Pace::Linear => format!("{condition}: {order}, linear"),
        Pace::Exponential => format!("{condition}: {order}, exponential"),
    }
}

/// The data of a seed.
struct Lessons {
    digits: Digits,
    /// Training examples.
    easiest_first: Vec<usize>,
}

impl Lessons {
    fn new(plan: &Plan, digits: Digits, seed: u64) -> Result<Self, Failure> {
        let count = plan.pick(NUM_TRAIN, FEW);
        let losses = held_out_losses(plan, &digits, count, seed)?;
        let easiest_first = easiest_first(&losses, &digits.labels()[..count]);
        Ok(Self {
            digits,
            easiest_first,
        })
    }
}

struct Job {
    condition: &'static Condition,
    order: &'static str,
    pace: Pace,
    /// Of the seed.
    place: usize,
}

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let count = plan.pick(NUM_TRAIN, FEW);
    let lessons = plan.over_seeds(|seed| {
        let clean = Digits::load(seed)?;
        let noisy = clean.clone().with_noisy_labels(0..count, NOISE, !seed);
        let clean = Lessons::new(plan, clean, seed)?;
        let noisy = Lessons::new(plan, noisy, seed)?;
        plan.progress(format!("seed {seed}: difficulties"));
        Ok([clean, noisy])
    })?;
    let jobs = jobs(plan);
    let runs = plan.over(&jobs, |job| {
        let seed = plan.seeds[job.place];
        let [clean, noisy] = &lessons[job.place];
        let lessons = if job.condition.has_wrong_labels {
            noisy
        } else {
            clean
        };
        let run = trained(plan, job, lessons, seed)?;
        let (row, accuracy) = (row(job.condition.name, job.order, job.pace), run.end[0]);
        plan.progress(format!("{row}, seed {seed}: test accuracy {accuracy:.4}"));
        Ok(run)
    })?;
    // All seeds of one row stand together.
    let seeds = plan.seeds.len();
    for (jobs, runs) in zip(jobs.chunks(seeds), runs.chunks(seeds)) {
        let Some(job) = jobs.first() else {
            continue;
        };
        let (condition, row) = (
            job.condition.name,
            row(job.condition.name, job.order, job.pace),
        );
        for run in runs {
            for (column, value) in zip(COLUMNS, run.end) {
                found.push(row.as_str(), column, value);
            }
        }
        if job.pace != Pace::Exponential {
            let chart = format!("Mean test accuracy, linear pace: {condition}");
            found.line(&chart, "step", TEST, job.order, mean_curve(runs));
        }
    }
    for [clean, noisy] in &lessons {
        wrong_labels(clean, noisy, found);
    }
    differences(found);
    notes(found);
    Ok(())
}

/// Condition by condition, and seed by seed for each order.
fn jobs(plan: &Plan) -> Vec<Job> {
    let places = 0..plan.seeds.len();
    let is_quick = |(order, pace): &&(&str, Pace)| *order != HARD && *pace != Pace::Exponential;
    let orders = ORDERS.iter();
    let orders = orders.filter(|order| !plan.quick || is_quick(order));
    let mut jobs = Vec::new();
    for condition in &CONDITIONS {
        for &(order, pace) in orders.clone() {
            jobs.extend(places.clone().map(|place| Job {
                condition,
                order,
                pace,
                place,
            }));
        }
    }
    jobs
}

/// What became of the trainings of a seed.
struct Run {
    end: End,
    /// Steps and test accuracies of the first one.
    curve: Vec<(f64, f64)>,
}

/// The initial weights of a training.
fn network(plan: &Plan, seed: u64, place: Place<'_>) -> Result<Mlp, Failure> {
    let sizes = [PIXELS, plan.pick(WIDTH, 8), CLASSES];
    Mlp::new(&sizes, Activation::Relu, seed, place)
}

fn trained(plan: &Plan, job: &Job, lessons: &Lessons, seed: u64) -> Result<Run, Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F32);
    let (digits, easiest) = (&lessons.digits, &lessons.easiest_first);
    let data = digits.labeled(0..easiest.len(), place);
    let test = digits.test(place);
    let loss = Recorded::new(cross_entropy::<Mlp>);
    let steps = plan.steps(job.condition.steps);
    let (course, every) = (Course::cosine(steps, RATE), (steps / POINTS).max(1));
    let repeats = plan.pick(REPEATS, 1);
    let (mut end, mut curve) = ([0.0; COLUMNS.len()], Vec::new());
    for repeat in 0..repeats {
        let own = REPEATS * seed + repeat;
        let order = match job.order {
            EASY => easiest.clone(),
            HARD => easiest.iter().rev().copied().collect(),
            _ => shuffled(easiest.len(), own | ORDER_STREAM),
        };
        let mut paced = Paced::new(order, job.pace, [steps, BATCH], own);
        let on_batch = |net: &Mlp, step: usize| -> Result<Tensor<1>, Failure> {
            let batch = data.select(&paced.draw(step))?;
            Ok(loss.loss_on(net, batch)?)
        };
        let watch = |seen: &Seen<'_, Mlp>| -> Watched {
            if repeat == 0 && seen.step.is_multiple_of(every) {
                curve.push((seen.step as f64, accuracy(seen.model, &test)?));
            }
            Ok(ControlFlow::Continue(()))
        };
        let mut sgd = heavy_ball(MOMENTUM).init();
        let net = network(plan, own, place)?;
        let net = train(net, &mut sgd, course, on_batch, watch)?;
        let found = [
            accuracy(&net, &test)?,
            number(cross_entropy(&net, test.clone()))?,
            number(cross_entropy(&net, data.clone()))?,
        ];
        for (mean, value) in zip(&mut end, found) {
            *mean += value / repeats as f64;
        }
        if repeat == 0 {
            let risk = Risk::new(&loss, from_ref(&data));
            let top = EigenpairsConfig::new(1, Which::Largest).with_tolerance(1e-3);
            end[COLUMNS.len() - 1] = top.run(&risk.hessian(&net)?)?.values[0];
        }
    }
    Ok(Run { end, curve })
}

/// Mean accuracies over the seeds.
fn mean_curve(runs: &[Run]) -> Vec<(f64, f64)> {
    let Some(first) = runs.first() else {
        return Vec::new();
    };
    let points = first.curve.iter().enumerate();
    let points = points.map(|(place, (step, _))| {
        let all = runs.iter().filter_map(|run| run.curve.get(place));
        let sum: f64 = all.map(|(_, accuracy)| accuracy).sum();
        (*step, sum / runs.len() as f64)
    });
    points.collect()
}

/// Whether the difficulties have found the wrong labels.
fn wrong_labels(clean: &Lessons, noisy: &Lessons, found: &mut Measured) {
    let order = &noisy.easiest_first;
    let (right, given) = (clean.digits.labels(), noisy.digits.labels());
    let share = |part: &[usize]| {
        let wrong = part
            .iter()
            .filter(|&&example| right[example] != given[example]);
        wrong.count() as f64 / part.len() as f64
    };
    let fifth = order.len() / 5;
    let (first, last) = (&order[..fifth], &order[order.len() - fifth..]);
    let row = format!("{NOISY}: difficulty");
    found.push(row.as_str(), FIRST_WRONG, share(first));
    found.push(row.as_str(), LAST_WRONG, share(last));
}

/// Seed by seed.
fn differences(found: &mut Measured) {
    for condition in &CONDITIONS {
        for pair in COMPARED {
            for column in COLUMNS {
                let [first, second] =
                    pair.map(|order| over_paces(found, condition.name, order, column));
                let gaps = zip(first, second).map(|(first, second)| first - second);
                found.extend(&less(condition.name, pair), column, gaps);
            }
        }
    }
}

/// The mean over the paces of an order, seed by seed.
fn over_paces(found: &Measured, condition: &str, order: &str, column: &str) -> Vec<f64> {
    let paces = ORDERS.iter().filter(|(own, _)| *own == order);
    let cells = paces.map(|(own, pace)| found.values(&row(condition, own, *pace), column));
    let cells: Vec<&[f64]> = cells.filter(|values| !values.is_empty()).collect();
    let seeds = cells.first().map_or(0, |values| values.len());
    let mean = |seed: usize| {
        let all = cells.iter().filter_map(|values| values.get(seed));
        all.sum::<f64>() / cells.len() as f64
    };
    (0..seeds).map(mean).collect()
}

fn notes(found: &mut Measured) {
    found.note(
        "A difference is that of the same seed, and clear from two of its standard errors on. Hard first is easy first \
         backwards. The training loss is that on the labels that were given.",
    );
    for condition in &CONDITIONS {
        let texts = COMPARED.map(|pair| {
            let [first, second] = pair;
            let gain = in_words(found, &less(condition.name, pair));
            format!("{first} − {second} {gain}")
        });
        let (name, texts) = (condition.name, texts.join("; "));
        found.note(format!("Test accuracy in points, {name}: {texts}."));
    }
    let row = format!("{NOISY}: difficulty");
    let [first, last] = [FIRST_WRONG, LAST_WRONG].map(|column| 100.0 * found.mean(&row, column));
    found.note(format!(
        "Of the examples that are easiest by their loss, {first:.1} % of the first fifth have a wrong label, and \
         {last:.1} % of the last."
    ));
}

/// A difference of test accuracies, in points.
fn in_words(found: &Measured, row: &str) -> String {
    let mean = 100.0 * found.mean(row, TEST);
    let error = 100.0 * found.standard_error(row, TEST);
    let text = with_error(mean, Some(error));
    match mean.abs() >= 2.0 * error {
        true => text,
        false => format!("{text} (no clear difference)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_of_means_over_paces() {
        let mut found = Measured::default();
        for (order, pace) in ORDERS {
            let value = match (order, pace) {
                (EASY, Pace::Linear) => 0.9,
                (EASY, Pace::Exponential) => 0.8,
                _ => 0.5,
            };
            found.extend(&row(FULL, order, pace), TEST, [value, value + 0.1]);
        }
        differences(&mut found);
        let gaps = found.values(&less(FULL, [EASY, AT_ONCE]), TEST);
        assert!(gaps.len() == 2 && gaps.iter().all(|gap| (gap - 0.35).abs() < 1e-12));
        assert!(found.values(&less(SHORT, [EASY, AT_ONCE]), TEST).is_empty());
    }

    #[test]
    fn seeds_of_a_row_stand_together() {
        let plan = Plan::new("a", vec![7, 9], false);
        let jobs = jobs(&plan);
        assert_eq!(jobs.len(), 42);
        for pair in jobs.chunks(2) {
            let [one, other] = [0, 1].map(|place: usize| {
                let job = &pair[place];
                row(job.condition.name, job.order, job.pace)
            });
            assert_eq!(one, other);
            assert_eq!([pair[0].place, pair[1].place], [0, 1]);
        }
    }
}
