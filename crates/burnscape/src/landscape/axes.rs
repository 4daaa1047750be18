use serde::{Deserialize, Serialize};

/// How the second direction of a plane is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Axes {
    /// Both directions are used as they are. The picture is distorted by their angle, which the
    /// slice reports as a cosine; that of random directions is about `1/√n`, and Li et al. 2018 use
    /// them so.
    #[default]
    AsGiven,
    /// The second direction is made orthogonal to the first and brought back to the length it had.
    /// Lengths and angles of the picture are then those of parameter space (for directions of one
    /// length). It is no longer normalized filter by filter, only nearly so.
    Orthogonalized,
}
