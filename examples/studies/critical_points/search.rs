//! Critical points of a small tanh network on the parity of digits.

use std::slice::from_ref;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::optim::SgdConfig;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::krylov::{
    Dense, EigenpairsConfig, Estimate, Probe, RankCorrelation, Symmetric, Which,
};
use burnscape::loss::{Recorded, Risk};
use burnscape::spectrum::{CriticalPoints, CriticalPointsConfig};

use crate::Failure;
use crate::studies::criteria::critical_points::{CORRELATION, LOSS, LOWER, NETWORK, UPPER};
use crate::studies::digits::{Digits, PIXELS, Place, Targeted};
use crate::studies::frame::{Measured, Plan};
use crate::studies::training::{Course, full_batch, unwatched};

const INPUTS: usize = 4;
const HIDDEN: usize = 5;
const EXAMPLES: usize = 100;
/// Of all weights.
const DECAY: f64 = 1e-3;
const STARTS: usize = 400;
/// Deviations of the weights of starts, one after the other.
const SCALES: [f64; 4] = [0.3, 0.6, 1.0, 1.5];
/// Steps of gradient descent from there, for four starts each.
const LENGTHS: [usize; 4] = [0, 5, 30, 200];
const RATE: f64 = 0.2;
const TOLERANCE: f64 = 1e-10;
const RESAMPLES: usize = 1000;

const POINTS: &str = "distinct points";
/// Counts of starts, and the column of each.
const COUNTS: [&str; 5] = [
    "starts",
    "converged",
    "gradient flat",
    "not converged",
    "not finite",
];
const ALL_ENDS: &str = "rank correlation, all ends";

/// `tanh` with one output.
#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    output: Linear,
}

impl Net {
    fn random(deviation: f64, seed: u64, place: Place<'_>) -> Result<Self, Failure> {
        let layer = |index: u64, from: usize, to: usize| -> Result<Linear, Failure> {
            let drawn: Vec<f64> = Probe::Gaussian.draw(&(from * to + to), seed, index)?;
            let mut weight: Vec<f64> = drawn.into_iter().map(|it| it * deviation).collect();
            let bias = TensorData::new(weight.split_off(from * to), [to]);
            let weight = TensorData::new(weight, [from, to]);
            Ok(Linear {
                weight: Param::from_tensor(Tensor::from_data(weight, place)),
                bias: Some(Param::from_tensor(Tensor::from_data(bias, place))),
            })
        };
        Ok(Self {
            hidden: layer(0, INPUTS, HIDDEN)?,
            output: layer(1, HIDDEN, 1)?,
        })
    }
}

/// Half the mean squared error, and weight decay.
fn loss(net: &Net, (inputs, targets): Targeted) -> Tensor<1> {
    let [count, _] = inputs.dims();
    let outputs = net.output.forward(net.hidden.forward(inputs).tanh());
    let error = (outputs - targets).square().sum() / (2.0 * count as f64);
    let squares = squares(&net.hidden) + squares(&net.output);
    error + squares * (0.5 * DECAY)
}

fn squares(layer: &Linear) -> Tensor<1> {
    let weights = layer.weight.val().square().sum();
    match &layer.bias {
        Some(bias) => weights + bias.val().square().sum(),
        None => weights,
    }
}

/// Principal components of digits, and their parity as ±1.
struct Numbers {
    inputs: Vec<f64>,
    targets: Vec<f64>,
}

impl Numbers {
    fn of(digits: &Digits) -> Result<Self, Failure> {
        let count = digits.len();
        let pixels = (0..count).flat_map(|image| digits.image(image).iter().copied());
        let images = Dense::from_row_major(count, PIXELS, pixels.collect())?;
        let products = images.transpose().multiply(&images)?;
        let covariance = products.as_slice().iter().map(|sum| sum / count as f64);
        let covariance = Dense::from_row_major(PIXELS, PIXELS, covariance.collect())?;
        let covariance = Symmetric::verified(covariance, 1e-12, 0)?;
        let components = EigenpairsConfig::new(INPUTS, Which::Largest).with_tolerance(1e-12);
        let components = components.run(&covariance)?;
        let mut inputs = Vec::with_capacity(EXAMPLES * INPUTS);
        for image in images.rows().take(EXAMPLES) {
            for (component, variance) in components.vectors.iter().zip(&components.values) {
                let score: f64 = image.iter().zip(component).map(|(x, y)| x * y).sum();
                inputs.push(score / variance.sqrt());
            }
        }
        let labels = digits.labels().iter().take(EXAMPLES);
        let sign = |label: &usize| if label % 2 == 1 { 1.0 } else { -1.0 };
        Ok(Self {
            inputs,
            targets: labels.map(sign).collect(),
        })
    }

    fn tensors(&self, place: Place<'_>) -> Targeted {
        let matrix = |values: &[f64], columns: usize| {
            let data = TensorData::new(values.to_vec(), [values.len() / columns, columns]);
            Tensor::from_data(data, place)
        };
        (matrix(&self.inputs, INPUTS), matrix(&self.targets, 1))
    }
}

