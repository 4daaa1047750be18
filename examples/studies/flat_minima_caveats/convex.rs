//! Two convex losses with many minima: on one the flat minimum is worse on new data, on the other it is better.

use std::iter::zip;
use std::slice::from_ref;

use burn::module::{Module, Param};
use burn::optim::SgdConfig;
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::loss::{Recorded, Risk};
use burnscape::optim::{ClosureStep, SamConfig};
use burnscape::sharpness::WorstCaseSharpnessConfig;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::Failure;
use crate::studies::criteria::flat_minima_caveats::{
    AGAINST, DESCENT, FLAT, MARGIN, RISE, RISK, ROBUST, SAM, SHARE, SHARP, UNSEEN, of_difference,
    of_point,
};
use crate::studies::frame::{Measured, Plan};
use crate::studies::numbers::{number, with_error};

const DIMENSION: usize = 64;
/// `√DIMENSION`.
const ROOT: f64 = 8.0;
/// Both ends of an interval of minima have this sum, for samples of zero.
const ENDS: f64 = 4.0;
/// Starts and steps of the search for the largest rise.
const STARTS: usize = 8;
const ASCENT: usize = 200;

const LOSS: &str = "training loss";
const ROOM: &str = "radius without loss";
const LENGTH: &str = "|w|";
/// What is known of a point, in the order of an `End`.
const COLUMNS: [&str; 7] = [LOSS, RISE, ROOM, RISK, LENGTH, SHARE, AGAINST];
type End = [f64; COLUMNS.len()];

/// Rows of coordinates.
type Samples = Vec<Vec<f64>>;
type Loss = Recorded<fn(&Point, Tensor<2>) -> Tensor<1>>;

/// A point whose coordinates are trained.
#[derive(Module, Debug)]
struct Point {
    place: Param<Tensor<1>>,
}

impl Point {
    fn new(coordinates: &[f64]) -> Self {
        let count = coordinates.len();
        let data = TensorData::new(coordinates.to_vec(), [count]);
        let device = Device::default().autodiff();
        Self {
            place: Param::from_tensor(Tensor::from_data(data, (&device, DType::F64))),
        }
    }

    fn coordinates(&self) -> Result<Vec<f64>, Failure> {
        Ok(self.place.val().try_into_vec_as::<f64>()?)
    }
}

/// `½ Σ v_j max(w_j, 0)²`, mean over samples `v`, and `½ max(−Σ w_j / √d, 0)²`.
fn unseen(point: &Point, samples: Tensor<2>) -> Tensor<1> {
    let [count, size] = samples.dims();
    let place = point.place.val();
    let squares = relu(place.clone()).square().unsqueeze::<2>();
    let shown = (samples * squares).sum() / (2.0 * count as f64);
    let sum = place.sum() / (size as f64).sqrt();
    shown + relu(-sum).square() * 0.5
}

/// `½ Σ max(z_j − w_j, 0)² + ½ Σ max(z_j + w_j − 4, 0)²`, mean over samples `z`.
fn margin(point: &Point, samples: Tensor<2>) -> Tensor<1> {
    let [count, _] = samples.dims();
    let place = point.place.val().unsqueeze::<2>();
    let below = relu(samples.clone() - place.clone());
    let above = relu(samples + place - ENDS);
    (below.square() + above.square()).sum() / (2.0 * count as f64)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    Unseen,
    Margin,
}

