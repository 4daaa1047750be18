//! What needs the default element type of the devices: refusals, moves, parameters. Why there are few binaries: `double.rs`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod errors;
mod moves;
mod parameters;
mod upstream;
