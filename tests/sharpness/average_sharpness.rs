//! The average rise and its standard error on a quadratic.

use burnscape::loss::Risk;
use burnscape::sharpness::AverageSharpnessConfig;

use super::models::{H, Point, TRACE, matrix, quadratic};

#[test]
fn the_average_rise_of_a_quadratic_is_half_the_trace_times_the_variance() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    for seed in 0..8 {
        for antithetic in [false, true] {
            let rise = AverageSharpnessConfig::new(0.1)
                .with_num_samples(150)
                .with_antithetic(antithetic)
                .with_seed(seed)
                .run(&Risk::new(&quadratic, &data), &model)
                .unwrap();
            let error = rise.standard_error.unwrap();
            let exact = 0.1 * 0.1 * TRACE / 2.0;
            assert!((rise.rise - exact).abs() < 4.0 * error, "{seed}: {rise:?}");
            assert_eq!(rise.num_losses, if antithetic { 301 } else { 151 });
        }
    }
}

#[test]
fn antithetic_pairs_remove_the_gradients_part_of_the_error() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let error = |antithetic| {
        AverageSharpnessConfig::new(0.01)
            .with_antithetic(antithetic)
            .run(&Risk::new(&quadratic, &data), &model)
            .unwrap()
            .standard_error
            .unwrap()
    };
    assert!(error(true) < 0.05 * error(false));
}

#[test]
fn the_standard_error_shrinks_with_the_root_of_the_number_of_samples() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let error = |num_samples| {
        AverageSharpnessConfig::new(0.1)
            .with_num_samples(num_samples)
            .run(&Risk::new(&quadratic, &data), &model)
            .unwrap()
            .standard_error
            .unwrap()
    };
    let ratio = error(100) / error(1600);
    assert!((3.0..5.3).contains(&ratio), "{ratio}");
}

#[test]
fn the_standard_error_is_the_scatter_of_repeated_measurements() {
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let runs: Vec<_> = (0..100)
        .map(|seed| {
            AverageSharpnessConfig::new(0.1)
                .with_num_samples(30)
                .with_seed(seed)
                .run(&Risk::new(&quadratic, &data), &model)
                .unwrap()
        })
        .collect();
    let exact = 0.1 * 0.1 * TRACE / 2.0;
    let scatter = runs.iter().map(|r| (r.rise - exact).powi(2)).sum::<f64>() / 100.0;
    let claimed = runs.iter().map(|r| r.standard_error.unwrap().powi(2));
    let ratio = scatter / (claimed.sum::<f64>() / 100.0);
    // A chi-squared variable of 100 degrees of freedom over 100.
    assert!((0.6..1.5).contains(&ratio), "{ratio}");
}
