//! Plateaus of recorded losses.

use burnscape::prelude::*;
use burnscape::trajectory::{Plateau, PlateausConfig, TrajectoryError};

use crate::path::settings::each_matters;

/// A fast decrease to step 49, no decrease to step 149, and a slower decrease to step 249.
fn losses() -> Vec<f64> {
    let first = (0..50).map(|t| -f64::from(t) / 10.0);
    let last = (1..=100).map(|s| -4.9 - f64::from(s) / 20.0);
    let logs = first.chain([-4.9; 100]).chain(last);
    logs.map(f64::exp).collect()
}

fn run(config: &PlateausConfig, losses: &[f64]) -> Vec<Plateau> {
    config.run(losses).unwrap()
}

fn places(found: &[Plateau]) -> Vec<(usize, usize)> {
    let places = found.iter().map(|plateau| (plateau.start, plateau.end));
    places.collect()
}

#[test]
fn a_plateau_lasts_to_the_end_of_its_last_window() {
    let found = run(&PlateausConfig::new(20, 1e-3), &losses());
    assert_eq!(places(&found), [(49, 149)]);
    assert!(found[0].relative && found[0].followed_by_drop);
    assert_eq!(found[0].saddle_like, None);
    // The slower decrease of 0.05 is no drop from a plateau of 0.018.
    let found = run(&PlateausConfig::new(20, 0.018), &losses());
    assert_eq!(places(&found), [(46, 156)]);
    assert!(!found[0].followed_by_drop);
}

#[test]
fn units_of_the_loss_do_not_matter_if_rates_are_relative() {
    let config = PlateausConfig::new(20, 1e-3);
    let large: Vec<f64> = losses().iter().map(|loss| 1e6 * loss).collect();
    assert_eq!(run(&config, &large), run(&config, &losses()));
}

#[test]
fn a_loss_that_rises_is_on_a_plateau_and_one_that_falls_is_on_none() {
    let rising: Vec<f64> = (0..40).map(|t| (f64::from(t) / 10.0).exp()).collect();
    let config = PlateausConfig::new(5, 1e-3);
    assert_eq!(places(&run(&config, &rising)), [(0, 39)]);
    let falling: Vec<f64> = rising.iter().map(|loss| 1.0 / loss).collect();
    assert!(run(&config, &falling).is_empty());
}

#[test]
fn losses_below_zero_have_absolute_rates() {
    let first = (0..60).map(|t| 5.0 - 0.1 * f64::from(t));
    let last = (1..=60).map(|s| -1.0 - 0.1 * f64::from(s));
    let losses: Vec<f64> = first.chain([-1.0; 60]).chain(last).collect();
    let config = PlateausConfig::new(10, 5e-3);
    let found = run(&config, &losses);
    assert_eq!(places(&found), [(60, 119)]);
    assert!(!found[0].relative && found[0].followed_by_drop);
    let found = run(&config.with_drop_ratio(30.0), &losses);
    assert!(!found[0].followed_by_drop);
    // A single zero makes them absolute.
    let mut small = self::losses();
    small[249] = 0.0;
    let found = run(&PlateausConfig::new(20, 1e-3), &small);
    assert!(found.iter().all(|plateau| !plateau.relative));
}

#[test]
fn medians_over_blocks_remove_noise() {
    let medians = PlateausConfig::new(20, 1e-3).with_block_medians(true);
    // In whole blocks of five.
    assert_eq!(places(&run(&medians, &losses())), [(50, 149)]);
    let mut noisy = losses();
    noisy.iter_mut().step_by(7).for_each(|loss| *loss *= 2.0);
    assert_eq!(places(&run(&medians, &noisy)), [(50, 149)]);
    assert!(run(&PlateausConfig::new(20, 1e-3), &noisy).len() > 1);
    // The shortest window has four blocks of two losses.
    let short = PlateausConfig::new(8, 1e-3).with_block_medians(true);
    assert_eq!(places(&run(&short, &losses())), [(50, 149)]);
}

#[test]
fn a_window_without_whole_blocks_has_no_medians() {
    for window in [8, 10, 12, 15, 16, 20] {
        let config = PlateausConfig::new(window, 1e-3).with_block_medians(true);
        assert!(config.run(&losses()).is_ok(), "{window}");
    }
    for window in [1, 4, 7, 9, 11, 13, 14, 17, 18, 19] {
        let config = PlateausConfig::new(window, 1e-3);
        assert!(config.run(&losses()).is_ok(), "{window}");
        match config.with_block_medians(true).run(&losses()).unwrap_err() {
            TrajectoryError::OutOfRange(error) => {
                assert_eq!((error.name, error.value), ("window", window as f64));
                assert!(error.expected.contains("multiple of four"), "{error}");
            }
            error => panic!("{error}"),
        }
    }
}

