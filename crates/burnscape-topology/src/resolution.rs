use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a grid resolves a pair, in a word, from its [ratio](crate::ScalarField::resolution_ratio).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Resolution {
    /// The ratio is at most the first limit, or NaN: the spacing of the grid alone can make such a pair.
    Unresolved,
    /// Between the limits: measure again on a finer grid.
    Doubtful,
    /// Above the second limit.
    Resolved,
}

impl Resolution {
    /// The limits 1 and 2. Artifacts of smooth fields with one minimum had ratios up to 1.04, white noise up to 1.44.
    pub const LIMITS: [f64; 2] = [1.0, 2.0];

    /// The word for a ratio.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape_topology::Resolution;
    ///
    /// assert_eq!(Resolution::of(4.9, Resolution::LIMITS), Resolution::Resolved);
    /// assert_eq!(Resolution::of(4.9, [5.0, 9.0]), Resolution::Unresolved);
    /// ```
    pub fn of(ratio: f64, limits: [f64; 2]) -> Self {
        if ratio > limits[1] {
            Self::Resolved
        } else if ratio > limits[0] {
            Self::Doubtful
        } else {
            Self::Unresolved
        }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unresolved => "unresolved",
            Self::Doubtful => "doubtful",
            Self::Resolved => "resolved",
        })
    }
}
