//! Losses times powers of two in f64: a power of two changes no digit of anything, and so no answer.
//!
//! A test binary of its own: a device's default type is set once in a process.
#![cfg(test)]
#![allow(clippy::expect_used, reason = "a failed expectation fails the test")]

mod answers;
mod claims_f64;
mod models;
mod sweep;

use std::ops::RangeInclusive;
use std::sync::Once;

use burn::tensor::{DType, Device, FloatDType};

const DTYPE: DType = DType::F64;
const EPSILON: f64 = f64::EPSILON;
/// Exponents of normal numbers.
const NORMAL: RangeInclusive<i32> = -1022..=1023;
const SEEDS: u64 = 10;
const LARGEST: i32 = 900;
/// Exponents beyond those, with room for the values of gradients and none for their squares.
const FAR: [i32; 4] = [-960, -600, 600, 1000];
const STEP: usize = 15;

fn exponents() -> impl Iterator<Item = i32> {
    (-LARGEST..=LARGEST).step_by(STEP)
}

fn device() -> Device {
    static F64: Once = Once::new();
    F64.call_once(|| {
        Device::flex()
            .configure(FloatDType::F64)
            .expect("the first use of the device");
    });
    Device::flex()
}

#[test]
fn no_answer_depends_on_the_scale_of_the_loss() {
    sweep::sweep(SEEDS);
}

#[test]
#[ignore = "cargo xtask sweep scales"]
fn sweep_scales_f64() {
    sweep::sweep(1);
}
