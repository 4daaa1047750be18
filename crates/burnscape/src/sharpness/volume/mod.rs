//! The volume of the region around a point in which the loss rises by little.

mod basin_volume;
mod config;
mod crossing;
mod shape;

pub use basin_volume::BasinVolume;
pub use config::BasinVolumeConfig;
