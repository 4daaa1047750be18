//! What runs at the devices' default type, by the rooms of the library.
//!
//! Tests run side by side: none depends on the device's random stream (`stream`), on what is allocated (`loaders`),
//! or on another default (`f64`).
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod space {
    mod direction_norms;
    mod parameters;
    mod planes;
    mod roundtrip;
    mod traps;
    #[cfg(feature = "ndarray")]
    mod two_devices;
    mod vectors;
}
mod loss {
    mod breaks;
    #[cfg(feature = "dataset")]
    mod data;
    mod errors;
    mod observer;
}
mod optim {
    mod certificate;
    mod conformance;
    mod errors;
    mod exact;
    mod fixture;
    mod golden;
    mod guards;
    mod laws;
    mod machine;
    mod own_ascent;
    mod precision;
    mod projections;
    mod records;
    mod registry;
    mod saddle_escape;
    mod saddle_free;
    mod settings;
    mod statistics;
    mod subspace_bases;
    mod subspaces;
    mod tickets;
    mod trust_region;
    mod trust_region_newton;
    mod weight_masks;
}
mod curvature {
    mod fisher_margins;
    mod krylov_on_models;
    mod minima;
}
mod sharpness {
    mod average_sharpness;
    mod bits;
    mod every_measure;
    mod fixed_length;
    mod growth;
    pub(crate) mod models;
    mod refusals;
    mod sampling;
    mod scales;
    mod single_precision;
    mod volumes;
    mod worst_case_sharpness;
}
mod landscape {
    mod directions;
    mod landscapes;
    mod models;
    mod policies;
    mod refusals;
    mod settings;
    mod stops;
    mod threads;
    mod trees;
}
mod path {
    mod bands;
    mod calibration;
    mod curves;
    mod fit_errors;
    mod fitting;
    mod instability;
    mod layers;
    mod model_tree;
    pub(crate) mod models;
    mod modules;
    mod normalization;
    mod own_optimizer;
    mod profiles;
    mod registry;
    mod ring;
    mod schedules;
    pub(crate) mod settings;
    mod simplexes;
}
mod merge {
    #[cfg(feature = "ndarray")]
    mod devices;
}
/// Through several rooms: batches, points and jobs on two devices.
#[cfg(feature = "ndarray")]
mod devices {
    mod exact_order;
    mod faults;
    mod fixture;
    mod losses;
    mod measures;
    mod normalization;
    mod operators;
    mod queue;
    mod refusals;
    mod sharpness_aware;
}
mod trajectory {
    #[cfg(feature = "files")]
    mod checkpoints;
    #[cfg(feature = "files")]
    mod fixture;
    mod in_memory;
    #[cfg(feature = "files")]
    mod logs;
    mod nulls;
    mod pca;
    mod plateaus;
    mod points;
    mod projections;
    mod quasi_convexity;
    mod ribbons;
}
mod dynamics {
    mod edge_of_stability;
    mod edges;
    mod flow;
    mod history;
    #[cfg(feature = "train")]
    mod learner;
    mod model;
    mod monitors;
    mod quadratic;
    mod refusals;
    mod settings;
    #[cfg(feature = "train")]
    #[path = "../optim/learner/silent.rs"]
    #[allow(dead_code, reason = "shared with the tests of the strategy")]
    mod silent;
    mod warm;
}
mod writing {
    mod merge_results;
    mod results;
    mod training_results;
}
#[cfg(feature = "report")]
mod report {
    mod figures;
    mod models;
    mod pages;
    mod panels;
    mod readings;
    mod sentences;
    mod trust;
}
/// Through several rooms: a loss times powers of two.
mod scales {
    mod answers;
    mod claims;
    mod exponents;
    mod models;
    mod sweep;
    mod vectors;
}

use burnscape_testkit::single as element;
