//! How long descent stays at a strict saddle, against its laws: `−½ y²`, of which each step of gradient descent at a
//! rate of 0.1 multiplies the distance by `r = 1.1`.

use std::f64::consts::{EULER_GAMMA, LN_2, PI};

use burn::tensor::{DType, Tensor, TensorData};
use burnscape::optim::{ClosureStep, PerturbedGdConfig};
use burnscape::space::{ParamSpace, ParamVector};
use burnscape_testkit::objectives::{Point, quadratic};

use super::fixture::{device, point, sgd};

const RATE: f64 = 0.1;
const GROWTH: f64 = 1.1;

fn falling(m: &Point) -> Tensor<1> {
    quadratic(m, &[-1.0])
}

#[test]
fn without_noise_the_escape_takes_as_long_as_the_logarithm_of_the_distance() {
    let mut model = point(&[1e-6]);
    let mut descent = sgd();
    let mut steps = 0;
    while model.coordinates()[0] < 1.0 {
        let report = descent.closure_step(RATE, &mut model, falling);
        report.expect("a step");
        steps += 1;
    }
    // ln 10⁶ / ln 1.1 = 144.95.
    assert_eq!(steps, 145);
}

#[test]
fn with_noise_in_each_step_the_time_has_the_mean_and_the_spread_of_its_law() {
    let (noise, num_paths) = (1e-4, 4000);
    let log = GROWTH.ln();
    // The distance is r^t times a normal number of variance s² / (r² − 1), after a few steps.
    let start = ((GROWTH * GROWTH - 1.0).sqrt() / noise).ln();
    let mean = (start + 0.5 * (EULER_GAMMA + LN_2)) / log + 0.5;
    let spread = PI / (2.0 * 2.0_f64.sqrt()) / log;
    assert!((mean - 95.613).abs() < 1e-3 && (spread - 11.654).abs() < 1e-3);
    for seed in 0..3 {
        // Each coordinate is a path of its own.
        let mut model = point(&vec![0.0; num_paths]);
        let space = ParamSpace::of(&model).expect("a space");
        let mut descent = sgd();
        let mut times = vec![0_u32; num_paths];
        for step in 1..=400 {
            let drawn = ParamVector::gaussian(&space, 1000 * seed + u64::from(step));
            let drawn = drawn.and_then(|drawn| drawn.to_host()).expect("numbers");
            let drawn = TensorData::new(drawn, [num_paths]);
            let drawn = Tensor::<1>::from_data(drawn, (&device(), DType::F64));
            // The gradient is −y − (s / η) ξ.
            let loss = |m: &Point| {
                let y = m.w.val();
                let pushed = (y.clone() * drawn.clone()).sum() * (noise / RATE);
                y.square().sum() * -0.5 - pushed
            };
            let report = descent.closure_step(RATE, &mut model, loss);
            report.expect("a step");
            for (time, y) in times.iter_mut().zip(model.coordinates()) {
                if *time == 0 && y.abs() >= 1.0 {
                    *time = step;
                }
            }
            if !times.contains(&0) {
                break;
            }
        }
        assert!(!times.contains(&0), "a path has not escaped");
        let count = num_paths as f64;
        let found = times.iter().map(|time| f64::from(*time)).sum::<f64>() / count;
        let squares = times.iter().map(|time| (f64::from(*time) - found).powi(2));
        let deviation = (squares.sum::<f64>() / (count - 1.0)).sqrt();
        let error = spread / count.sqrt();
        assert!((found - mean).abs() < 4.0 * error, "{found}, seed {seed}");
        // The logarithm of a normal number has a kurtosis of 7.
        let error = spread * (6.0 / (4.0 * count)).sqrt();
        assert!(
            (deviation - spread).abs() < 4.0 * error,
            "{deviation}, seed {seed}"
        );
    }
}

#[test]
fn perturbed_descent_escapes_from_the_saddle_itself_in_the_time_of_its_noise() {
    // One draw, uniform in [−0.1, 0.1]: ⌈ln(1 / (0.1 U)) / ln r⌉ steps, an integer plus a geometric number.
    let (radius, count) = (0.1, 40_u64);
    let log = GROWTH.ln();
    let least = (1.0_f64 / radius).ln() / log;
    let (first, again) = (GROWTH.powf(least - least.ceil()), 1.0 / GROWTH);
    let more = first / (1.0 - again);
    let mean = least.ceil() + more;
    let square = first * (1.0 + again) / (1.0 - again).powi(2);
    let spread = (square - more * more).sqrt();
    for seed in 0..3 {
        let mut total = 0;
        for run in 0..count {
            let config = PerturbedGdConfig::new(radius, 1e-9, 1e-9)
                .with_patience(1000)
                .with_seed(1000 * seed + run);
            let mut descent = config.init(sgd()).expect("a valid configuration");
            let mut model = point(&[0.0]);
            while model.coordinates()[0].abs() < 1.0 {
                let report = descent.closure_step(RATE, &mut model, falling);
                report.expect("a step");
                total += 1;
            }
        }
        let found = f64::from(total) / count as f64;
        let error = spread / (count as f64).sqrt();
        assert!((found - mean).abs() < 4.0 * error, "{found}, seed {seed}");
    }
}
