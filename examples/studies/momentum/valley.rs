//! The valley: paths without noise, and the variances of many paths with it.

use std::iter::zip;
use std::ops::ControlFlow;

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape::krylov::{Estimate, Probe};
use burnscape::loss::{Objective, Recorded};

use super::optimizer;
use crate::Failure;
use crate::studies::criteria::momentum::{
    COSINE, CURVATURES, FACTOR, GOAL, MOMENTA, Method, Rates, START, STEPS, at_best,
    at_rate_of_descent, height, methods,
};
use crate::studies::frame::{Measured, Plan};
use crate::studies::training::{Course, full_batch, train};

/// Where the factor of a step is read: the highest losses of `width` steps from each place.
#[derive(Clone, Copy)]
struct Span {
    from: usize,
    to: usize,
    width: usize,
}

/// Both directions swing through their peaks within the width.
const SPAN: Span = Span {
    from: 200,
    to: 1150,
    width: 50,
};
const SHORT_SPAN: Span = Span {
    from: 10,
    to: 40,
    width: 10,
};
/// Steps of a path; heavy ball with momentum 0.99 comes to the goal last, after 1,781.
const LENGTH: usize = 2500;
/// The first steps, whose cosines are averaged.
const COSINES: usize = 100;
/// What is drawn.
const LOWEST: f64 = 1e-10;

/// Paths along each curvature.
const PATHS: usize = 2000;
/// Steps before the first reading, and those with readings.
const BURN_IN: usize = 2000;
const TIME: usize = 1000;
const EVERY: usize = 20;

/// Curvatures and what is added to the gradient, one for each coordinate.
type Terms = (Tensor<1>, Tensor<1>);

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

/// `Σ ½ h w² + w ξ`.
fn valley(point: &Point, (curvatures, pushes): Terms) -> Tensor<1> {
    let place = point.place.val();
    let pushed = place.clone() * pushes;
    (place.square() * curvatures * 0.5 + pushed).sum()
}

/// All methods at their best rates, and some at that of gradient descent.
pub(super) fn without_noise(plan: &Plan, found: &mut Measured) -> Result<(), Failure> {
    let loss = Recorded::new(valley);
    for method in methods() {
        let path = path(plan, &loss, method, method.best_rate())?;
        let losses: Vec<f64> = path.iter().map(|place| height(place)).collect();
        let steps = losses.iter().position(|loss| *loss <= GOAL);
        let row = at_best(method);
        found.push(row.as_str(), FACTOR, factor(plan, &losses));
        found.push(
            row.as_str(),
            STEPS,
            steps.map_or(f64::NAN, |step| step as f64),
        );
        found.push(row, COSINE, mean_cosine(&path));
        let drawn = losses.iter().enumerate();
        let drawn = drawn.take_while(|(_, loss)| **loss > LOWEST);
        let drawn = drawn.map(|(step, loss)| (step as f64, *loss));
        let name = "Loss in the valley, each at its best rate";
        found.line(name, "step", "loss", &method.name(), drawn.collect());
    }
    let rate = Method::DESCENT.best_rate();
    for method in MOMENTA.map(Method::heavy_ball) {
        let path = path(plan, &loss, method, rate)?;
        found.push(at_rate_of_descent(method), COSINE, mean_cosine(&path));
    }
    Ok(())
}

