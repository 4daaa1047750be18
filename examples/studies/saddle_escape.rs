//! How long optimizers stay at a saddle, beside exact laws: `−½ y²`, and `½ x² − ½ y² + ¼ y⁴` with its minima at (0, ±1).

use std::ops::ControlFlow;

use burn::module::{Module, Param};
use burn::optim::{ModuleOptimizer, RmsPropConfig, SgdConfig};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::krylov::{EigenpairsConfig, Probe, Which};
use burnscape::loss::{Recorded, Risk};
use burnscape::optim::{ClosureStep, PerturbedGdConfig};

use super::criteria::saddle_escape::{
    ADAM, DESCENT, ESCAPE, FACTOR, HEAVY_BALL, LAMBDA, LOSS, MOMENTUM, NESTEROV, NOISE, NOISY,
    PATHS, PERTURBED, PLAIN, RADII, RATE, RMS_PROP, SPREAD, STARTS, STEPS, TIME, judge, of_radius,
};
use super::frame::{Measured, Plan, Reference, Study};
use super::losses::number;
use super::training::{Course, adam, full_batch, heavy_ball, nesterov, train, unwatched};
use crate::Failure;

pub(crate) static STUDY: Study = Study {
    name: "saddle-escape",
    claim: "Noise bounds the time at a strict saddle by the logarithm of the distance to leave over its size, momentum \
            shortens it by a known factor, and gradient descent without noise can stay forever.",
    papers: &[
        "Jin et al. 2017, arXiv:1703.00887",
        "O'Neill and Wright 2019, arXiv:1706.07993",
        "Staib et al. 2019, arXiv:1901.09149",
    ],
    ran: "On −½ y², at a rate of 0.1: optimizers of Burn from y = 1e-6 and 1e-12 to 1, with the factor of their last \
          step, and 20,000 paths a seed of gradient descent from 0 with normal noise of 1e-4 in each step. On \
          ½ x² − ½ y² + ¼ y⁴: gradient descent and perturbed gradient descent from (1, 0), whose end a certificate of \
          the smallest eigenvalue confirms, and perturbed descent from the saddle with three radii.",
    would_change: "A mean time or a factor more than its error away from the law; a point that is certified and is no \
                   minimum.",
    wrong: "That adaptive optimizers are better at saddles. Their first steps have the length of the rate whatever the \
            gradient, so that their time depends on the rate and on ε instead of the distance; a valley has no use for \
            such steps. And that saddles hold up training: noise of 1e-4 leaves within a hundred steps.",
    references: &[
        Reference::new(NOISY, TIME, 95.656, 0.026),
        Reference::new(NOISY, SPREAD, 11.679, 0.032),
        Reference::new(DESCENT, STEPS[0], 145.0, 0.5),
        Reference::new(HEAVY_BALL, FACTOR, 1.31623, 5e-6),
        Reference::new(PERTURBED, LOSS, -0.25, 1e-6),
        Reference::new(PERTURBED, LAMBDA, 1.0, 1e-3),
    ],
    run,
    judge,
};

/// Steps of a path at most.
const LONGEST: usize = 1000;

fn run(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    plan.progress("without noise");
    without_noise(found)?;
    plan.progress("with noise in every step");
    let count = plan.pick(20_000, 200);
    for (mean, deviation) in plan.over_seeds(|seed| with_noise(count, seed))? {
        found.push(NOISY, TIME, mean);
        found.push(NOISY, SPREAD, deviation);
        found.push(NOISY, PATHS, count as f64);
    }
    plan.progress("perturbed descent");
    let plain = full_batch(
        Point::new(vec![1.0, 0.0]),
        &mut SgdConfig::new().init(),
        &Recorded::new(double_well),
        &nothing(),
        Course::constant(LONGEST, RATE),
        unwatched,
    )?;
    found.push(PLAIN, LOSS, number(double_well(&plain, nothing()))?);
    for (loss, lambda) in plan.over_seeds(certified)? {
        found.push(PERTURBED, LOSS, loss);
        found.push(PERTURBED, LAMBDA, lambda);
    }
    for radius in RADII {
        let steps = plan.over_seeds(|seed| escape(radius, seed))?;
        found.extend(&of_radius(radius), ESCAPE, steps);
    }
    Ok(())
}

/// A point whose coordinates are trained.
#[derive(Module, Debug)]
struct Point {
    place: Param<Tensor<1>>,
}

impl Point {
    fn new(coordinates: Vec<f64>) -> Self {
        Self {
            place: Param::from_tensor(numbers(coordinates)),
        }
    }

    fn coordinates(&self) -> Result<Vec<f64>, Failure> {
        Ok(self.place.val().try_into_vec_as::<f64>()?)
    }
}

/// In double precision, on autodiff.
fn numbers(values: Vec<f64>) -> Tensor<1> {
    let device = Device::default().autodiff();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), (&device, DType::F64))
}

/// For losses without data.
fn nothing() -> Tensor<1> {
    numbers(vec![0.0])
}

/// `−½ y²`, summed over coordinates, each pushed by a number.
fn ridge(point: &Point, pushes: Tensor<1>) -> Tensor<1> {
    let y = point.place.val();
    (y.clone().square() * -0.5 - y * pushes).sum()
}

/// `½ x² − ½ y² + ¼ y⁴`.
fn double_well(point: &Point, _: Tensor<1>) -> Tensor<1> {
    let place = point.place.val();
    let x = place.clone().slice(0..1).square();
    let y = place.slice(1..2).square();
    (x - y.clone()) * 0.5 + y.square() * 0.25
}

