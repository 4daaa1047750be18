//! Sharpness by curvature, boxes and bounds, against closed forms and dense matrices in double
//! precision.
//!
//! A binary of its own: it sets the default type of the device, once in a process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test fails as the test itself does"
)]

mod curvature;
mod dimension;
mod fisher;
mod flatness;
mod keskar;
mod models;
mod observers;
mod pac_bayes;
mod refusals;
mod reparameterization;
mod report;