impl Problem {
    fn name(self) -> &'static str {
        match self {
            Self::Unseen => UNSEEN,
            Self::Margin => MARGIN,
        }
    }

    fn loss(self) -> Loss {
        let loss: fn(&Point, Tensor<2>) -> Tensor<1> = match self {
            Self::Unseen => unseen,
            Self::Margin => margin,
        };
        Recorded::new(loss)
    }

    /// Of the ball in which minima are compared.
    fn radius(self) -> f64 {
        match self {
            Self::Unseen => 0.05,
            Self::Margin => 0.2,
        }
    }

    /// The radius of SAM and SA-GD. Where the loss is zero all around, the ascents of SA-GD start at random, and on no
    /// coordinate at more than about a third of the radius.
    fn reach(self) -> f64 {
        match self {
            Self::Unseen => 0.2,
            Self::Margin => 0.6,
        }
    }

    /// One over the largest curvature, or over a bound of it.
    fn rate(self) -> f64 {
        match self {
            Self::Unseen => 0.5,
            Self::Margin => 1.0,
        }
    }

    fn steps(self) -> usize {
        match self {
            Self::Unseen => 2500,
            Self::Margin => 1000,
        }
    }

    /// From where optimizers start.
    fn start(self) -> Vec<f64> {
        match self {
            Self::Unseen => vec![-0.5 / ROOT; DIMENSION],
            Self::Margin => vec![0.0; DIMENSION],
        }
    }

    fn samples(self, seed: u64) -> Samples {
        let mut rng = StdRng::seed_from_u64(seed);
        let count = match self {
            Self::Unseen => 3,
            Self::Margin => 5,
        };
        let mut draw = || match self {
            Self::Unseen => f64::from(rng.random::<bool>()),
            Self::Margin => rng.random::<f64>(),
        };
        (0..count)
            .map(|_| (0..DIMENSION).map(|_| draw()).collect())
            .collect()
    }

    /// The minimum in whose ball the loss is zero; none if the samples show all coordinates.
    fn flat(self, samples: &[Vec<f64>]) -> Option<Vec<f64>> {
        let most = most(samples);
        if self == Self::Margin {
            return Some(vec![0.5 * ENDS; DIMENSION]);
        }
        let shown: f64 = most.iter().sum();
        let hidden = DIMENSION as f64 - shown;
        // The sum over √d is the radius, too.
        let large = self.radius() * (shown + ROOT) / hidden;
        let place = |most: f64| if most > 0.0 { -self.radius() } else { large };
        (hidden > 0.0).then(|| most.into_iter().map(place).collect())
    }

    /// A minimum at the edge.
    fn sharp(self, samples: &[Vec<f64>]) -> Vec<f64> {
        match self {
            Self::Unseen => vec![0.0; DIMENSION],
            Self::Margin => most(samples),
        }
    }

    /// The radius of the largest ball in which the loss is zero.
    fn room(self, samples: &[Vec<f64>], place: &[f64]) -> f64 {
        let pairs = zip(most(samples), place);
        let nearest = match self {
            Self::Unseen => {
                let shown = pairs.filter(|(most, _)| *most > 0.0);
                let sum: f64 = place.iter().sum();
                shown.map(|(_, w)| -w).fold(sum / ROOT, f64::min)
            }
            Self::Margin => pairs
                .map(|(most, w)| (w - most).min(ENDS - most - w))
                .fold(f64::INFINITY, f64::min),
        };
        nearest.max(0.0)
    }

    /// The expected loss on a new sample.
    fn risk(self, place: &[f64]) -> f64 {
        match self {
            Self::Unseen => {
                let squares = place.iter().map(|w| w.max(0.0).powi(2));
                let sum: f64 = place.iter().sum();
                0.25 * squares.sum::<f64>() + 0.5 * (-sum / ROOT).max(0.0).powi(2)
            }
            Self::Margin => {
                let cube = |x: f64| x.max(0.0).powi(3) / 6.0;
                // ½ E max(z − w, 0)² for z from 0 to 1.
                let side = |w: f64| cube(1.0 - w) - cube(-w);
                place.iter().map(|w| side(*w) + side(ENDS - w)).sum()
            }
        }
    }
}

/// The largest sample of each coordinate.
fn most(samples: &[Vec<f64>]) -> Vec<f64> {
    let largest = |index: usize| {
        let own = samples.iter().map(|sample| sample[index]);
        own.fold(f64::NEG_INFINITY, f64::max)
    };
    (0..DIMENSION).map(largest).collect()
}

pub(super) fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let problems = [Problem::Unseen, Problem::Margin];
    let jobs = problems.into_iter();
    let jobs = jobs.flat_map(|problem| plan.seeds.iter().map(move |&seed| (problem, seed)));
    let jobs: Vec<(Problem, u64)> = jobs.collect();
    let runs = plan.over(&jobs, |&(problem, seed)| {
        let ends = ends(plan, problem, seed)?;
        plan.progress(format!("{}, seed {seed}", problem.name()));
        Ok(ends)
    })?;
    for ((problem, _), ends) in zip(&jobs, runs) {
        for (point, end) in ends {
            let row = of_point(problem.name(), point);
            for (column, value) in zip(COLUMNS, end) {
                found.push(row.as_str(), column, value);
            }
        }
    }
    for problem in problems {
        difference(problem, found);
        between(plan, problem, found);
    }
    Ok(())
}

