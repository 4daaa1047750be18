//! Growth exponents of losses whose growth is known.

use std::ops::ControlFlow;
use std::sync::Mutex;

use burn::tensor::Tensor;
use burnscape::OutOfRange;
use burnscape::loss::{LossError, Progress, Work};
use burnscape::prelude::*;
use burnscape::sharpness::{
    AverageSharpnessConfig, GrowthExponents, GrowthExponentsConfig, SharpnessError,
};
use burnscape::space::{Grid, Scale, SpaceError, UnfilteredRule};

use super::models::{H, Point, TRACE, matrix, net, quadratic, regression, squared_error, stop_at};
use crate::path::models::nothing;
use crate::path::settings::each_matters;

/// From 2⁻⁶ to 2⁶.
fn powers_of_two() -> Grid {
    Grid::from_coordinates((-6..=6).map(|k| 2.0_f64.powi(k)).collect()).unwrap()
}

fn radii(values: &[f64]) -> Grid {
    Grid::from_coordinates(values.to_vec()).unwrap()
}

fn defined(found: &GrowthExponents) -> Vec<f64> {
    found
        .exponents
        .iter()
        .map(|e| e.exponent.unwrap())
        .collect()
}

#[track_caller]
fn assert_near(found: f64, exact: f64, tolerance: f64) {
    assert!((found - exact).abs() <= tolerance, "{found} {exact}");
}

#[test]
fn every_exponent_of_a_power_is_that_power() {
    let data = nothing();
    for power in [0.5, 1.0, 1.5, 2.0, 3.0] {
        let loss = move |m: &Point, _: Tensor<1>| m.w.val().abs().powf_scalar(power).sum();
        let found = GrowthExponentsConfig::new(powers_of_two())
            .with_num_samples(3)
            .run(&Risk::new(&loss, &data), &Point::new(&[0.0]))
            .unwrap();
        assert_eq!(found.exponents.len(), 12);
        for exponent in defined(&found) {
            assert_near(exponent, power, 1e-12);
        }
        let quadratic_until = (power == 2.0).then_some(64.0);
        assert_eq!(found.quadratic_until, quadratic_until, "{power}");
        assert_eq!((found.num_losses, found.completed), (1 + 2 * 3 * 13, true));
    }
}

#[test]
fn local_exponents_are_logarithmic_derivatives() {
    type OfSquare = fn(Tensor<1>) -> Tensor<1>;
    let cases: [(OfSquare, f64); 3] = [
        (|s| (s + 1.0).sqrt() - 1.0, 1.0 + 0.5_f64.sqrt()),
        (|s| s.clone() + s.square(), 3.0),
        (|s| (s + 1.0).log(), 1.0 / 2.0_f64.ln()),
    ];
    let data = nothing();
    for (of_square, exact) in cases {
        let loss = move |m: &Point, _: Tensor<1>| of_square(m.w.val().square().sum());
        let found = GrowthExponentsConfig::new(radii(&[1.0 / 1.001, 1.001]))
            .with_num_samples(4)
            .run(&Risk::new(&loss, &data), &Point::new(&[0.0; 3]))
            .unwrap();
        let [near_one] = found.exponents[..] else {
            panic!("{found:?}");
        };
        assert_near(near_one.radius, 1.0, 1e-12);
        // The curvature of the exponent over the distance of the radii, squared.
        assert_near(near_one.exponent.unwrap(), exact, 1e-6);
        // The loss is the same in all directions.
        assert_near(near_one.standard_error.unwrap(), 0.0, 1e-9);
    }
    // The square root has the exponent 2 near zero and 1 far away.
    let loss = |m: &Point, _: Tensor<1>| (m.w.val().square().sum() + 1.0).sqrt() - 1.0;
    let found = GrowthExponentsConfig::new(radii(&[1e-3, 2e-3, 1e3, 2e3]))
        .run(&Risk::new(&loss, &data), &Point::new(&[0.0; 3]))
        .unwrap();
    let exponents = defined(&found);
    assert_near(exponents[0], 2.0, 1e-5);
    assert_near(exponents[2], 1.0, 1e-2);
}

