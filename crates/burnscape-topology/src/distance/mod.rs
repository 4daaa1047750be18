//! Distances between diagrams.

mod assignment;
mod bottleneck;
mod matching;
mod points;
mod wasserstein;

pub use bottleneck::bottleneck;
pub use matching::{DiagramDistance, Match};
pub use wasserstein::{Ground, Order, wasserstein};
