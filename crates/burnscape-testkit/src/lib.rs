//! Test support for Burnscape: golden files, tolerances, small models, dense eigenvalues, and losses with known results.
//! Unpublished. It depends on Burn but on none of the other crates, so that all of them can use it.

pub mod double;
mod eigenvalues;
pub mod golden;
pub mod models;
pub mod objectives;
pub mod programs;
pub mod single;
mod symmetric;
mod tolerance;
mod turn;

pub use eigenvalues::eigenvalues;
pub use symmetric::Symmetric;
pub use tolerance::tolerance;
pub use turn::turn;