#[test]
fn a_plateau_with_a_small_gradient_and_a_negative_eigenvalue_is_like_a_saddle() {
    let losses = losses();
    let on_it = |inside: f64, outside: f64| -> Vec<f64> {
        let value = |t: usize| {
            if (49..=149).contains(&t) {
                inside
            } else {
                outside
            }
        };
        (0..losses.len()).map(value).collect()
    };
    let config = PlateausConfig::new(20, 1e-3);
    let saddle_like = |norm: f64, eigenvalue: f64| {
        let config = config
            .clone()
            .with_gradient_norms(on_it(norm, 1.0), 1e-2)
            .with_lambda_min(on_it(eigenvalue, 3.0));
        run(&config, &losses)[0].saddle_like
    };
    assert_eq!(saddle_like(1e-3, -0.1), Some(true));
    assert_eq!(saddle_like(1e-3, 0.1), Some(false));
    assert_eq!(saddle_like(0.1, -0.1), Some(false));
    assert_eq!(saddle_like(1e-3, f64::NAN), None);
    let norms = config.clone().with_gradient_norms(on_it(1e-3, 1.0), 1e-2);
    assert_eq!(run(&norms, &losses)[0].saddle_like, None);
    // Monitors measure at some steps only.
    let mut sparse = vec![f64::NAN; losses.len()];
    (sparse[0], sparse[100]) = (2.0, -0.5);
    let sparse = norms.with_lambda_min(sparse);
    assert_eq!(run(&sparse, &losses)[0].saddle_like, Some(true));
}

#[test]
fn losses_that_are_not_finite_interrupt_a_plateau() {
    for bad in [f64::NAN, f64::INFINITY] {
        let mut losses = vec![1.0; 60];
        losses[30] = bad;
        let found = run(&PlateausConfig::new(5, 1e-3), &losses);
        assert_eq!(places(&found), [(0, 29), (26, 34), (31, 59)]);
    }
}

#[test]
fn every_setting_matters() {
    let losses = losses();
    let all = |value: f64| vec![value; losses.len()];
    let base = PlateausConfig::new(20, 1e-3)
        .with_gradient_norms(all(1e-3), 1e-2)
        .with_lambda_min(all(-1.0));
    let with = |window, max_rate| {
        PlateausConfig::new(window, max_rate)
            .with_gradient_norms(all(1e-3), 1e-2)
            .with_lambda_min(all(-1.0))
    };
    let settings = vec![
        ("window", with(10, 0.018)),
        ("max_rate", with(20, 0.018)),
        ("drop_ratio", base.clone().with_drop_ratio(100.0)),
        ("block_medians", base.clone().with_block_medians(true)),
        (
            "gradient_norms",
            base.clone().with_gradient_norms(all(1e-3), 1e-4),
        ),
        ("lambda_min", base.clone().with_lambda_min(all(f64::NAN))),
    ];
    each_matters(&base, settings, |config| {
        format!("{:?}", config.run(&losses).unwrap())
    });
}

#[test]
fn settings_out_of_range_are_refused() {
    let losses = losses();
    let count = losses.len();
    let base = PlateausConfig::new(20, 1e-3);
    for (config, name) in [
        (PlateausConfig::new(0, 1e-3), "window"),
        (PlateausConfig::new(count, 1e-3), "window"),
        (PlateausConfig::new(20, 0.0), "max_rate"),
        (PlateausConfig::new(20, f64::NAN), "max_rate"),
        (base.clone().with_drop_ratio(0.0), "drop_ratio"),
        (
            base.clone().with_gradient_norms(vec![1.0; 3], 1.0),
            "gradient_norms.len()",
        ),
        (
            base.clone().with_gradient_norms(vec![1.0; count], -1.0),
            "small",
        ),
        (base.clone().with_lambda_min([1.0]), "lambda_min.len()"),
    ] {
        match config.run(&losses).unwrap_err() {
            TrajectoryError::OutOfRange(error) => assert_eq!(error.name, name),
            error => panic!("{error}"),
        }
    }
    assert!(PlateausConfig::new(count - 1, 1e-3).run(&losses).is_ok());
    assert!(PlateausConfig::new(1, 1e-3).run(&[]).is_err());
}

#[test]
fn plateaus_go_through_json() {
    let found = run(&PlateausConfig::new(20, 1e-3), &losses());
    let read = Vec::<Plateau>::from_json(&found.to_json().unwrap()).unwrap();
    assert_eq!(read, found);
}
