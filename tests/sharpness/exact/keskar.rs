//! Keskar's box against its corners.

use burn::tensor::Tensor;
use burnscape::loss::Evaluator;
use burnscape::sharpness::KeskarConfig;

use crate::models::{Point, close, device, matrix, quadratic};

#[test]
fn a_linear_loss_rises_to_the_corner_in_one_step() {
    let (model, data) = (
        Point::new(&[0.5, -2.0, 0.0]),
        [Tensor::<1>::from_data([3.0, -4.0, 0.5], &device())],
    );
    let loss = |m: &Point, g: Tensor<1>| (m.w.val() * g).sum() + 1.0;
    let found = KeskarConfig::new(0.01)
        .with_num_starts(1)
        .measure(&model, &Evaluator::new(&loss), &data)
        .unwrap();
    // 1 + 1.5 + 8; widths 1.5, 3 and 1.
    let rise = 0.01 * (3.0 * 1.5 + 4.0 * 3.0 + 0.5);
    close(found.base_loss, 10.5, 1e-14);
    close(found.rise, rise, 1e-12);
    close(found.sharpness, 100.0 * rise / 11.5, 1e-12);
    assert_eq!((found.at_bounds, found.num_gradients), (1.0, 2));
    assert!(found.converged && found.completed);
    close(
        found.displacement_norm,
        0.01 * (2.25 + 9.0 + 1.0_f64).sqrt(),
        1e-12,
    );
}

#[test]
fn a_convex_loss_is_highest_in_the_best_of_all_corners() {
    let h = [[4.0, 1.0, 0.5], [1.0, 1.0, -0.3], [0.5, -0.3, 2.0]];
    let (w, epsilon) = ([0.3_f64, -0.2, 0.1], 0.5);
    let value = |w: [f64; 3]| -> f64 {
        let rows = (0..3).map(|i| (0..3).map(|j| w[i] * h[i][j] * w[j]).sum::<f64>());
        0.5 * rows.sum::<f64>()
    };
    let corners = (0..8).map(|corner: usize| {
        value(std::array::from_fn(|i| {
            let sign = if corner >> i & 1 == 1 { 1.0 } else { -1.0 };
            w[i] + sign * epsilon * (w[i].abs() + 1.0)
        }))
    });
    let rise = corners.fold(0.0, f64::max) - value(w);
    let found = KeskarConfig::new(epsilon)
        .with_num_starts(10)
        .measure(&Point::new(&w), &Evaluator::new(&quadratic), &matrix(h))
        .unwrap();
    close(found.rise, rise, 1e-12);
    close(found.sharpness, 100.0 * rise / (1.0 + value(w)), 1e-12);
    assert_eq!(found.at_bounds, 1.0);
    assert!(found.standard_error.is_some() && found.rises.len() == 10);
}

#[test]
fn a_maximum_inside_the_box_is_found() {
    let (model, data) = (
        Point::new(&[0.0, 0.0]),
        [Tensor::<1>::from_data([0.03, -0.07], &device())],
    );
    let loss = |m: &Point, top: Tensor<1>| (m.w.val() - top).square().sum().neg() + 1.0;
    let found = KeskarConfig::new(0.1)
        .with_num_steps(100)
        .measure(&model, &Evaluator::new(&loss), &data)
        .unwrap();
    assert!((found.rise - 0.0058).abs() < 1e-7, "{}", found.rise);
    assert_eq!(found.at_bounds, 0.0);
    assert!(found.converged);
}

#[test]
fn a_box_of_no_width_has_no_rise() {
    let data = matrix([[2.0, 1.0], [1.0, 2.0]]);
    let found = KeskarConfig::new(0.0)
        .measure(&Point::new(&[1.0, 1.0]), &Evaluator::new(&quadratic), &data)
        .unwrap();
    assert_eq!((found.rise, found.sharpness), (0.0, 0.0));
}
