//! Derivatives in double precision. One binary, since every one links Burn; single precision has one of its own
//! because a device has one default type in a process.
#![cfg(feature = "flex")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

#[cfg(feature = "ndarray")]
mod devices;
mod fields;
mod finite;
mod inputs;
mod maps;
mod prepared;
mod third;
mod zeros;