#[test]
fn two_scales_are_two_plateaus_where_one_fit_sees_a_power_between() {
    // min(r², r).
    let loss = |m: &Point, _: Tensor<1>| {
        let w = m.w.val();
        w.clone().square().min_pair(w.abs()).sum()
    };
    let data = nothing();
    let found = GrowthExponentsConfig::new(powers_of_two())
        .run(&Risk::new(&loss, &data), &Point::new(&[0.0]))
        .unwrap();
    for (index, exponent) in defined(&found).into_iter().enumerate() {
        assert_near(exponent, if index < 6 { 2.0 } else { 1.0 }, 1e-12);
    }
    assert_eq!(found.quadratic_until, Some(1.0));
    let plateaus = found.plateaus(1e-3).unwrap();
    let ranges: Vec<(f64, f64)> = plateaus.iter().map(|p| (p.from, p.to)).collect();
    assert_eq!(ranges, [(1.0 / 64.0, 1.0), (1.0, 64.0)]);
    assert_near(plateaus[0].exponent, 2.0, 1e-12);
    assert_near(plateaus[1].exponent, 1.0, 1e-12);
    assert_eq!(found.plateaus(1.0).unwrap().len(), 1);
    for (tolerance, text) in [
        (-1.0, "`tolerance` is -1; use 0 or more"),
        (
            f64::NAN,
            "`tolerance` is NaN; use a finite number, 0 or more",
        ),
    ] {
        let error = found.plateaus(tolerance).unwrap_err();
        assert!(matches!(error, SharpnessError::OutOfRange(_)));
        assert_eq!(error.to_string(), text);
    }
    // Least squares of ln R over ln r.
    let points = found.radii.iter().zip(&found.rises);
    let points: Vec<(f64, f64)> = points.map(|(r, rise)| (r.ln(), rise.ln())).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / 13.0;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let covariance: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let variance: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    assert_near(covariance / variance, 1.5, 1e-12);
}

#[test]
fn a_quadratic_rises_by_half_its_mean_eigenvalue_and_has_exponent_two_everywhere() {
    let mut rows = [[0.0; 4]; 4];
    for (index, eigenvalue) in [10.0, 1.0, 1.0, 0.0].into_iter().enumerate() {
        rows[index][index] = eigenvalue;
    }
    let data = matrix(rows);
    let found = GrowthExponentsConfig::new(radii(&[0.125, 0.25, 0.5, 1.0]))
        .with_num_samples(300)
        .run(&Risk::new(&quadratic, &data), &Point::new(&[0.0; 4]))
        .unwrap();
    let error = found.standard_errors[3].unwrap();
    assert!(error < 0.1);
    assert_near(found.rises[3], 1.5, 4.0 * error);
    for exponent in &found.exponents {
        assert_near(exponent.exponent.unwrap(), 2.0, 1e-12);
        assert_near(exponent.standard_error.unwrap(), 0.0, 1e-12);
    }
    assert_eq!(found.quadratic_until, Some(1.0));
}

#[test]
fn the_gradient_has_no_part() {
    let data = matrix(H);
    let risk = Risk::new(&quadratic, &data);
    let config = GrowthExponentsConfig::new(radii(&[0.25, 0.5, 1.0])).with_num_samples(100);
    let at_the_minimum = config.run(&risk, &Point::new(&[0.0; 3])).unwrap();
    let beside_it = config.run(&risk, &Point::new(&[1.0, -0.5, 0.3])).unwrap();
    for (one, other) in at_the_minimum.samples.iter().zip(&beside_it.samples) {
        for (one, other) in one.iter().zip(other) {
            assert_near(*one, *other, 1e-12);
        }
    }
    for exponent in defined(&beside_it) {
        assert_near(exponent, 2.0, 1e-11);
    }
    let error = beside_it.standard_errors[2].unwrap();
    assert_near(beside_it.rises[2], TRACE / 6.0, 4.0 * error);
    // Alone, it leaves rounding, which has no exponent.
    let slope = |m: &Point, _: Tensor<1>| m.w.val().sum() + 3.0;
    let nothing = nothing();
    let found = config.run(&Risk::new(&slope, &nothing), &Point::new(&[0.0; 2]));
    let found = found.unwrap();
    assert!(found.exponents.iter().all(|e| e.exponent.is_none()));
    assert_eq!(found.quadratic_until, None);
}

