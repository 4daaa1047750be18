use std::f64::consts::TAU;

use super::curve::Curve;
use super::points::Points;
use super::search::Search;
use super::{Stages, StagesConfig};
use crate::posterior::PosteriorError;
use crate::space::mix;
use crate::writing::Csv;

const X: [f64; 3] = [2.0, 3.0, 5.0];
const SLOPES: [f64; 4] = [0.0, 2.0, 0.0, 1.0];

/// A number between 0 and 1.
fn uniform(seed: u64, index: u64) -> f64 {
    ((mix(seed, index) >> 11) as f64 + 0.5) * 0.5_f64.powi(53)
}

/// A standard normal number.
fn normal(seed: u64, index: u64) -> f64 {
    let radius = (-2.0 * uniform(seed, 2 * index).ln()).sqrt();
    radius * (TAU * uniform(seed, 2 * index + 1)).cos()
}

fn times() -> Vec<f64> {
    (0..=60)
        .map(|index| (f64::from(index) / 10.0).exp())
        .collect()
}

/// The line through (0, 1), (2, 1), (3, 3), (5, 3) and (6, 4) at 61 points, with noise.
fn values(noise: f64, seed: u64) -> Vec<f64> {
    let height = |x: f64| 1.0 + 2.0 * (x - 2.0).clamp(0.0, 1.0) + (x - 5.0).max(0.0);
    let value = |index: u32| height(f64::from(index) / 10.0) + noise * normal(seed, index.into());
    (0..=60).map(value).collect()
}

/// The fewest refits that are allowed.
fn config() -> StagesConfig {
    StagesConfig::new().with_num_refits(40)
}

fn logs(stages: &Stages) -> Vec<f64> {
    stages.knots.iter().map(|knot| knot.time.ln()).collect()
}

/// Whether there are three knots, each within `steps` points of its place.
fn are_near(stages: &Stages, steps: f64) -> bool {
    let found = logs(stages);
    let is_near = |(found, exact): (&f64, &f64)| (found - exact).abs() < 0.1 * steps + 1e-9;
    found.len() == X.len() && found.iter().zip(&X).all(is_near)
}

/// Every choice of knots.
fn choices(count: usize, first: usize, last: usize, min_points: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for knot in first + min_points..=last.saturating_sub(min_points) {
        for mut rest in choices(count - 1, knot, last, min_points) {
            rest.insert(0, knot);
            all.push(rest);
        }
    }
    all
}

#[test]
fn the_search_finds_what_exhaustive_search_finds() {
    for seed in 0..8 {
        let number = |index: u64| uniform(seed, 1000 + index);
        let mut place = 0.0;
        let mut next = |index| {
            place += 0.05 + number(index);
            place
        };
        let curve = Curve {
            x: (0..15).map(&mut next).collect(),
            y: (0..15).map(|index| normal(seed, index)).collect(),
            weights: (0..15).map(|index| 0.1 + number(100 + index)).collect(),
        };
        let min_points = 2 + (seed % 2) as usize;
        let search = Search::new(&curve, 3, min_points);
        for (count, fit) in search.fits(3).into_iter().enumerate() {
            let all = choices(count, 0, curve.last(), min_points).into_iter();
            let fits = all.map(|knots| curve.fit(&knots));
            let best = fits
                .min_by(|one, other| one.cost.total_cmp(&other.cost))
                .unwrap();
            assert_eq!(fit.knots, best.knots, "seed {seed}");
            // From a bad start as well.
            let even: Vec<usize> = (1..=count).map(|knot| min_points * knot).collect();
            assert_eq!(search.best(&even).knots, best.knots, "seed {seed}");
        }
    }
}

