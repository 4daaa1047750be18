//! Training watched step by step: readings with known answers, at known costs.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod edge_of_stability;
mod edges;
mod history;
#[cfg(feature = "train")]
mod learner;
mod model;
mod quadratic;
mod refusals;
#[cfg(feature = "train")]
#[path = "../learner/silent.rs"]
#[allow(dead_code, reason = "shared with the tests of the strategy")]
mod silent;
mod warm;
