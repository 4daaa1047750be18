//! The central flow of gradient descent.

use burn::tensor::Tensor;
use burnscape::dynamics::{CentralFlow, CentralFlowConfig, DynamicsError, GradientFlowConfig};
use burnscape::krylov::RungeKutta;
use burnscape::loss::Risk;
use burnscape_testkit::objectives::Point;

use super::{assert_near, batch, coordinate, point, valley};

fn run(
    config: &CentralFlowConfig,
    loss: fn(&Point, Tensor<1>) -> Tensor<1>,
    number: f64,
    start: &[f64],
) -> Result<CentralFlow<Point>, DynamicsError> {
    let data = [batch(&[number])];
    config.run(&Risk::new(&loss, &data), &point(start))
}

/// `x²` at the end of gradient descent in the valley.
fn descended(c: f64, [mut x, mut y]: [f64; 2]) -> f64 {
    for _ in 0..20_000 {
        (x, y) = (x - 0.1 * y * x, y - 0.1 * (0.5 * x * x + y - c));
    }
    x * x
}

#[test]
fn it_holds_the_edge_and_predicts_the_oscillation_of_descent_from_any_start() {
    let config = CentralFlowConfig::new(0.1, 45.0);
    for (c, variance) in [(20.5, 1.0), (21.0, 2.0)] {
        for start in [[0.5, 11.0], [1.0, 5.0], [2.0, 15.0]] {
            let flow = run(&config, valley, c, &start).unwrap();
            let last = |values: &[f64]| values.last().copied().unwrap();
            assert_near(last(&flow.sigma_squared), variance, 1e-6);
            assert_near(last(&flow.sigma_squared), descended(c, start), 1e-6);
            assert_near(last(&flow.sharpness), 20.0, 1e-7);
            let end = flow.model.coordinates();
            assert_near(end[0], 0.0, 1e-9);
            assert_near(end[1], 20.0, 1e-7);
            // Descent jumps between two points of one loss.
            let jumps = 0.5 * 20.0 * variance + 0.5 * (20.0 - c) * (20.0 - c);
            assert_near(last(&flow.mean_losses()), jumps, 1e-5);
            let highest = flow.sharpness.iter().copied().fold(0.0, f64::max);
            assert!(highest < 20.0 + 1e-3, "{highest}");
            assert!(flow.completed && flow.second_direction.is_none());
            assert!(flow.num_third_derivatives > 10);
            assert_eq!((flow.times[0], last(&flow.times)), (0.0, 45.0));
            assert!(flow.times.is_sorted_by(|a, b| a < b));
        }
    }
}

/// The valley with a center `z` that decays: `½ y x² + ½ (y − z)² + z²/20`.
fn passing(point: &Point, _: Tensor<1>) -> Tensor<1> {
    let [x, y, z] = [0, 1, 2].map(|index| coordinate(point, index));
    (y.clone() * x.square() + (y - z.clone()).square()) * 0.5 + z.square() * 0.05
}

#[test]
fn it_leaves_the_edge_where_the_sharpness_falls_by_itself() {
    let config = CentralFlowConfig::new(0.1, 40.0);
    let flow = run(&config, passing, 0.0, &[0.1, 19.0, 30.0]).unwrap();
    assert!(flow.completed);
    // At the edge σ² = 2 (z − 20), and z − 200/11 decays at a rate of 0.11.
    let points = flow.times.iter().zip(&flow.sigma_squared);
    let held: Vec<(f64, f64)> = points
        .filter(|(time, variance)| **time > 6.0 && **variance > 0.0)
        .map(|(time, variance)| (*time, 0.5 * variance + 20.0 - 200.0 / 11.0))
        .collect();
    assert!(held.len() > 5);
    let (start, offset) = held[0];
    for (time, left) in &held {
        let expected = offset * (-0.11 * (time - start)).exp();
        assert_near(*left, expected, 1e-3);
    }
    // ln(offset / (20 − 200/11)) / 0.11 after the first of these times.
    let exit = start + (offset / (20.0 - 200.0 / 11.0)).ln() / 0.11;
    let ends = flow.times.iter().zip(&flow.sharpness);
    for (time, sharpness) in ends {
        if (1.5..exit - 1.0).contains(time) {
            assert_near(*sharpness, 20.0, 1e-3);
        }
        if *time > exit + 1.0 {
            assert!(*sharpness < 20.0 - 1e-4, "{sharpness} at {time}");
        }
    }
    assert_eq!(flow.sigma_squared.last(), Some(&0.0));
}

#[test]
fn below_the_edge_it_is_the_gradient_flow_in_steps_of_descent() {
    let config = CentralFlowConfig::new(0.01, 20.0)
        .with_method(RungeKutta::DormandPrince)
        .with_relative_tolerance(Some(1e-10))
        .with_absolute_tolerance(Some(1e-12));
    let central = run(&config, valley, 21.0, &[0.5, 15.0]).unwrap();
    let gradient = GradientFlowConfig::new(0.2)
        .with_relative_tolerance(Some(1e-10))
        .with_absolute_tolerance(Some(1e-12));
    let data = [batch(&[21.0])];
    let risk = Risk::new(&valley, &data);
    let gradient = gradient.run(&risk, &point(&[0.5, 15.0])).unwrap();
    let both = central.model.coordinates();
    for (found, expected) in both.iter().zip(gradient.model.coordinates()) {
        assert_near(*found, expected, 1e-7);
    }
    assert!(
        central.completed
            && central
                .sigma_squared
                .iter()
                .all(|variance| *variance == 0.0)
    );
    assert_eq!(central.num_third_derivatives, 0);
    assert_eq!(central.mean_losses(), central.losses);
}

/// `½ y (x₁² + 0.99 x₂²) + ½ (y − c)²`.
fn two_valleys(point: &Point, c: Tensor<1>) -> Tensor<1> {
    let [first, second, y] = [0, 1, 2].map(|index| coordinate(point, index));
    let squares = first.square() + second.square() * 0.99;
    (y.clone() * squares + (y - c).square()) * 0.5
}

#[test]
fn a_second_direction_at_the_edge_ends_the_flow() {
    let config = CentralFlowConfig::new(0.1, 60.0);
    let flow = run(&config, two_valleys, 21.0, &[0.1, 0.1, 15.0]).unwrap();
    assert!(!flow.completed);
    assert_near(flow.second_direction.unwrap(), 0.99 * 20.0, 1e-2);
    assert_near(*flow.sharpness.last().unwrap(), 20.0, 1e-6);
    let end = *flow.times.last().unwrap();
    assert!(end > 5.0 && end < 40.0, "{end}");
    // A start at the edge has no flow.
    let error = run(&config, two_valleys, 21.0, &[0.0, 0.0, 20.0]).unwrap_err();
    let DynamicsError::SecondDirection { second, edge } = error else {
        panic!("{error}");
    };
    assert_near(second, 19.8, 1e-6);
    assert_near(edge, 20.0, 1e-12);
    let text = error.to_string();
    assert!(text.contains("single critical direction"), "{text}");
}

#[test]
fn a_start_a_little_above_the_edge_falls_onto_it() {
    let config = CentralFlowConfig::new(0.1, 20.0);
    let flow = run(&config, valley, 20.5, &[0.0, 20.4]).unwrap();
    for (time, sharpness) in flow.times.iter().zip(&flow.sharpness) {
        // At the rate of one step of descent.
        assert_near(*sharpness, 20.0 + 0.4 * (-time).exp(), 1e-3);
    }
    assert_near(*flow.sigma_squared.last().unwrap(), 1.0, 1e-6);
}
