//! Sharpness measures against exact answers.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test itself does"
)]

mod average;
mod directions;
mod every_measure;
mod models;
mod refusals;
mod sampling;
mod scales;
mod single_precision;
mod worst_case;
