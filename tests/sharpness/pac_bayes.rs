//! PAC-Bayes σ and McAllester's bound in closed form.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use burnscape::krylov::Outcome;
use burnscape::loss::Risk;
use burnscape::sharpness::{
    AverageSharpnessConfig, McAllesterBound, McAllesterConfig, PacBayesSigmaConfig,
};
use burnscape::space::Scale;

use super::networks::{Point, close, device, matrix, quadratic};

const H: [[f64; 3]; 3] = [[4.0, 1.0, 0.5], [1.0, 1.0, -0.3], [0.5, -0.3, 2.0]];

#[test]
fn the_noise_tolerated_by_a_quadratic_is_the_root_of_threshold_over_curvature() {
    // With antithetic pairs the rise is σ² times that of σ = 1, whatever the slope.
    let (model, data) = (Point::new(&[1.0, -0.5, 0.3]), matrix(H));
    let risk = Risk::new(&quadratic, &data);
    for scale in [Scale::Absolute, Scale::ElementRelative] {
        let unit = AverageSharpnessConfig::new(1.0)
            .with_num_samples(20)
            .with_antithetic(true)
            .with_scale(scale)
            .with_seed(4)
            .run(&risk, &model)
            .unwrap();
        // A start far above the answer, and one far below.
        for (threshold, start) in [(1e-3, 10.0), (5.0, 1e-3)] {
            let found = PacBayesSigmaConfig::new(threshold)
                .with_start(start)
                .with_tolerance(1e-6)
                .with_scale(scale)
                .with_seed(4)
                .run(&risk, &model)
                .unwrap();
            assert!(found.outcome.is_converged());
            let exact = (threshold / unit.rise).sqrt();
            close(found.sigma, exact, 1.1e-6);
            assert!(found.sigma <= exact * (1.0 + 1e-12) && found.upper.unwrap() > exact);
            close(found.rise, threshold, 1e-5);
            assert_eq!(found.num_losses, 1 + 40 * found.sigmas.len());
        }
    }
}

#[test]
fn more_samples_approach_the_trace() {
    let (model, data) = (Point::new(&[0.0; 3]), matrix(H));
    let found = PacBayesSigmaConfig::new(0.02)
        .with_num_samples(400)
        .with_tolerance(1e-3)
        .run(&Risk::new(&quadratic, &data), &model)
        .unwrap();
    // σ²/2 · 7 = 0.02. The rise is known to `error`, and σ to half of that relative to it.
    let relative = 0.5 * found.standard_error.unwrap() / found.rise;
    assert!(relative < 0.05);
    close(found.sigma, (0.04_f64 / 7.0).sqrt(), 4.0 * relative + 1e-3);
}

#[test]
fn a_loss_that_is_not_finite_is_not_tolerated() {
    // −ln w has no value at and below zero.
    let loss = |m: &Point, x: Tensor<1>| (m.w.val().log() * x).sum().neg();
    let data = [Tensor::<1>::ones([1], &device())];
    let found = PacBayesSigmaConfig::new(1e-3)
        .with_start(100.0)
        .run(&Risk::new(&loss, &data), &Point::new(&[1.0]))
        .unwrap();
    assert!(found.rises[0].is_infinite());
    assert!(
        found.outcome.is_converged() && found.sigma > 0.01 && found.sigma < 0.2,
        "{found:?}"
    );
    assert!(found.rise <= 1e-3);
}

#[test]
fn a_search_that_finds_no_crossing_says_so() {
    let (model, data) = (Point::new(&[1.0]), [Tensor::<1>::ones([1], &device())]);
    let flat = |m: &Point, x: Tensor<1>| (m.w.val() * 0.0 + x).sum();
    let config = PacBayesSigmaConfig::new(0.1)
        .with_max_steps(5)
        .with_num_samples(2);
    let found = config.run(&Risk::new(&flat, &data), &model).unwrap();
    assert_eq!(
        (found.sigma, found.upper, found.outcome),
        (1.6, None, Outcome::LimitReached)
    );
    let steep = |m: &Point, x: Tensor<1>| ((m.w.val() - 1.0).square() * x).sum() * 1e12;
    let found = config.run(&Risk::new(&steep, &data), &model).unwrap();
    assert_eq!(
        (found.sigma, found.rise, found.outcome),
        (0.0, 0.0, Outcome::LimitReached)
    );
    assert_eq!(found.upper, Some(0.1 / 16.0));
}

#[test]
fn mcallesters_term_is_that_of_the_formula() {
    close(
        McAllesterBound::term(50.0, 1000, 0.05).unwrap(),
        0.169_030_7,
        1e-6,
    );
    let exact = ((20.0_f64 / 0.1).ln() / 200.0).sqrt();
    close(McAllesterBound::term(0.0, 100, 0.1).unwrap(), exact, 1e-14);
}

#[test]
fn the_bound_is_the_sum_of_its_terms() {
    let (model, prior) = (Point::new(&[0.3, -0.4]), Point::new(&[0.0, 0.0]));
    let data = [3.0, 5.0].map(|scale| Tensor::<2>::ones([10, 2], &device()) * scale);
    let loss = |m: &Point, x: Tensor<2>| sigmoid(x.matmul(m.w.val().reshape([2, 1]))).mean();
    let risk = Risk::new(&loss, &data);
    let config = McAllesterConfig::new(0.2)
        .with_delta(0.1)
        .with_num_priors(3);
    let found = config.run(&risk, &model, &prior).unwrap();
    close(found.distance, 0.5, 1e-14);
    close(found.divergence, 0.25 / 0.08, 1e-13);
    assert_eq!(found.num_examples, 20);
    close(
        found.confidence_term,
        (2.0 * 20.0_f64.sqrt() * 3.0 / 0.1).ln(),
        1e-13,
    );
    let complexity = ((found.divergence + found.confidence_term) / 40.0).sqrt();
    close(found.complexity, complexity, 1e-13);
    let noise = AverageSharpnessConfig::new(0.2).run(&risk, &model).unwrap();
    close(found.noisy_loss, noise.base_loss + noise.rise, 1e-13);
    close(found.bound, found.noisy_loss + complexity, 1e-14);
    assert_eq!(found.standard_error, noise.standard_error);
    assert!(found.is_in_range && found.completed);
    // The model itself as its prior: no divergence.
    let none = config.run(&risk, &model, &model).unwrap();
    assert_eq!(none.divergence, 0.0);
}

#[test]
fn losses_outside_the_unit_interval_are_reported() {
    let (model, data) = (Point::new(&[2.0, 1.0, 1.0]), matrix(H));
    let config = McAllesterConfig::new(0.1).with_num_samples(2);
    let found = config
        .run(&Risk::new(&quadratic, &data), &model, &model)
        .unwrap();
    assert!(found.base_loss > 1.0 && !found.is_in_range);
}
