//! What optimizers do with exact curvature, on losses whose answers are known on paper.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod certificate;
mod precision;
mod saddle_free;
mod statistics;
mod trust_region;

use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burnscape_testkit::objectives::Point;

fn device() -> Device {
    Device::flex().autodiff()
}

fn sgd() -> ModuleOptimizer {
    SgdConfig::new().init()
}

fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &device(), DType::F64)
}

/// For losses that look at no data.
fn no_data() -> Tensor<1> {
    Tensor::zeros([1], (&device(), DType::F64))
}

#[track_caller]
fn assert_near(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "found {found}, expected {expected}"
    );
}
