//! Derivatives by the input inside a recorded loss.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation fails the test"
)]

mod critic;
mod evaluated;
mod golden;
mod laws;
mod program;
mod random;
mod refused;
mod steps;
