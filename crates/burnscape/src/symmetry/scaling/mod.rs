//! Symmetries with numbers: positive factors, signs and changes of basis, one for each index of a group.

mod canonical;
mod change_of_basis;
mod config;
mod found;
mod gauges;
mod places;
mod scales;
mod signs;
mod streams;

pub use config::{GaugesConfig, ScalesConfig, SignsConfig};
pub use found::{ScaledMember, Scaling};
pub use gauges::{Gauge, Gauges};
pub use scales::Scales;
pub use signs::Signs;
