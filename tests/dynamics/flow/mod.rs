//! Gradient flows and central flows against closed forms, what they conserve, and the row space.

mod balance;
mod central;
mod descent;
mod refusals;
mod row_space;
mod settings;
mod stops;

use burn::tensor::{DType, Device, Tensor, TensorData};
use burnscape_testkit::objectives::Point;

/// A point in double precision, on autodiff.
fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &Device::default().autodiff(), DType::F64)
}

/// A batch in double precision.
fn batch(values: &[f64]) -> Tensor<1> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Tensor::from_data(data, (&Device::default(), DType::F64))
}

fn coordinate(point: &Point, index: usize) -> Tensor<1> {
    point.w.val().slice(index..index + 1)
}

/// `½ (w₁ + 2 w₂ − 5)²` for the row (1, 2), with a sharpness of 5.
fn regression(point: &Point, row: Tensor<1>) -> Tensor<1> {
    ((point.w.val() * row).sum() - 5.0).square() * 0.5
}

/// `½ y x² + ½ (y − c)²`: gradient descent with a rate of 0.1 ends on `y = 20` with `x² = 2 (c − 20)`.
fn valley(point: &Point, c: Tensor<1>) -> Tensor<1> {
    let (x, y) = (coordinate(point, 0), coordinate(point, 1));
    (y.clone() * x.square() + (y - c).square()) * 0.5
}

#[track_caller]
fn assert_near(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{found} for {expected}"
    );
}
