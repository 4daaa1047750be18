use std::fmt;

use serde::{Deserialize, Serialize};

/// Which sets of cells grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Level {
    /// Cells at most `t`, as `t` rises: wells and passes.
    #[default]
    Sub,
    /// Cells at least `t`, as `t` falls: peaks and passes. A birth is not below its death.
    Super,
}

/// Which cells of a grid are neighbors. The crate's front page says which one to choose, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Connectivity {
    /// All `3^d − 1` cells that share a corner.
    Full,
    /// The `2d` cells that share a face.
    Axis,
}

impl Connectivity {
    /// The connectivity of the complement: `Full` for `Axis`, and the other way round.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_topology::Connectivity;
    ///
    /// assert_eq!(Connectivity::Full.dual(), Connectivity::Axis);
    /// ```
    pub fn dual(self) -> Self {
        match self {
            Self::Full => Self::Axis,
            Self::Axis => Self::Full,
        }
    }
}

/// What a NaN means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum NanPolicy {
    /// An error, which names the first cell.
    #[default]
    Refuse,
    /// The cell is not there: nothing joins through it.
    Wall,
    /// The cell enters last: `+∞` for sublevel sets, `−∞` for superlevel sets.
    Top,
}

/// How the tree is computed. Every method gives the same tree, bit for bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum TreeMethod {
    /// `Basins`, and `Sweep` if there are more than half as many minima as noise has, one in `k + 1` cells for `k`
    /// neighbors.
    #[default]
    Auto,
    /// Each cell follows its earliest neighbor down to a minimum; only cells where basins touch are sorted.
    Basins,
    /// All cells are sorted.
    Sweep,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sub => "sublevel",
            Self::Super => "superlevel",
        })
    }
}

impl fmt::Display for Connectivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full connectivity",
            Self::Axis => "axis connectivity",
        })
    }
}
