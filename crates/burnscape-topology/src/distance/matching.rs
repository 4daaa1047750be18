use std::fmt;

use serde::{Deserialize, Serialize};

use crate::number;
use crate::tree::short;

/// A distance between two diagrams, and a matching that has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DiagramDistance {
    /// The distance. Infinite if one diagram has more classes that never die than the other, or more that die at
    /// infinity.
    #[serde(with = "number")]
    pub distance: f64,
    /// The pairs of the first diagram in their order, then those of the second that have no partner. Pairs without
    /// persistence are left out.
    pub matching: Vec<Match>,
}

/// Two pairs that belong together, or a pair that belongs to the diagonal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Match {
    /// The number of the pair in the first diagram; `None` for the diagonal.
    pub first: Option<usize>,
    /// The number of the pair in the second diagram; `None` for the diagonal.
    pub second: Option<usize>,
    /// Their distance in the ground metric. Infinite for a class that never dies and has no partner.
    #[serde(with = "number")]
    pub cost: f64,
}

impl fmt::Display for DiagramDistance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "distance {}", short(self.distance))?;
        for pair in &self.matching {
            let name =
                |number: Option<usize>| number.map_or("diagonal".to_owned(), |n| n.to_string());
            writeln!(
                f,
                "{} to {}, cost {}",
                name(pair.first),
                name(pair.second),
                short(pair.cost)
            )?;
        }
        Ok(())
    }
}