#[test]
fn a_rise_that_is_negative_or_rounding_has_no_exponent() {
    let data = nothing();
    let hill = |m: &Point, _: Tensor<1>| m.w.val().square().sum().neg();
    let config = GrowthExponentsConfig::new(radii(&[0.25, 0.5, 1.0]));
    let found = config.run(&Risk::new(&hill, &data), &Point::new(&[0.0]));
    let found = found.unwrap();
    assert!(found.rises.iter().all(|rise| *rise < 0.0));
    for exponent in &found.exponents {
        assert_eq!((exponent.exponent, exponent.standard_error), (None, None));
    }
    assert_eq!(found.quadratic_until, None);
    assert!(found.plateaus(10.0).unwrap().is_empty());
    // 1 + w²: a rise of 1e-16 is rounding, one of 1e-6 is not.
    let raised = |m: &Point, _: Tensor<1>| m.w.val().square().sum() + 1.0;
    let config = GrowthExponentsConfig::new(radii(&[1e-9, 1e-8, 1e-3, 1e-2]));
    let found = config.run(&Risk::new(&raised, &data), &Point::new(&[0.0]));
    let found = found.unwrap();
    assert_eq!((found.base_loss, found.roundings[0]), (1.0, f64::EPSILON));
    assert_near(found.roundings[3] / f64::EPSILON, 1.0001, 1e-12);
    let exponents: Vec<Option<f64>> = found.exponents.iter().map(|e| e.exponent).collect();
    assert_eq!((exponents[0], exponents[1]), (None, None));
    assert_near(exponents[2].unwrap(), 2.0, 1e-6);
    assert_eq!(found.quadratic_until, Some(1e-2));
    // In single precision more is.
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let config = GrowthExponentsConfig::new(radii(&[1e-5, 1e-4])).with_num_samples(2);
    let found = config.run(&risk, &model).unwrap();
    for rounding in &found.roundings {
        let units = rounding / (f64::from(f32::EPSILON) * found.base_loss);
        assert!((1.0..1.01).contains(&units), "{units}");
    }
    assert_eq!(found.exponents[0].exponent, None);
}

#[test]
fn rounding_is_that_of_the_losses_at_the_radius_and_not_of_the_model() {
    // A steep slope: at radius r the loss is ±2⁴⁰ r, and its curvature is three units of its last place at 1, six at 2.
    let unit = 2.0_f64.powi(-12);
    let loss = move |m: &Point, _: Tensor<1>| {
        let w = m.w.val();
        (w.clone() * 2.0_f64.powi(40) + w.square() * (3.0 * unit)).sum()
    };
    let data = nothing();
    let found = GrowthExponentsConfig::new(radii(&[1.0, 2.0, 4.0, 8.0]))
        .run(&Risk::new(&loss, &data), &Point::new(&[0.0]))
        .unwrap();
    assert_eq!(found.base_loss, 0.0);
    for (radius, rounding) in found.radii.iter().zip(&found.roundings) {
        assert_near(rounding / unit, *radius, 1e-9);
    }
    // Twelve units at 4 are more than rounding, six at 2 are not, however quadratic they look.
    assert!(found.rises.iter().all(|rise| *rise > 0.0));
    let exponents: Vec<Option<f64>> = found.exponents.iter().map(|e| e.exponent).collect();
    assert_eq!((exponents[0], exponents[1]), (None, None));
    assert_near(exponents[2].unwrap(), 2.0, 0.09);
    assert_eq!(found.quadratic_until, Some(8.0));
}

#[test]
fn growth_that_is_faster_than_quadratic_is_not_quadratic() {
    // r² + r⁴: the exponent is 2 near zero, and 2.18 from 0.02 to 1.
    let loss = |m: &Point, _: Tensor<1>| {
        let square = m.w.val().square().sum();
        square.clone() + square.square()
    };
    let data = nothing();
    let found = GrowthExponentsConfig::new(radii(&[0.01, 0.02, 1.0, 2.0]))
        .run(&Risk::new(&loss, &data), &Point::new(&[0.0; 3]))
        .unwrap();
    let exponents = defined(&found);
    assert_near(exponents[1], 4998.0_f64.ln() / 50.0_f64.ln(), 1e-4);
    assert_near(exponents[2], 10.0_f64.log2(), 1e-9);
    assert_eq!(found.quadratic_until, Some(0.02));
}