/// The places at each step.
fn path(
    plan: &Plan,
    loss: &Recorded<impl Objective<Point, Terms>>,
    method: Method,
    rate: f64,
) -> Result<Vec<Vec<f64>>, Failure> {
    let length = plan.pick(LENGTH, SHORT_SPAN.to + SHORT_SPAN.width);
    let terms = (numbers(CURVATURES.to_vec()), numbers(vec![0.0; 2]));
    let course = Course::constant(length, rate);
    let mut path = Vec::new();
    full_batch(
        Point::new(START.to_vec()),
        &mut optimizer(method),
        loss,
        &terms,
        course,
        |seen| {
            path.push(seen.model.coordinates()?);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(path)
}

/// By which the distance shrinks in a step.
fn factor(plan: &Plan, losses: &[f64]) -> f64 {
    let Span { from, to, width } = plan.pick(SPAN, SHORT_SPAN);
    let peak = |at: usize| losses[at..at + width].iter().copied().fold(0.0, f64::max);
    (peak(to) / peak(from)).powf(0.5 / (to - from) as f64)
}

/// Between each of the first steps and the next.
fn mean_cosine(path: &[Vec<f64>]) -> f64 {
    let cosines: Vec<f64> = path.windows(3).take(COSINES).map(cosine).collect();
    Estimate::of(&cosines).value
}

/// Of the two steps between three places.
fn cosine(places: &[Vec<f64>]) -> f64 {
    let step = |from: &[f64], to: &[f64]| -> Vec<f64> {
        zip(from, to).map(|(from, to)| to - from).collect()
    };
    let dot = |one: &[f64], other: &[f64]| -> f64 { zip(one, other).map(|(a, b)| a * b).sum() };
    let (one, other) = (step(&places[0], &places[1]), step(&places[1], &places[2]));
    dot(&one, &other) / (dot(&one, &one) * dot(&other, &other)).sqrt()
}

/// The variances of a method under noise, along each curvature, with their errors over the paths.
pub(super) fn stationary(
    plan: &Plan,
    (method, rates): (Method, Rates),
    seed: u64,
) -> Result<[Estimate; 2], Failure> {
    let count = plan.pick(PATHS, 50);
    let [burn_in, time] = plan.pick([BURN_IN, TIME], [20, 20]);
    let curvatures = CURVATURES.map(|curvature| vec![curvature; count]);
    let curvatures = numbers(curvatures.concat());
    let loss = Recorded::new(valley);
    let mut squares = vec![0.0; 2 * count];
    let mut readings = 0;
    // Each coordinate is a path of its own.
    train(
        Point::new(vec![0.0; 2 * count]),
        &mut optimizer(method),
        Course::constant(burn_in + time, rates.of(method)),
        |point, step| {
            let noise: Vec<f64> = Probe::Gaussian.draw(&(2 * count), seed, step as u64)?;
            Ok(loss.loss_on(point, (curvatures.clone(), numbers(noise)))?)
        },
        |seen| {
            if seen.step > burn_in && seen.step.is_multiple_of(EVERY) {
                readings += 1;
                for (square, w) in zip(&mut squares, seen.model.coordinates()?) {
                    *square += w * w;
                }
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    let means: Vec<f64> = squares
        .iter()
        .map(|square| square / f64::from(readings))
        .collect();
    Ok([0, 1].map(|index| Estimate::of(&means[index * count..(index + 1) * count])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zigzag_has_negative_cosines() {
        let place = |x: f64, y: f64| vec![x, y];
        let straight = [place(0.0, 0.0), place(1.0, 1.0), place(3.0, 3.0)];
        let turned = [place(0.0, 0.0), place(1.0, 1.0), place(2.0, 0.0)];
        let back = [place(0.0, 0.0), place(1.0, 0.0), place(0.0, 0.0)];
        for (places, expected) in [(straight, 1.0), (turned, 0.0), (back, -1.0)] {
            assert!((cosine(&places) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn optimizers_take_the_steps_of_the_laws() {
        let plan = Plan::new("a", vec![0], false);
        let loss = Recorded::new(valley);
        for method in [
            Method::heavy_ball(0.5),
            Method::heavy_ball(0.99),
            Method::nesterov(0.9),
        ] {
            let rate = method.best_rate();
            let path = path(&plan, &loss, method, rate).unwrap();
            let steps = path.iter().position(|place| height(place) <= GOAL);
            assert_eq!(steps.map(|step| step as f64), Some(method.steps(rate)));
            let losses: Vec<f64> = path.iter().map(|place| height(place)).collect();
            assert!((factor(&plan, &losses) - method.factor(rate)).abs() < 3e-3);
        }
    }
}
