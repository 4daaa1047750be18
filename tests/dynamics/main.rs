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
mod model;
mod quadratic;
mod refusals;
mod warm;
