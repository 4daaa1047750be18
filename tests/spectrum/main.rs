//! Spectra of models: against dense matrices in f64, closed forms, and the laws they owe.
//!
//! A binary of its own: it sets the default type of the device, once in a process.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod answers;
mod bad_input;
mod coverage;
mod digits;
mod fixture;
mod laws;
mod points;
mod single_precision;
