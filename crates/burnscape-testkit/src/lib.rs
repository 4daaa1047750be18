//! Test support for Burnscape: golden files, tolerances, small models, dense eigenvalues, and losses
//! whose answers are known on paper. Unpublished; depends on Burn and on none of the other crates, so that they may
//! all use it.

pub mod double;
mod eigenvalues;
pub mod golden;
pub mod models;
pub mod objectives;
pub mod single;
mod symmetric;
mod tolerance;
mod turn;

pub use eigenvalues::eigenvalues;
pub use symmetric::Symmetric;
pub use tolerance::tolerance;
pub use turn::turn;
