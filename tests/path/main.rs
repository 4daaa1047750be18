//! Paths between models against exact answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test fails as the test itself does"
)]

mod bands;
mod calibration;
mod curves;
mod fit_errors;
mod fitting;
mod instability;
mod layers;
mod models;
mod modules;
mod normalization;
mod planes;
mod profiles;
mod ring;
mod schedules;
mod simplexes;
