use serde::{Deserialize, Serialize};

use crate::space::Scale;

/// The displacements `e` that a worst case is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Region {
    /// A ball: `|e / c| ≤ ρ`, with `c` given by the scale.
    Ball(Scale),
    /// The box of Keskar et al.: `|e_i| ≤ ρ (|w_i| + 1)`.
    KeskarBox {
        /// The most groups of coordinates that are flipped, one after the other, where an ascent has converged; 0 for
        /// none.
        num_flips: usize,
    },
}
