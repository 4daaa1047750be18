//! Which runs reach zero loss, by the width of the network.

use std::cmp::Reverse;
use std::iter::zip;

use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::krylov::Probe;
use burnscape::loss::Recorded;

use super::gaussian;
use crate::Failure;
use crate::studies::criteria::overparameterization::{
    SHARE, SIGNS, SIGNS_WIDTHS, SPREAD, TEACHER, TEACHER_WIDTHS, ZERO_LOSS, of_difference, of_width,
};
use crate::studies::digits::{Place, Targeted};
use crate::studies::frame::{Measured, Plan};
use crate::studies::losses::{half_mse, number};
use crate::studies::network::{Activation, Mlp};
use crate::studies::training::{Course, adam, full_batch, unwatched};

const STEPS: usize = 2000;
const RATE: f64 = 0.02;
/// Runs of a seed.
const STARTS: u64 = 6;
/// The first seed of weights: those of data are smaller.
const FIRST_START: u64 = 1_000_000;

/// Numbers of draws of a seed.
const INPUTS: u64 = 110;
const TARGETS: u64 = 111;

/// The hidden units of the teacher.
const UNITS: usize = TEACHER_WIDTHS[0];

const WEIGHTS: &str = "weights";
const LOWEST: &str = "lowest last loss";
const HIGHEST: &str = "highest last loss";

struct Task {
    name: &'static str,
    activation: Activation,
    widths: [usize; 5],
    points: usize,
    inputs: usize,
}

static TASKS: [Task; 2] = [
    Task {
        name: TEACHER,
        activation: Activation::Relu,
        widths: TEACHER_WIDTHS,
        points: 200,
        inputs: 5,
    },
    Task {
        name: SIGNS,
        activation: Activation::Tanh,
        widths: SIGNS_WIDTHS,
        points: 24,
        inputs: 4,
    },
];

impl Task {
    /// Targets have a mean of zero and a variance of one, or are signs.
    fn data(&self, seed: u64, place: Place<'_>) -> Result<Targeted, Failure> {
        let inputs = gaussian([self.points, self.inputs], (seed, INPUTS), place)?;
        let targets = match self.activation {
            Activation::Relu => {
                let rows: Vec<f64> = inputs.clone().try_into_vec_as()?;
                let weights: Vec<f64> =
                    Probe::Gaussian.draw(&(UNITS * self.inputs), seed, TARGETS)?;
                taught(&rows, &weights, self.inputs)
            }
            _ => Probe::Rademacher.draw::<Vec<f64>>(&self.points, seed, TARGETS)?,
        };
        let targets = TensorData::new(targets, [self.points, 1]);
        Ok((inputs, Tensor::from_data(targets, place)))
    }
}

/// The outputs of a ReLU network whose last layer has signs in turn, standardized.
fn taught(rows: &[f64], weights: &[f64], inputs: usize) -> Vec<f64> {
    let output = |row: &[f64]| -> f64 {
        let units = weights.chunks(inputs).enumerate();
        let parts = units.map(|(unit, weights)| {
            let sum: f64 = zip(row, weights).map(|(x, w)| x * w).sum();
            let sign = if unit % 2 == 0 { 1.0 } else { -1.0 };
            sign * sum.max(0.0)
        });
        parts.sum()
    };
    let outputs: Vec<f64> = rows.chunks(inputs).map(output).collect();
    let count = outputs.len() as f64;
    let mean = outputs.iter().sum::<f64>() / count;
    let squares = outputs.iter().map(|output| (output - mean).powi(2));
    let deviation = (squares.sum::<f64>() / count).sqrt();
    let standard = outputs.iter().map(|output| (output - mean) / deviation);
    standard.collect()
}

pub(super) fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let mut jobs: Vec<(&Task, usize, u64)> = Vec::new();
    for task in &TASKS {
        for width in chosen(plan, task) {
            jobs.extend(plan.seeds.iter().map(|&seed| (task, width, seed)));
        }
    }
    // The long ones first.
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|&index| Reverse(jobs[index].0.points * jobs[index].1));
    let runs = plan.over(&order, |&index| {
        let (task, width, seed) = jobs[index];
        let losses = last_losses(plan, task, width, seed)?;
        plan.progress(format!("{}, seed {seed}", of_width(task.name, width)));
        Ok((index, losses))
    })?;
    let mut by_job = vec![Vec::new(); jobs.len()];
    for (index, losses) in runs {
        by_job[index] = losses;
    }
    for (&(task, width, _), losses) in zip(&jobs, &by_job) {
        let row = of_width(task.name, width);
        let weights = (task.inputs + 1) * width + width + 1;
        found.push(row.as_str(), WEIGHTS, weights as f64);
        found.push(row.as_str(), SHARE, share(losses));
        found.push(row.as_str(), SPREAD, deviation(losses));
        let [low, high] = [f64::min, f64::max].map(|f| losses.iter().copied().fold(f64::NAN, f));
        found.push(row.as_str(), LOWEST, low);
        found.push(row.as_str(), HIGHEST, high);
    }
    for task in &TASKS {
        differences(task, found);
        draw(plan, task, found);
    }
    Ok(())
}

