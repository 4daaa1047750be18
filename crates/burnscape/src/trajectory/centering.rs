use serde::{Deserialize, Serialize};

/// The point from which a principal component analysis measures the checkpoints of a trajectory.
///
/// The choice changes the result, and with it what a random walk would give: two components explain 76.0 % of a long
/// walk around its mean, and 90.1 % of it seen from its end ([`random_walk_shares`](super::random_walk_shares)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Centering {
    /// The last checkpoint `θ_T`, without further centering: the plane of the components contains the trained model.
    /// The choice of Li et al. 2018, and for pictures.
    #[default]
    End,
    /// The mean of all checkpoints, as usual in statistics.
    Mean,
}