fn without_noise(found: &mut Measured) -> Result<(), Failure> {
    let rms_prop = RmsPropConfig::new().with_momentum(0.0).with_epsilon(1e-8);
    let optimizers = [
        (DESCENT, SgdConfig::new().init(), RATE),
        (HEAVY_BALL, heavy_ball(MOMENTUM).init(), RATE),
        (NESTEROV, nesterov(MOMENTUM).init(), RATE),
        (RMS_PROP, rms_prop.init(), 0.01),
        (ADAM, adam(0.999, 1e-8).init(), 0.01),
    ];
    for (name, optimizer, rate) in optimizers {
        for (start, column) in STARTS.into_iter().zip(STEPS) {
            let path = path(&mut optimizer.clone(), rate, start)?;
            let last = path.len() - 1;
            found.push(name, column, last as f64);
            // The step of an adaptive optimizer is no multiple of the distance.
            if column == STEPS[0] && [DESCENT, HEAVY_BALL, NESTEROV].contains(&name) {
                found.push(name, FACTOR, path[last] / path[last - 1]);
            }
            let points = path.iter().enumerate().map(|(step, y)| (step as f64, *y));
            let chart = format!("distance to the saddle from {start:e}");
            found.line(&chart, "step", "distance", name, points.collect());
        }
    }
    Ok(())
}

/// The distances to the saddle at each step, until it is 1.
fn path(optimizer: &mut ModuleOptimizer, rate: f64, start: f64) -> Result<Vec<f64>, Failure> {
    let mut distances: Vec<f64> = Vec::new();
    let (point, loss) = (Point::new(vec![start]), Recorded::new(ridge));
    let course = Course::constant(LONGEST, rate);
    full_batch(point, optimizer, &loss, &nothing(), course, |seen| {
        let distance: f64 = seen.model.coordinates()?.iter().map(|y| y.abs()).sum();
        distances.push(distance);
        Ok(end_if(distance >= 1.0))
    })?;
    match distances.last() {
        Some(last) if *last >= 1.0 && distances.len() > 1 => Ok(distances),
        _ => Err(format!("a path from {start:e} has not left the saddle").into()),
    }
}

fn end_if(is_over: bool) -> ControlFlow<()> {
    match is_over {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Mean and standard deviation of the steps to a distance of 1, over paths from 0.
fn with_noise(count: usize, seed: u64) -> Result<(f64, f64), Failure> {
    let loss = Recorded::new(ridge);
    let mut times: Vec<Option<usize>> = vec![None; count];
    // Each coordinate is a path of its own.
    train(
        Point::new(vec![0.0; count]),
        &mut SgdConfig::new().init(),
        Course::constant(LONGEST, RATE),
        |point, step| {
            // The gradient is −y − (s / η) ξ.
            let drawn: Vec<f64> = Probe::Gaussian.draw(&count, seed, step as u64)?;
            let pushes = drawn.into_iter().map(|number| number * NOISE / RATE);
            Ok(loss.loss_on(point, numbers(pushes.collect()))?)
        },
        |seen| {
            for (time, y) in times.iter_mut().zip(seen.model.coordinates()?) {
                if time.is_none() && y.abs() >= 1.0 {
                    *time = Some(seen.step);
                }
            }
            Ok(end_if(times.iter().all(Option::is_some)))
        },
    )?;
    let times = times.into_iter().map(|time| time.map(|time| time as f64));
    let times: Option<Vec<f64>> = times.collect();
    let times = times.ok_or("a path has not left the saddle")?;
    let mean = times.iter().sum::<f64>() / count as f64;
    let squares = times.iter().map(|time| (time - mean).powi(2));
    Ok((mean, (squares.sum::<f64>() / (count - 1) as f64).sqrt()))
}

/// The loss and the smallest eigenvalue at the point that perturbed descent from the ridge ends at.
fn certified(seed: u64) -> Result<(f64, f64), Failure> {
    let (loss, data) = (double_well, [nothing()]);
    let risk = Risk::new(&loss, &data);
    let smallest = EigenpairsConfig::new(1, Which::Smallest);
    let config = PerturbedGdConfig::new(0.05, 1e-4, 1e-3)
        .with_patience(150)
        .with_seed(seed);
    let mut descent = config.init(SgdConfig::new().init())?;
    let mut point = Point::new(vec![1.0, 0.0]);
    for _ in 0..LONGEST {
        descent.step_with_certificate(
            RATE,
            &mut point,
            |point: &Point| double_well(point, nothing()),
            |point| Ok(smallest.run(&risk.hessian(point)?)?.values[0]),
        )?;
        if let Some(end) = descent.certified() {
            return Ok((end.loss, end.lambda_min.unwrap_or(f64::NAN)));
        }
    }
    Ok((f64::NAN, f64::NAN))
}

/// Steps of perturbed descent from the saddle itself to a loss of −0.1.
fn escape(radius: f64, seed: u64) -> Result<f64, Failure> {
    let config = PerturbedGdConfig::new(radius, 1e-9, 1e-9)
        .with_patience(LONGEST)
        .with_seed(seed);
    let mut descent = config.init(SgdConfig::new().init())?;
    let mut point = Point::new(vec![0.0, 0.0]);
    for step in 0..LONGEST {
        if number(double_well(&point, nothing()))? <= -0.1 {
            return Ok(step as f64);
        }
        let loss = |point: &Point| double_well(point, nothing());
        descent.closure_step(RATE, &mut point, loss)?;
    }
    Ok(f64::NAN)
}
