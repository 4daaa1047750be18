//! Models at their minima, in single precision.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod claims;
mod host;
mod modes;
mod problem;
mod siblings;
mod sweep;

use burn::tensor::Device;

pub(crate) const TYPE: &str = "f32";
pub(crate) const EPSILON: f64 = f32::EPSILON as f64;

pub(crate) fn device() -> Device {
    Device::flex()
}

/// The nearest number of the element type.
pub(crate) fn rounded(value: f64) -> f64 {
    f64::from(value as f32)
}

#[test]
fn twenty_minima_of_each_kind_have_hessians_and_reports_and_detached_tensors_are_refused() {
    sweep::sweep(0..20);
}

#[test]
#[ignore = "cargo xtask sweep minima"]
fn sweep_minima_f32() {
    sweep::sweep(0..200);
}
