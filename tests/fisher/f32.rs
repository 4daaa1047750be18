//! Fisher matrices at margins in single precision. A binary of its own: the element type belongs to the process.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

mod case;

use burn::tensor::Device;
use case::{Precision, SHARE, hold, hold_all, hold_sampled};

fn precision() -> Precision {
    Precision {
        device: Device::flex(),
        tolerance: 1e-5,
        round: |x| f64::from(x as f32),
    }
}

#[test]
fn fisher_is_gauss_newton_at_any_margin() {
    hold(0..SHARE, &precision());
}

#[test]
fn a_sampled_score_keeps_what_is_left_of_a_probability_near_one() {
    hold_sampled(&precision());
}

#[test]
#[ignore = "cargo xtask sweep fisher"]
fn sweep_fisher_at_margins() {
    hold_all(&precision());
}
