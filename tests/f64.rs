//! What runs where double precision is the device's default type, by the rooms of the library.
//!
//! A binary of its own: the default type is set once in a process. Tests run side by side: none depends on the
//! device's random stream (`stream_f64`).
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod space {
    mod f64_device;
}
mod loss {
    mod fields;
    mod partition;
    mod recorded;
}
mod optim {
    mod accumulation;
    mod golden;
}
mod curvature {
    #[cfg(feature = "ndarray")]
    mod bad_input;
    mod budgets;
    mod coupling;
    mod covariance;
    mod data;
    mod differences;
    mod fisher_margins;
    mod fixture;
    mod golden;
    mod half;
    mod minima;
    mod operators;
    mod policies;
    mod products;
    mod settings;
    mod spectra;
    mod vectors;
}
mod spectrum {
    mod answers;
    mod bad_input;
    mod coverage;
    mod critical_points;
    mod digits;
    mod fixture;
    mod laws;
    mod points;
    mod settings;
    mod single_precision;
}
mod sharpness {
    mod coercivity;
    mod effective_dimension;
    mod fisher_rao;
    mod keskar;
    mod networks;
    mod observers;
    mod pac_bayes;
    mod refused_measures;
    mod relative_flatness;
    mod report;
    mod rescale;
    mod scaled_curvature;
    pub(crate) mod settings;
}
/// Through several rooms: batches on two devices.
#[cfg(feature = "ndarray")]
mod devices {
    mod exact_order;
    mod fixture;
    mod losses;
    mod normalization;
    mod operators;
}
/// Through several rooms: intervals against what they hold.
mod intervals;
mod symmetry;
mod landscape {
    mod caches;
}
mod dynamics {
    mod commutators;
    mod kernel;
    mod noise;
    mod tails;
}
mod posterior;
mod align {
    mod activations;
    mod gauges;
    mod many;
    mod searches;
    mod sinkhorn;
    mod straight_through;
    mod transport;
    mod weights;
}
mod merge {
    mod averages;
    mod extremes;
    #[cfg(feature = "files")]
    mod files;
    mod laws;
    mod layers;
    mod matrix_methods;
    mod repair;
    mod statistics;
    mod task_methods;
}
/// Through several rooms: a loss times powers of two.
mod scales {
    mod answers;
    mod claims_f64;
    mod exponents;
    mod models;
    mod sweep;
}

/// The survey's digits.
#[path = "../examples/survey"]
#[allow(dead_code, reason = "the survey uses more of them")]
mod survey {
    pub(crate) mod data;
}

use burnscape_testkit::double as element;
