//! Devices of other processes: servers on loopback, in this process and in a child, and a proxy on the way that fails.
//!
//! A binary of its own: it needs Burn's server, and a session that ends cannot be opened again by the process.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod remote {
    mod agreement;
    mod alone;
    mod deaths;
    mod faults;
    mod limit;
    mod problem;
    mod proxy;
    mod refusals;
    mod runs;
    mod servers;
    mod silence;
    mod traffic;
    mod training;
}