/// The population risk of SA-GD less that of gradient descent, seed by seed.
fn difference(problem: Problem, found: &mut Measured) {
    let name = problem.name();
    let [robust, plain] =
        [ROBUST, DESCENT].map(|point| found.values(&of_point(name, point), RISK).to_vec());
    let row = of_difference(name);
    found.extend(
        &row,
        RISK,
        zip(robust, plain).map(|(one, other)| one - other),
    );
    let (mean, error) = (found.mean(&row, RISK), found.standard_error(&row, RISK));
    let rise = found.mean(&of_point(name, ROBUST), RISE);
    found.note(format!(
        "{name}: the population risk of SA-GD less that of gradient descent is {}, and the largest rise around its end is \
         {} times ½ρ².",
        with_error(mean, Some(error)),
        number(rise)
    ));
}

/// The population risk on the line from the sharp minimum to the flat one, all of them minima.
fn between(plan: &Plan, problem: Problem, found: &mut Measured) {
    let Some(&seed) = plan.seeds.first() else {
        return;
    };
    let samples = problem.samples(seed);
    let Some(flat) = problem.flat(&samples) else {
        return;
    };
    let sharp = problem.sharp(&samples);
    let points = (0..=20).map(|step| {
        let t = f64::from(step) / 20.0;
        let place: Vec<f64> = zip(&sharp, &flat)
            .map(|(from, to)| from + t * (to - from))
            .collect();
        (t, problem.risk(&place))
    });
    let chart = "From the sharp minimum to the flat one: all have a training loss of zero";
    let points = points.collect();
    found.line(chart, "share of the way", RISK, problem.name(), points);
}

/// What is known of minima, and of the ends of optimizers.
fn ends(plan: &Plan, problem: Problem, seed: u64) -> Result<Vec<(&'static str, End)>, Failure> {
    let samples = problem.samples(seed);
    let shape = [samples.len(), DIMENSION];
    let data = TensorData::new(samples.concat(), shape);
    let device = Device::default().autodiff();
    let data = Tensor::<2>::from_data(data, (&device, DType::F64));
    let loss = problem.loss();
    let steps = plan.pick(problem.steps(), 4);
    let plain = SgdConfig::new().init();
    let one_step = SamConfig::new().with_rho(problem.reach());
    let robust = SamConfig::sa_gd().with_rho(problem.reach()).with_seed(seed);
    let one_step = one_step.init(plain.clone())?;
    let robust = robust.init(plain.clone())?;
    let places = [
        (FLAT, problem.flat(&samples)),
        (SHARP, Some(problem.sharp(&samples))),
        (
            DESCENT,
            Some(descended(problem, &loss, &data, plain, steps)?),
        ),
        (
            SAM,
            Some(descended(problem, &loss, &data, one_step, steps)?),
        ),
        (
            ROBUST,
            Some(descended(problem, &loss, &data, robust, steps)?),
        ),
    ];
    let risk = Risk::new(&loss, from_ref(&data));
    let ball = WorstCaseSharpnessConfig::new(problem.radius())
        .with_num_starts(plan.pick(STARTS, 2))
        .with_num_steps(plan.pick(ASCENT, 5))
        .with_tolerance(1e-9);
    let mut ends = Vec::new();
    for (name, place) in places {
        let Some(place) = place else {
            ends.push((name, [f64::NAN; COLUMNS.len()]));
            continue;
        };
        let point = Point::new(&place);
        let rise = rise(&ball, &risk, &place)?;
        let square: f64 = place.iter().map(|w| w * w).sum();
        let expected = problem.risk(&place);
        // Next to zero there is nothing to share.
        let share = if square > 1e-12 {
            expected / square
        } else {
            f64::NAN
        };
        let end = [
            risk.loss(&point)?.value,
            rise / (0.5 * problem.radius().powi(2)),
            problem.room(&samples, &place),
            expected,
            square.sqrt(),
            share,
            expected / problem.risk(&problem.start()),
        ];
        ends.push((name, end));
    }
    Ok(ends)
}

/// The largest rise in a ball that ascents find, and steps along one coordinate, or along all alike: ascents that start
/// at random where the loss is zero all around miss single coordinates.
fn rise(
    ball: &WorstCaseSharpnessConfig,
    risk: &Risk<'_, Point>,
    place: &[f64],
) -> Result<f64, Failure> {
    let found = ball.run(risk, &Point::new(place))?;
    let mut highest = found.rise;
    for step in [-ball.rho, ball.rho] {
        let mut steps = vec![vec![step / ROOT; DIMENSION]];
        for index in 0..DIMENSION {
            let mut along = vec![0.0; DIMENSION];
            along[index] = step;
            steps.push(along);
        }
        for along in steps {
            let moved: Vec<f64> = zip(place, &along).map(|(w, by)| w + by).collect();
            let loss = risk.loss(&Point::new(&moved))?.value;
            highest = highest.max(loss - found.base_loss);
        }
    }
    Ok(highest)
}