/// What a seed found.
struct Found {
    /// In the order of [`COUNTS`].
    counts: [usize; 5],
    /// Indices with losses and numbers of starts.
    points: Vec<(usize, f64, usize)>,
}

pub(super) fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let numbers = Numbers::of(&Digits::of_recipes()?)?;
    let all = plan.over_seeds(|seed| {
        let found = Found::of(&search(plan, &numbers, seed)?);
        let [starts, converged, ..] = found.counts;
        let points = found.points.len();
        plan.progress(format!(
            "seed {seed}: {converged} of {starts} starts converged, {points} points"
        ));
        Ok(found)
    })?;
    for (seed, own) in plan.seeds.iter().zip(&all) {
        own.enter(plan.pick(RESAMPLES, 20), *seed, found)?;
    }
    by_index(&all, found);
    Ok(())
}

fn search(plan: &Plan, numbers: &Numbers, seed: u64) -> Result<CriticalPoints, Failure> {
    let device = Device::default().autodiff();
    let place = (&device, DType::F64);
    let data = numbers.tensors(place);
    let (recorded, objective) = (Recorded::new(loss), loss);
    let count = plan.pick(STARTS, 6);
    let start = |index: usize| -> Result<Net, Failure> {
        let drawn = seed * STARTS as u64 + index as u64;
        let net = Net::random(SCALES[index % 4], drawn, place)?;
        let course = Course::constant(LENGTHS[index / 4 % 4], RATE);
        let mut descent = SgdConfig::new().init();
        full_batch(net, &mut descent, &recorded, &data, course, unwatched)
    };
    let starts: Vec<Net> = (0..count).map(start).collect::<Result<_, _>>()?;
    let risk = Risk::new(&objective, from_ref(&data));
    let config = CriticalPointsConfig::new(count, TOLERANCE).with_max_steps(plan.pick(60, 6));
    // The seeds of the search are 0, 1, ….
    Ok(config.run(&risk, |index| starts[index as usize].clone())?)
}

impl Found {
    fn of(search: &CriticalPoints) -> Self {
        let (starts, converged) = (search.num_starts(), search.num_converged());
        let (wandering, broken) = (search.num_unconverged, search.num_not_finite);
        let flat = starts - converged - wandering - broken;
        let points = search.points.iter().filter_map(|found| {
            let index = found.index()?;
            Some((index, found.point.loss, found.seeds.len()))
        });
        Self {
            counts: [starts, converged, flat, wandering, broken],
            points: points.collect(),
        }
    }

    fn enter(&self, resamples: usize, seed: u64, found: &mut Measured) -> Result<(), Failure> {
        for (column, count) in COUNTS.into_iter().zip(self.counts) {
            found.push(NETWORK, column, count as f64);
        }
        found.push(NETWORK, POINTS, self.points.len() as f64);
        let points = self.points.iter();
        let pairs: Vec<(f64, f64)> = points
            .map(|&(index, loss, _)| (index as f64, loss))
            .collect();
        let all = self.points.iter().zip(&pairs);
        let all: Vec<(f64, f64)> = all
            .flat_map(|((_, _, starts), pair)| std::iter::repeat_n(*pair, *starts))
            .collect();
        // Points are independent of each other: a row for each.
        let rows: Vec<[(f64, f64); 1]> = pairs.iter().map(|pair| [*pair]).collect();
        let correlation = RankCorrelation::of_grid(&rows, resamples, seed)?;
        let (low, high) = correlation.interval(0.95).unwrap_or((f64::NAN, f64::NAN));
        found.push(NETWORK, CORRELATION, correlation.value);
        found.push(NETWORK, LOWER, low);
        found.push(NETWORK, UPPER, high);
        found.push(NETWORK, ALL_ENDS, RankCorrelation::of(&all)?.value);
        Ok(())
    }
}

/// The losses of each index: means over the points of a seed, and the range over all.
fn by_index(all: &[Found], found: &mut Measured) {
    let mut indices: Vec<usize> = all
        .iter()
        .flat_map(|own| own.points.iter().map(|(index, ..)| *index))
        .collect();
    indices.sort_unstable();
    indices.dedup();
    let (mut means, mut lowest, mut highest) = (Vec::new(), Vec::new(), Vec::new());
    for index in indices {
        let row = format!("{NETWORK}, index {index}");
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for own in all {
            let points = own.points.iter().filter(|point| point.0 == index);
            let losses: Vec<f64> = points.map(|(_, loss, _)| *loss).collect();
            found.push(row.as_str(), POINTS, losses.len() as f64);
            found.push(row.as_str(), LOSS, Estimate::of(&losses).value);
            least = losses.iter().copied().fold(least, f64::min);
            most = losses.iter().copied().fold(most, f64::max);
        }
        let place = index as f64;
        means.push((place, found.mean(&row, LOSS)));
        lowest.push((place, least));
        highest.push((place, most));
    }
    let chart = "critical points of a tanh network";
    for (name, points) in [("mean", means), ("lowest", lowest), ("highest", highest)] {
        found.line(chart, "index", LOSS, name, points);
    }
}
