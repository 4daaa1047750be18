//! The tests of the crate, in one binary: the methods are generic, and every binary would compile them anew.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod blocks;
mod checks;
mod comparisons;
mod counted;
mod davidson;
mod densities;
mod device;
mod diagonals;
mod edges;
mod eigenpairs;
mod ends;
mod errors;
mod flows;
mod invariances;
mod inverses;
mod lanczos;
mod laws;
mod methods;
mod observers;
mod orthonormal;
mod outliers;
mod polar;
mod probes;
mod properties;
mod records;
mod registry;
mod results;
mod runs;
mod scales;
mod solves;
mod spectra;
mod traces;
mod trust_region;