/// All widths; for a quick look both ends.
fn chosen(plan: &Plan, task: &Task) -> Vec<usize> {
    let [first, .., last] = task.widths;
    plan.pick(task.widths.to_vec(), vec![first, last])
}

/// The losses at the ends of runs from several starts.
fn last_losses(plan: &Plan, task: &Task, width: usize, seed: u64) -> Result<Vec<f64>, Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F32);
    let data = task.data(seed, place)?;
    let loss = Recorded::new(half_mse::<Mlp>);
    let sizes = [task.inputs, width, 1];
    let course = Course::cosine(plan.pick(STEPS, 20), RATE);
    let run = |start: u64| -> Result<f64, Failure> {
        let start = FIRST_START + seed * STARTS + start;
        let net = Mlp::new(&sizes, task.activation, start, place)?;
        let mut optimizer = adam(0.999, 1e-8).init();
        let net = full_batch(net, &mut optimizer, &loss, &data, course, unwatched)?;
        number(half_mse(&net, data.clone()))
    };
    (0..plan.pick(STARTS, 2)).map(run).collect()
}

/// Of the runs at zero loss.
fn share(losses: &[f64]) -> f64 {
    let there = losses.iter().filter(|loss| **loss < ZERO_LOSS);
    there.count() as f64 / losses.len() as f64
}

fn deviation(losses: &[f64]) -> f64 {
    let count = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / count;
    let squares = losses.iter().map(|loss| (loss - mean).powi(2));
    (squares.sum::<f64>() / (count - 1.0)).sqrt()
}

/// Of the shares, seed by seed.
fn differences(task: &Task, found: &mut Measured) {
    let [first, .., last] = task.widths;
    let [narrow, wide] = [first, last].map(|width| {
        let row = of_width(task.name, width);
        found.values(&row, SHARE).to_vec()
    });
    let differences = zip(wide, narrow).map(|(one, other)| one - other);
    found.extend(&of_difference(task.name), SHARE, differences);
    let mean = |width, column| found.mean(&of_width(task.name, width), column);
    let (few, all) = (mean(first, SHARE), mean(last, SHARE));
    let times = mean(first, SPREAD) / mean(last, SPREAD);
    found.note(format!(
        "{}: from {first} units to {last}, the share of runs at zero loss goes from {few:.2} to {all:.2}, and the spread of \
         the last loss falls by a factor of {times:.0}.",
        task.name
    ));
}

fn draw(plan: &Plan, task: &Task, found: &mut Measured) {
    for (chart, column) in [
        ("Runs at zero loss", SHARE),
        ("Spread of the last loss", SPREAD),
    ] {
        let widths = chosen(plan, task).into_iter();
        let means = widths.map(|width| {
            let mean = found.mean(&of_width(task.name, width), column);
            (width as f64, mean)
        });
        let points = means.collect();
        found.line(chart, "width", column, task.name, points);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_a_variance_of_one() {
        let device = Device::default();
        for task in &TASKS {
            let (inputs, targets) = task.data(3, (&device, DType::F64)).unwrap();
            assert_eq!(inputs.dims(), [task.points, task.inputs]);
            let square = number(targets.clone().square().mean()).unwrap();
            assert!((square - 1.0).abs() < 1e-12, "{square}");
        }
    }

    #[test]
    fn a_teacher_adds_its_units_with_signs_in_turn() {
        // Units x and y: max(x, 0) − max(y, 0) is 2, −1 and 0.
        let found = taught(&[2.0, -5.0, -1.0, 1.0, 0.0, 0.0], &[1.0, 0.0, 0.0, 1.0], 2);
        let (mean, deviation) = (1.0 / 3.0, (14.0_f64 / 9.0).sqrt());
        for (found, exact) in zip(found, [2.0, -1.0, 0.0]) {
            assert!((found - (exact - mean) / deviation).abs() < 1e-12);
        }
    }

    #[test]
    fn shares_and_spreads_are_of_the_runs() {
        let losses = [0.5 * ZERO_LOSS, 0.1, 0.3, 0.2 * ZERO_LOSS];
        assert_eq!(share(&losses), 0.5);
        assert!((deviation(&[1.0, 3.0]) - 2.0_f64.sqrt()).abs() < 1e-12);
    }
}