#[test]
fn a_radius_with_a_loss_that_is_not_finite_is_undefined_and_the_others_stay() {
    // The square of the distance, and NaN where that is between 1 and 4.
    let loss = |m: &Point, _: Tensor<1>| {
        let square = m.w.val().square().sum();
        let product = (square.clone() - 1.0) * (square.clone() - 4.0);
        product.log() * 0.0 + square
    };
    let data = nothing();
    let config = GrowthExponentsConfig::new(radii(&[0.25, 0.5, 1.5, 3.0, 6.0]));
    let config = config.with_num_samples(3);
    let found = config.run(&Risk::new(&loss, &data), &Point::new(&[0.0; 2]));
    let found = found.unwrap();
    assert_eq!((found.completed, found.num_losses), (true, 1 + 2 * 3 * 5));
    assert!(found.samples[2].iter().all(|rise| rise.is_nan()));
    for (index, exact) in [(0, 0.0625), (1, 0.25), (3, 9.0), (4, 36.0)] {
        assert_near(found.rises[index], exact, 1e-12);
        assert_near(found.roundings[index] / (f64::EPSILON * exact), 1.0, 1e-12);
    }
    assert!(found.rises[2].is_nan() && found.roundings[2].is_nan());
    assert_eq!(found.standard_errors[2], None);
    let exponents = &found.exponents;
    assert_near(exponents[0].exponent.unwrap(), 2.0, 1e-12);
    assert_near(exponents[3].exponent.unwrap(), 2.0, 1e-12);
    for undefined in &exponents[1..3] {
        let numbers = (undefined.exponent, undefined.standard_error);
        assert_eq!(numbers, (None, None));
    }
    assert_eq!(found.quadratic_until, Some(0.5));
    let read = GrowthExponents::from_json(&found.to_json().unwrap()).unwrap();
    assert!(read.rises[2].is_nan() && read.roundings[2].is_nan());
    assert!(read.samples[2].len() == 3 && read.samples[2].iter().all(|rise| rise.is_nan()));
    assert_near(read.samples[4][2], 36.0, 1e-12);
    let mut csv = Vec::new();
    found.write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert_eq!(csv.lines().nth(3), Some("1.5,,,,"));
    // From the smallest radius on, nothing is known.
    let config = GrowthExponentsConfig::new(radii(&[1.5, 3.0, 6.0]));
    let found = config.run(&Risk::new(&loss, &data), &Point::new(&[0.0; 2]));
    assert_eq!(found.unwrap().quadratic_until, None);
}

#[test]
fn one_direction_with_a_loss_that_is_not_finite_is_enough() {
    // The logarithm of the first coordinate, which is not positive far enough along one sign of some directions.
    let logarithm = |m: &Point, _: Tensor<1>| m.w.val().slice(0..1).log().neg().sum();
    let data = nothing();
    let risk = Risk::new(&logarithm, &data);
    let config = GrowthExponentsConfig::new(radii(&[0.01, 0.02, 1.25]));
    let found = config.run(&risk, &Point::new(&[1.0, 0.0])).unwrap();
    let undefined = found.samples[2].iter().filter(|rise| rise.is_nan());
    assert!((1..32).contains(&undefined.count()));
    assert!(found.rises[2].is_nan());
    assert_near(found.exponents[0].exponent.unwrap(), 2.0, 1e-3);
    assert_eq!(found.exponents[1].exponent, None);
    // The loss of the model itself must be finite.
    let error = config.run(&risk, &Point::new(&[-1.0, 0.0])).unwrap_err();
    assert!(matches!(
        error,
        SharpnessError::Loss(LossError::NonFinite { .. })
    ));
}

/// `½ wᵀHw + Σ w⁴ + Σ w³`: the exponents differ between directions, and the gradient between signs.
fn uneven(model: &Point, h: Tensor<2>) -> Tensor<1> {
    let w = model.w.val();
    quadratic(model, h) + w.clone().powi_scalar(4).sum() + w.powi_scalar(3).sum()
}

