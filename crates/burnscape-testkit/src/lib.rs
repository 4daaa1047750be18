//! Test support for Burnscape: golden files, tolerances, small models, and losses whose answers are
//! known on paper. Unpublished; depends on Burn and on none of the other crates, so that they may
//! all use it.

pub mod golden;
pub mod models;
pub mod objectives;
mod tolerance;

pub use tolerance::tolerance;
