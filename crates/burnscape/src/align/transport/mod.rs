//! Alignment by optimal transport: a model moved onto another one, which may have other widths.
//!
//! [`pairing`] finds the groups of both models that are one, [`roles`] which members of a group make its units and
//! which read them, [`cost`] how far units are apart. [`exact`] and [`entropic`] find the plans, and [`moved`] applies
//! them.

mod config;
mod cost;
mod entropic;
mod exact;
mod model;
mod moved;
mod pairing;
mod result;
mod roles;

pub use config::TransportConfig;
pub use result::{TransportPlan, Transported};