#[test]
fn the_error_of_an_exponent_is_the_jackknife_over_directions() {
    let data = matrix(H);
    let risk = Risk::new(&uneven, &data);
    let config = GrowthExponentsConfig::new(radii(&[0.5, 1.0, 1.5]));
    let found = config.run(&risk, &Point::new(&[0.1, -0.5, 0.3])).unwrap();
    let n = 32;
    for (index, exponent) in found.exponents.iter().enumerate() {
        let without = |left_out: usize| {
            let [near, far] = [index, index + 1].map(|radius| {
                let samples = found.samples[radius].iter().enumerate();
                let others = samples.filter(|(sample, _)| *sample != left_out);
                others.map(|(_, rise)| rise).sum::<f64>() / f64::from(n - 1)
            });
            let ratio = found.radii[index + 1] / found.radii[index];
            (far.ln() - near.ln()) / ratio.ln()
        };
        let exponents: Vec<f64> = (0..n as usize).map(without).collect();
        let mean = exponents.iter().sum::<f64>() / f64::from(n);
        let squares: f64 = exponents.iter().map(|e| (e - mean).powi(2)).sum();
        let error = (squares * f64::from(n - 1) / f64::from(n)).sqrt();
        assert!(error > 1e-3);
        assert_near(exponent.standard_error.unwrap(), error, 1e-9);
    }
    let one = config.with_num_samples(1);
    let one = one.run(&risk, &Point::new(&[0.1, -0.5, 0.3])).unwrap();
    assert!(one.standard_errors.iter().all(Option::is_none));
    assert_eq!(one.exponents[0].standard_error, None);
    assert!(one.exponents[0].exponent.is_some());
}

#[test]
fn samples_are_those_of_average_sharpness_bit_for_bit() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    for scale in [
        Scale::Absolute,
        Scale::FilterRelative(UnfilteredRule::Zero),
        Scale::ElementRelative,
    ] {
        let found = GrowthExponentsConfig::new(radii(&[0.1, 0.4]))
            .with_num_samples(3)
            .with_scale(scale)
            .with_seed(5)
            .run(&risk, &model)
            .unwrap();
        assert_eq!((found.scale, found.seed), (scale, 5));
        for (index, radius) in found.radii.iter().enumerate() {
            let average = AverageSharpnessConfig::new(*radius)
                .with_fixed_length(true)
                .with_antithetic(true)
                .with_num_samples(3)
                .with_scale(scale)
                .with_seed(5)
                .run(&risk, &model)
                .unwrap();
            assert_eq!(average.rises, found.samples[index]);
            assert_eq!(average.rise, found.rises[index]);
            assert_eq!(average.standard_error, found.standard_errors[index]);
        }
    }
}

#[test]
fn of_each_pair_the_first_is_the_sample_without_pairs() {
    let losses = Mutex::new(Vec::new());
    let cubic = |m: &Point, _: Tensor<1>| {
        let w = m.w.val();
        w.clone().powi_scalar(3).sum() + w.sum()
    };
    let data = nothing();
    let model = Point::new(&[0.7, -0.2]);
    let observed = Risk::new(&cubic, &data).with_observer(|progress| {
        if progress.work == Work::Loss {
            losses.lock().unwrap().extend(progress.value);
        }
        ControlFlow::Continue(())
    });
    let config = GrowthExponentsConfig::new(radii(&[0.1, 0.4, 1.0])).with_num_samples(4);
    let found = config.with_seed(9).run(&observed, &model).unwrap();
    let losses = losses.lock().unwrap().clone();
    assert_eq!(losses.len(), found.num_losses);
    let risk = Risk::new(&cubic, &data);
    for (index, radius) in found.radii.iter().enumerate() {
        let average = AverageSharpnessConfig::new(*radius)
            .with_fixed_length(true)
            .with_num_samples(4)
            .with_seed(9)
            .run(&risk, &model)
            .unwrap();
        // The base loss, and for every direction a pair at each radius.
        let plus = (0..4).map(|sample| losses[1 + 2 * (3 * sample + index)] - losses[0]);
        assert_eq!(average.rises, plus.collect::<Vec<f64>>());
    }
}

