//! Fisher matrices at margins in double precision. A binary of its own: the element type belongs to the process.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

mod case;

use std::sync::Once;

use burn::tensor::{Device, FloatDType};
use case::{Precision, SHARE, hold, hold_all, hold_sampled};

fn precision() -> Precision {
    static DOUBLE: Once = Once::new();
    DOUBLE.call_once(|| {
        let mut device = Device::flex();
        device.configure(FloatDType::F64).expect("a fresh device");
    });
    Precision {
        device: Device::flex(),
        tolerance: 1e-13,
        round: |x| x,
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