/// Where an optimizer ends.
fn descended<O: ClosureStep>(
    problem: Problem,
    loss: &Loss,
    data: &Tensor<2>,
    mut optimizer: O,
    steps: usize,
) -> Result<Vec<f64>, Failure> {
    let mut point = Point::new(&problem.start());
    for _ in 0..steps {
        let on_all = |point: &Point| loss.loss_on(point, data.clone());
        optimizer.closure_step(problem.rate(), &mut point, on_all)?;
    }
    point.coordinates()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studies::losses::number;

    fn value(problem: Problem, place: &[f64], samples: Vec<f64>) -> f64 {
        let count = samples.len() / DIMENSION;
        let data = TensorData::new(samples, [count, DIMENSION]);
        let data = Tensor::<2>::from_data(data, (&Device::default().autodiff(), DType::F64));
        let loss = match problem {
            Problem::Unseen => unseen(&Point::new(place), data),
            Problem::Margin => margin(&Point::new(place), data),
        };
        number(loss).unwrap()
    }

    fn wave(scale: f64) -> Vec<f64> {
        let waves = (0..DIMENSION).map(|index| scale * (1.7 * index as f64).sin());
        waves.collect()
    }

    #[test]
    fn known_minima_have_no_loss_and_the_room_that_is_said() {
        for problem in [Problem::Unseen, Problem::Margin] {
            let samples = problem.samples(1);
            let [flat, sharp] = [problem.flat(&samples).unwrap(), problem.sharp(&samples)];
            for place in [&flat, &sharp] {
                assert_eq!(value(problem, place, samples.concat()), 0.0);
            }
            assert_eq!(problem.room(&samples, &sharp), 0.0);
            let room = problem.room(&samples, &flat);
            assert!(room > 0.999 * problem.radius(), "{room}");
        }
    }

    #[test]
    fn the_population_risk_is_the_expected_loss() {
        // Bits have a mean of one half.
        for place in [wave(0.3), wave(-0.3), vec![-0.1; DIMENSION]] {
            let expected = value(Problem::Unseen, &place, vec![0.5; DIMENSION]);
            assert!((Problem::Unseen.risk(&place) - expected).abs() < 1e-12);
        }
        // The middles of 1,000 intervals.
        let grid = (0..1000).flat_map(|index| vec![(f64::from(index) + 0.5) / 1e3; DIMENSION]);
        let grid: Vec<f64> = grid.collect();
        for place in [wave(1.5), vec![3.4; DIMENSION]] {
            let expected = value(Problem::Margin, &place, grid.clone());
            let found = Problem::Margin.risk(&place);
            assert!(
                (found - expected).abs() < 1e-5 * expected,
                "{found}, {expected}"
            );
        }
    }

    #[test]
    fn a_rise_along_one_coordinate_is_seen() {
        // All coordinates are 0.4 of the radius below zero but the hidden ones, which hold the sum up.
        let problem = Problem::Unseen;
        let samples = problem.samples(1);
        let shown = most(&samples);
        let place = shown
            .iter()
            .map(|most| if *most > 0.0 { -0.02 } else { 5.0 });
        let place: Vec<f64> = place.collect();
        let data = TensorData::new(samples.concat(), [samples.len(), DIMENSION]);
        let data = Tensor::<2>::from_data(data, (&Device::default().autodiff(), DType::F64));
        let loss = problem.loss();
        let risk = Risk::new(&loss, from_ref(&data));
        let ball = WorstCaseSharpnessConfig::new(problem.radius());
        let found = rise(&ball, &risk, &place).unwrap();
        let share = |index: usize| samples.iter().map(|it| it[index]).sum::<f64>() / 3.0;
        let largest = (0..DIMENSION).map(share).fold(0.0, f64::max);
        assert!(
            (found - 0.5 * largest * 0.03 * 0.03).abs() < 1e-12,
            "{found}"
        );
    }

    #[test]
    fn a_flat_minimum_of_the_first_loss_is_bad() {
        let samples = Problem::Unseen.samples(2);
        let flat = Problem::Unseen.flat(&samples).unwrap();
        let square: f64 = flat.iter().map(|w| w * w).sum();
        let share = Problem::Unseen.risk(&flat) / square;
        assert!((0.15..0.25).contains(&share), "{share}");
    }
}
