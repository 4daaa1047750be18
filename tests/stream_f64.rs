//! In double precision, whatever depends on what is drawn from the device's random stream.
//!
//! A binary of its own for two reasons: it sets the default type of the device, once in a process, and no test
//! that draws may run between a seed and its use: they take turns.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod curvature {
    #[allow(dead_code, reason = "shared with other binaries")]
    mod fixture;
    mod masks;
    #[path = "../../benches/curvature/models.rs"]
    #[allow(dead_code, reason = "shared with the benchmark")]
    mod models;
    mod modes;
    mod moving;
    mod real_models;
}
#[cfg(feature = "ndarray")]
mod devices {
    #[allow(dead_code, reason = "shared with other binaries")]
    mod fixture;
    mod float_types;
}
mod loss {
    mod recorded_draws;
}
mod dynamics {
    mod noise {
        mod draws;
        #[allow(dead_code, reason = "shared with other binaries")]
        mod regression;
    }
}
mod posterior {
    mod draws;
}
#[cfg(feature = "train")]
mod real_models;

use burnscape_testkit::double as element;
