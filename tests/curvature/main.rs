//! Curvature operators over data: the right numbers, whatever the batches, in double precision.
//!
//! A binary of its own: it sets the default type of the device, once in a process.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod bad_input;
mod data;
mod differences;
mod fixture;
mod half;
#[path = "../../benches/curvature/models.rs"]
#[allow(dead_code, reason = "shared with the benchmark")]
mod models;
mod modes;
mod operators;
mod policies;
mod real_models;
mod settings;
mod spectra;
mod vectors;
