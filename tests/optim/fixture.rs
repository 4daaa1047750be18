//! Points in double precision, on a device whose default is single.

use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use burnscape::optim::{Ascent, Sam, SamConfig};
use burnscape_testkit::objectives::Point;

pub(crate) fn device() -> Device {
    Device::flex().autodiff()
}

pub(crate) fn sgd() -> ModuleOptimizer {
    SgdConfig::new().init()
}

/// SAM whose worst point is exact to the last digits.
pub(crate) fn exact(seed: u64) -> SamConfig {
    let ascent = Ascent::TrustRegion {
        max_basis: 30,
        tolerance: 1e-13,
    };
    SamConfig::new().with_ascent(ascent).with_seed(seed)
}

pub(crate) fn build(config: SamConfig) -> Sam {
    config.init(sgd()).expect("a valid configuration")
}

pub(crate) fn point(coordinates: &[f64]) -> Point {
    Point::new(coordinates, &device(), DType::F64)
}

/// For losses without data.
pub(crate) fn no_data() -> Tensor<1> {
    Tensor::zeros([1], (&device(), DType::F64))
}

#[track_caller]
pub(crate) fn assert_near(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "found {found}, expected {expected}"
    );
}