#[test]
fn without_noise_the_knots_are_exact() {
    let (times, values) = (times(), values(0.0, 0));
    let stages = config().run(&times, &values, &[0.0; 61]).unwrap();
    assert!(are_near(&stages, 0.0), "{stages}");
    assert!(stages.residual_deviation < 1e-14 && !stages.has_standard_errors);
    for (stage, slope) in stages.stages.iter().zip(SLOPES) {
        assert!((stage.slope - slope).abs() < 1e-12, "{stages}");
        assert_eq!(stage.is_plateau, slope == 0.0);
    }
    for (knot, index) in stages.knots.iter().zip([20, 30, 50]) {
        assert_eq!(knot.time, times[index]);
        assert_eq!(knot.interval, (times[index - 1], times[index + 1]));
    }
    for (fitted, value) in stages.fitted.iter().zip(&values) {
        assert!((fitted - value).abs() < 1e-13);
    }
    let [first, .., last] = stages.stages[..] else {
        panic!("{stages}")
    };
    assert_eq!((first.start, last.end), (times[0], times[60]));
}

#[test]
fn noise_of_a_fortieth_of_the_slope_leaves_the_knots_in_place() {
    for seed in 0..3 {
        let values = values(0.05, seed);
        for errors in [[0.0; 61], [0.05; 61]] {
            let stages = config()
                .with_seed(seed)
                .run(&times(), &values, &errors)
                .unwrap();
            assert!(are_near(&stages, 0.0), "{stages}");
            for (stage, slope) in stages.stages.iter().zip(SLOPES) {
                assert!((stage.slope - slope).abs() < 0.05, "{stages}");
                let (low, high) = stage.slope_interval;
                assert!(low < stage.slope && stage.slope < high && high - low < 0.5);
                assert!(slope == 0.0 || !stage.is_plateau);
            }
            let deviation = if errors[0] > 0.0 { 1.0 } else { 0.05 };
            assert!((stages.residual_deviation / deviation - 1.0).abs() < 0.15);
        }
    }
}

/// With stages of 4 points or more: from 3 on, one of the seeds has a fourth knot.
#[test]
fn noise_of_a_tenth_of_the_slope_moves_knots_by_one_point() {
    for seed in 0..3 {
        let (times, values) = (times(), values(0.2, seed));
        let config = config().with_min_points(4);
        let stages = config.run(&times, &values, &[0.2; 61]).unwrap();
        assert!(are_near(&stages, 1.0), "{stages}");
        for (knot, x) in stages.knots.iter().zip(X) {
            let (low, high) = knot.interval;
            assert!(low.ln() <= x + 1e-9 && x - 1e-9 <= high.ln(), "{stages}");
        }
    }
}

/// A knot that is not there passes in one of twenty draws.
#[test]
fn the_number_of_knots_is_mostly_right() {
    let config = config();
    let number = |values: &[f64]| {
        let errors = [0.2; 61];
        let points = Points::new(&times(), values, &errors, config.min_points).unwrap();
        config.best(&points).0.knots.len()
    };
    let right = (0..20)
        .filter(|seed| number(&values(0.2, *seed)) == 3)
        .count();
    assert!(right >= 18, "{right} of 20");
    let straight = |seed| {
        let value = |index: u32| 0.03 * f64::from(index) + 0.2 * normal(seed, index.into());
        (0..=60).map(value).collect::<Vec<f64>>()
    };
    let right = (0..20).filter(|seed| number(&straight(*seed)) == 0).count();
    assert!(right >= 18, "{right} of 20");
}

#[test]
fn units_of_values_and_times_change_nothing_else() {
    let values = values(0.05, 1);
    let run = |by_time: f64, by_value: f64| {
        let times: Vec<f64> = times().iter().map(|time| by_time * time).collect();
        let values: Vec<f64> = values.iter().map(|value| by_value * value).collect();
        config()
            .run(&times, &values, &[0.05 * by_value.abs(); 61])
            .unwrap()
    };
    let (one, other) = (run(1.0, 1.0), run(1e-3, -1e8));
    assert_eq!(one.knots.len(), other.knots.len());
    for (one, other) in one.knots.iter().zip(&other.knots) {
        assert!((other.time / one.time / 1e-3 - 1.0).abs() < 1e-9);
    }
    for (one, other) in one.stages.iter().zip(&other.stages) {
        assert!((other.slope / -1e8 - one.slope).abs() < 1e-9);
    }
    for (one, other) in one.bic.iter().zip(&other.bic) {
        assert!((one - other).abs() < 1e-6 * one.abs());
    }
}

