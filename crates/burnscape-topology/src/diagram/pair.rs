use serde::{Deserialize, Serialize};

use crate::{Death, number};

/// A class that is born and dies.
///
/// For superlevel sets births are not below deaths.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PersistencePair {
    /// The value at which it is born.
    #[serde(with = "number")]
    pub birth: f64,
    /// The value at which it dies.
    pub death: Death,
    /// The cell with which it is born: a minimum in dimension 0, the saddle that closes a loop in dimension 1. `None`
    /// in diagrams of points that were given.
    pub birth_cell: Option<usize>,
    /// The cell with which it dies; in the tree of a graph the number of the path.
    pub death_cell: Option<usize>,
}

impl PersistencePair {
    /// The distance between birth and death; infinite if it never dies.
    pub fn persistence(&self) -> f64 {
        self.death.distance_from(self.birth)
    }
}
