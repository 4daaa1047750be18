use serde::{Deserialize, Serialize};

use crate::{Death, number};

/// A branch of a merge tree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Branch {
    /// The cell that it starts at, or the model: a minimum, or a maximum for superlevel sets.
    pub minimum: usize,
    /// The value there.
    #[serde(with = "number")]
    pub birth: f64,
    /// The value at which it ends.
    pub death: Death,
    /// The cell that joins it to its parent. For a graph the number of the path, in the order in which they were
    /// connected.
    pub saddle: Option<usize>,
    /// The number of the branch that it ends in.
    pub parent: Option<usize>,
    /// The cells whose way of steepest descent ends in `minimum`, and those of branches that were simplified away.
    pub volume: usize,
}

impl Branch {
    /// The distance between birth and death; infinite for a branch that never dies.
    pub fn persistence(&self) -> f64 {
        self.death.distance_from(self.birth)
    }
}