#[test]
fn a_point_with_a_large_error_does_not_matter() {
    let (mut values, mut errors) = (values(0.05, 0), [0.05; 61]);
    values[40] += 30.0;
    errors[40] = 100.0;
    let stages = config().run(&times(), &values, &errors).unwrap();
    assert!(are_near(&stages, 0.0), "{stages}");
}

#[test]
fn few_points_have_few_knots_and_constants_none() {
    let stages = config()
        .run(&[1.0, 2.0, 4.0, 8.0], &[3.0; 4], &[0.0; 4])
        .unwrap();
    assert_eq!(
        (stages.knots.len(), stages.stages.len(), stages.bic.len()),
        (0, 1, 1)
    );
    assert!(stages.stages[0].is_plateau && stages.stages[0].slope.abs() < 1e-12);
    let zeros = config().run(&times(), &[0.0; 61], &[0.0; 61]).unwrap();
    assert!(zeros.knots.is_empty() && zeros.stages[0].is_plateau);
    assert_eq!(zeros.fitted, [0.0; 61]);
}

#[test]
fn what_is_wrong_is_said() {
    let run = |times: &[f64], values: &[f64], errors: &[f64]| {
        config().run(times, values, errors).unwrap_err()
    };
    let (times, values, zeros) = ([1.0, 2.0, 3.0, 4.0], [1.0; 4], [0.0; 4]);
    let (expected, found) = (4, 3);
    assert_eq!(
        run(&times, &values[..3], &zeros),
        PosteriorError::Length { expected, found }
    );
    let (found, needed) = (3, 4);
    assert_eq!(
        run(&times[..3], &values[..3], &zeros[..3]),
        PosteriorError::TooFewPoints { found, needed }
    );
    let error = run(&times, &[1.0, f64::NAN, 1.0, 1.0], &zeros);
    assert!(error.to_string().contains("value 1"), "{error}");
    let texts = [
        run(&[0.0, 1.0, 2.0, 3.0], &values, &zeros),
        run(&[1.0, 2.0, 2.0, 3.0], &values, &zeros),
        run(&times, &values, &[0.1, 0.0, 0.1, 0.1]),
        run(&times, &values, &[-0.1; 4]),
    ]
    .map(|error| error.to_string());
    for (text, part) in texts
        .iter()
        .zip(["times", "more than 2", "zero for all", "0 or more"])
    {
        assert!(text.contains(part), "{text}");
    }
    let refused = |config: StagesConfig| config.run(&times, &values, &zeros).is_err();
    assert!(refused(config().with_min_points(1)) && refused(config().with_num_refits(39)));
    assert!(
        refused(config().with_confidence(1.0)) && refused(config().with_min_points(usize::MAX))
    );
    assert!(!refused(config().with_max_knots(0)));
}

#[test]
fn stages_print_and_are_a_table() {
    let stages = config()
        .run(&times(), &values(0.0, 0), &[0.01; 61])
        .unwrap();
    let text = stages.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 8, "{text}");
    assert!(lines[0].starts_with("3 knots by BIC, 5 at most"), "{text}");
    assert!(lines[1].starts_with("t 1 to 7.389: slope ") && lines[1].ends_with(", a plateau"));
    assert!(
        lines[2].starts_with("knot at t = 7.389 (6.686 to 8.166)"),
        "{text}"
    );
    let mut table = Vec::new();
    stages.write_csv(&mut table).unwrap();
    assert_eq!(String::from_utf8(table).unwrap().lines().count(), 5);
}
