//! The worst case in a ball against exact maximizers.

use burnscape::krylov::Outcome;
use burnscape::loss::Risk;
use burnscape::sharpness::{WorstCaseSharpness, WorstCaseSharpnessConfig};

use super::models::{Point, matrix, quadratic};

#[test]
fn the_worst_case_of_the_two_dimensional_valley_is_the_exact_maximizer() {
    let model = Point::new(&[1.0, 1.0]);
    let data = matrix([[4.0, 0.0], [0.0, 1.0]]);
    let point = WorstCaseSharpnessConfig::new(0.5)
        .with_num_steps(60)
        .with_tolerance(0.0)
        .run(&Risk::new(&quadratic, &data), &model)
        .unwrap();
    assert!((point.rise - (5.0451834 - 2.5)).abs() < 1e-6);
    let e = point.displacement.as_ref().unwrap().to_host().unwrap();
    assert!(
        (e[0] - 0.49186465).abs() < 1e-6 && (e[1] - 0.08982855).abs() < 1e-6,
        "{e:?}"
    );
    assert!((point.displacement_norm - 0.5).abs() < 1e-9);
    assert!(point.on_boundary);
    assert!((point.alignment.unwrap() - 1.0).abs() < 1e-9);
    // The default ends near enough in fewer steps.
    let quick = WorstCaseSharpnessConfig::new(0.5)
        .run(&Risk::new(&quadratic, &data), &model)
        .unwrap();
    assert!((quick.rise - (5.0451834 - 2.5)).abs() < 1e-6, "{quick:?}");
    assert!(quick.outcome.is_converged());
    assert!(quick.standard_error.unwrap() < 1e-6);
}

#[test]
fn the_first_step_from_the_center_is_that_of_sam() {
    let model = Point::new(&[1.0, 1.0]);
    let data = matrix([[4.0, 0.0], [0.0, 1.0]]);
    let point = WorstCaseSharpnessConfig::new(0.5)
        .with_num_steps(1)
        .with_num_starts(1)
        .run(&Risk::new(&quadratic, &data), &model)
        .unwrap();
    let e = point.displacement.as_ref().unwrap().to_host().unwrap();
    assert!((e[0] - 0.48507125).abs() < 1e-7 && (e[1] - 0.12126781).abs() < 1e-7);
    assert!((point.base_loss + point.rise - 5.0394940).abs() < 1e-6);
    assert_eq!(point.num_gradients, 2);
    assert_eq!(point.standard_error, None);
}

#[test]
fn an_inner_maximum_is_found_and_the_boundary_is_not_active() {
    // -½|w|² from (0.1, 0): the top is at the origin, inside the ball.
    let model = Point::new(&[0.1, 0.0]);
    let data = matrix([[-1.0, 0.0], [0.0, -1.0]]);
    let rise = WorstCaseSharpnessConfig::new(1.0)
        .with_num_steps(60)
        .run(&Risk::new(&quadratic, &data), &model)
        .unwrap();
    assert!((rise.rise - 0.005).abs() < 1e-6, "{rise:?}");
    assert!(!rise.on_boundary);
}

#[test]
fn an_ascent_never_starts_at_a_stationary_center() {
    let model = Point::new(&[0.0, 0.0]);
    let data = matrix([[4.0, 0.0], [0.0, 1.0]]);
    let measure = |num_starts| {
        WorstCaseSharpnessConfig::new(0.5)
            .with_num_starts(num_starts)
            .with_num_steps(40)
            .run(&Risk::new(&quadratic, &data), &model)
            .unwrap()
    };
    // ½ λ_max ρ², from a single start too.
    for num_starts in [1, 3] {
        let found = measure(num_starts);
        assert!((found.rise - 0.5).abs() < 1e-6, "{found:?}");
        assert!(found.rises.iter().all(|rise| (rise - 0.5).abs() < 1e-6));
        assert!(found.outcome.is_converged());
    }
    // A flat loss has nothing to climb, and no alignment.
    let flat = WorstCaseSharpnessConfig::new(0.5)
        .run(&Risk::new(&quadratic, &matrix([[0.0; 2]; 2])), &model)
        .unwrap();
    assert_eq!(
        (flat.rise, flat.alignment, flat.outcome),
        (0.0, None, Outcome::Converged)
    );
}

#[test]
fn the_best_of_several_maxima_is_kept_and_the_error_shows_that_there_are_several() {
    // On a line through a valley both ends of the ball are maxima: ½ 0.6² and ½ 0.4².
    let (model, data) = (Point::new(&[0.1]), matrix([[1.0]]));
    let measure = |seed| {
        WorstCaseSharpnessConfig::new(0.5)
            .with_seed(seed)
            .run(&Risk::new(&quadratic, &data), &model)
            .unwrap()
    };
    let runs: Vec<_> = (0..8).map(measure).collect();
    for run in &runs {
        assert!((run.rise - 0.175).abs() < 1e-9, "{run:?}");
    }
    let lower = |rise: f64| (rise - 0.075).abs() < 1e-9;
    let last_is_lower = |run: &&WorstCaseSharpness| lower(run.rises[2]);
    let mixed = runs.iter().find(last_is_lower).unwrap();
    assert!(mixed.standard_error.unwrap() > 0.01);
}
