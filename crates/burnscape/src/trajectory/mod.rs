//! Trajectories: the way that training took through parameter space, as its checkpoints show it.
//!
//! A `TrajectoryLog` (feature `files`) is a [monitor](crate::dynamics::Monitor) that keeps checkpoints in a directory, in
//! files of Burn, with loss and metrics beside them. A [`Trajectory`] reads such a directory, or consists of models in
//! memory. What follows from its checkpoints:
//!
//! | | |
//! |---|---|
//! | [`TrajectoryPcaConfig`] | the directions in which they differ most, beside those of random walks |
//! | [`ProjectionConfig`] | their places on a plane, how far from it they are, their loss beside that of the plane |
//! | [`RibbonConfig`] | the loss along the velocity of each |
//! | [`QuasiConvexityConfig`] | whether gradients point away from the last one, beside what chance would give |
//! | [`PlateausConfig`] | where a curve of losses stands still, and what ends that |
//!
//! Explained variance is no evidence without its nulls: two components of a random walk explain most of it.

mod centering;
mod checkpoint;
mod error;
mod gram;
#[cfg(feature = "files")]
mod index;
#[cfg(feature = "files")]
mod log;
mod models;
mod nulls;
mod pca;
mod plateaus;
mod projection;
mod quasi_convexity;
#[cfg(feature = "files")]
mod reading;
#[cfg(feature = "files")]
mod record;
mod ribbon;
#[cfg(feature = "files")]
mod state;
mod statistics;
#[cfg(feature = "files")]
mod stored;
#[cfg(feature = "files")]
mod thinning;

pub use centering::Centering;
pub use checkpoint::Checkpoint;
pub use error::TrajectoryError;
#[cfg(feature = "files")]
pub use log::TrajectoryLog;
pub use models::Trajectory;
pub use nulls::{SignFlipNull, random_walk_shares};
pub use pca::{TrajectoryPca, TrajectoryPcaConfig};
pub use plateaus::{Plateau, PlateausConfig};
pub use projection::{ProjectedPoint, Projection, ProjectionConfig};
pub use quasi_convexity::{QuasiConvexity, QuasiConvexityConfig, QuasiConvexityPoint};
#[cfg(feature = "files")]
pub use reading::TrajectoryReading;
pub use ribbon::{Ribbon, RibbonConfig};
#[cfg(feature = "files")]
pub use state::TrajectoryLogState;
#[cfg(feature = "files")]
pub use thinning::Thinning;