#[test]
fn every_setting_matters() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let config = |values: &[f64]| GrowthExponentsConfig::new(radii(values)).with_num_samples(3);
    let base = config(&[0.1, 0.2]);
    let settings = vec![
        ("radii", config(&[0.1, 0.3])),
        ("num_samples", base.clone().with_num_samples(4)),
        ("scale", base.clone().with_scale(Scale::ElementRelative)),
        ("seed", base.clone().with_seed(1)),
    ];
    each_matters(&base, settings, |config| {
        let found = config.run(&risk, &model).unwrap();
        let GrowthExponents {
            rises, exponents, ..
        } = found;
        format!("{rises:?} {exponents:?}")
    });
}

/// Breaks at the `n`th batch of all passes.
fn at_batch(n: usize) -> impl FnMut(&Progress) -> ControlFlow<()> + Send {
    let mut batches = 0;
    move |progress| {
        batches += usize::from(progress.work == Work::Loss);
        match batches == n {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

#[test]
fn a_stopped_measurement_has_the_directions_that_are_complete() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let config = GrowthExponentsConfig::new(radii(&[0.1, 0.2, 0.4]));
    let stopped = risk.clone().with_observer(stop_at(Work::Sample, 2));
    let found = config.run(&stopped, &model).unwrap();
    assert_eq!((found.completed, found.num_losses), (false, 13));
    let two = config.clone().with_num_samples(2);
    let mut whole = two.run(&risk, &model).unwrap();
    assert!(whole.completed);
    whole.completed = false;
    assert_eq!(found, whole);
    // At the last direction a stop is none.
    assert!(two.run(&stopped, &model).unwrap().completed);
    // Two batches a pass. In the middle of the first pass of the second direction:
    let stopped = risk.clone().with_observer(at_batch(2 * 7 + 1));
    let found = config.run(&stopped, &model).unwrap();
    assert_eq!((found.samples[2].len(), found.completed), (1, false));
    let stopped = risk.clone().with_observer(at_batch(2 * 3 + 1));
    assert_eq!(config.run(&stopped, &model), Err(SharpnessError::Stopped));
}

#[test]
fn radii_and_directions_without_meaning_are_refused() {
    let (model, data) = (net(), regression());
    let risk = Risk::new(&squared_error, &data);
    let run = |config: GrowthExponentsConfig| config.run(&risk, &model).unwrap_err();
    for (values, text) in [
        ([0.0, 1.0], "`radii[0]` is 0; use more than 0"),
        ([-0.5, 1.0], "`radii[0]` is -0.5; use more than 0"),
    ] {
        let error = run(GrowthExponentsConfig::new(radii(&values)));
        assert!(matches!(error, SharpnessError::OutOfRange(_)));
        assert_eq!(error.to_string(), text);
    }
    let error = run(GrowthExponentsConfig::new(radii(&[1.0])));
    let too_few = SpaceError::TooFewPoints {
        found: 1,
        needed: 2,
    };
    assert_eq!(error, SharpnessError::Space(too_few));
    let error = run(GrowthExponentsConfig::new(powers_of_two()).with_num_samples(0));
    let SharpnessError::OutOfRange(OutOfRange { name, .. }) = error else {
        panic!("{error}");
    };
    assert_eq!(name, "num_samples");
}

#[test]
fn a_table_has_a_line_for_each_radius_and_empty_cells_for_what_is_undefined() {
    let data = nothing();
    // w² near zero, and below zero from 1 on.
    let loss = |m: &Point, _: Tensor<1>| {
        let square = m.w.val().square().sum();
        square.clone() - square.square()
    };
    let found = GrowthExponentsConfig::new(radii(&[0.25, 0.5, 2.0]))
        .with_num_samples(1)
        .run(&Risk::new(&loss, &data), &Point::new(&[0.0]))
        .unwrap();
    let mut csv = Vec::new();
    found.write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "radius,rise,standard_error,exponent,exponent_error"
    );
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let [near, middle, far] = [1, 2, 3].map(|line| cells(lines[line]));
    assert_eq!(near[0], "0.25");
    assert_eq!(near[3].parse::<f64>().ok(), found.exponents[0].exponent);
    assert_eq!((near[2].as_str(), near[4].as_str()), ("", ""));
    assert_eq!((middle[0].as_str(), middle[3].as_str()), ("0.5", ""));
    assert_eq!((far[0].as_str(), far[3].as_str()), ("2", ""));
    assert_eq!(far[1].parse::<f64>().unwrap(), found.rises[2]);
    assert_eq!(lines.len(), 4);
}
