//! Losses times powers of two in f32: a power of two changes no digit of anything, and so no answer.
//!
//! A test binary of its own: a device's default type is set once in a process.
#![cfg(test)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod answers;
mod claims;
mod models;
mod sweep;
mod vectors;

use std::ops::RangeInclusive;

use burn::tensor::{DType, Device};

const DTYPE: DType = DType::F32;
const EPSILON: f64 = f32::EPSILON as f64;
/// Exponents of normal numbers.
const NORMAL: RangeInclusive<i32> = -126..=127;
const SEEDS: u64 = 10;
const LARGEST: i32 = 60;
/// Exponents beyond those, with room for the values of gradients and none for their squares.
const FAR: [i32; 4] = [-85, -75, 75, 100];
const STEP: usize = 1;

fn exponents() -> impl Iterator<Item = i32> {
    (-LARGEST..=LARGEST).step_by(STEP)
}

fn device() -> Device {
    Device::flex()
}

#[test]
fn no_answer_depends_on_the_scale_of_the_loss() {
    sweep::sweep(SEEDS);
}

#[test]
#[ignore = "cargo xtask sweep scales"]
fn sweep_scales_f32() {
    sweep::sweep(1);
}
