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
    mod example;
    mod faults;
    mod iroh;
    mod limit;
    mod problem;
    mod proxy;
    mod refusals;
    mod runs;
    #[path = "../../examples/serve.rs"]
    #[allow(dead_code, reason = "`main` is for the example")]
    mod serve;
    mod servers;
    mod silence;
    mod silent_steps;
    mod traffic;
    mod training;
}
