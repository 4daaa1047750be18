//! Sharpness-aware training with Burn's `Learner`: equal, bit for bit, to loops written by hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail them"
)]

mod checkpoints;
mod in_step;
mod losses;
mod model;
mod observing;
mod refusals;
mod silent;
mod statistics;
mod steps;
mod tied;
mod training;
