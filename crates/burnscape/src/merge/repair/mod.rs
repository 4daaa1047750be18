//! Layers of merged models whose outputs get back the mean and deviation between those of the models that were merged.

mod config;
mod ends;
mod layers;
mod moments;
mod observed;
mod probe;
mod report;
mod rescaling;

pub use config::{RepairConfig, RepairMethod};
pub use observed::Repair;
pub(super) use probe::each_batch;
pub use report::{RepairReport, Repaired, RepairedLayer};
