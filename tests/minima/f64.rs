//! Models at their minima, in double precision.
//!
//! A binary of its own: it sets the default type of the device, once in a process.
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

use std::sync::Once;

use burn::tensor::{Device, FloatDType};

pub(crate) const TYPE: &str = "f64";
pub(crate) const EPSILON: f64 = f64::EPSILON;

pub(crate) fn device() -> Device {
    static F64: Once = Once::new();
    F64.call_once(|| Device::flex().configure(FloatDType::F64).unwrap());
    Device::flex()
}

/// The nearest number of the element type.
pub(crate) fn rounded(value: f64) -> f64 {
    value
}

#[test]
fn twenty_minima_of_each_kind_have_hessians_and_reports_and_detached_tensors_are_refused() {
    sweep::sweep(0..20);
}

#[test]
#[ignore = "cargo xtask sweep minima"]
fn sweep_minima_f64() {
    sweep::sweep(0..200);
}
