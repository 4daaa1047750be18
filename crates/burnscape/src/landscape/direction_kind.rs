use std::fmt;

use serde::{Deserialize, Serialize};

use crate::space::DirectionNorm;
use crate::writing::number;

/// What a [`Direction`](super::Direction) of a landscape is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum DirectionKind {
    /// A normalized Gaussian vector.
    Random {
        /// Its normalization.
        norm: DirectionNorm,
        /// The seed of its coordinates.
        seed: u64,
    },
    /// An eigenvector, of length 1.
    Eigenvector {
        /// Its eigenvalue.
        #[serde(with = "number")]
        eigenvalue: f64,
    },
    /// The difference of two models.
    BetweenModels,
    /// The gradient of the loss.
    Gradient,
    /// A step of an optimizer.
    Update,
    /// The displacement within a ball that raises the loss most, for example that of
    /// [`WorstCaseSharpness`](crate::sharpness::WorstCaseSharpness).
    WorstCase,
    /// A principal component of a trajectory.
    PrincipalComponent {
        /// 0 for the component with the largest share.
        index: usize,
        /// The share of the variance that it explains.
        #[serde(with = "number")]
        share: f64,
    },
    /// The part of a direction orthogonal to the directions before it, scaled to the length of the whole.
    Orthogonalized(Box<DirectionKind>),
    /// Any other, by a name.
    Other(String),
}

impl fmt::Display for DirectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random { norm, seed } => f.pad(&format!("random, {norm}, seed {seed}")),
            Self::Eigenvector { eigenvalue } => {
                f.pad(&format!("eigenvector of eigenvalue {eigenvalue:.3e}"))
            }
            Self::BetweenModels => f.pad("difference of two models"),
            Self::Gradient => f.pad("gradient"),
            Self::Update => f.pad("step of an optimizer"),
            Self::WorstCase => f.pad("worst case"),
            Self::PrincipalComponent { index, share } => {
                let (number, percent) = (index + 1, 100.0 * share);
                f.pad(&format!("principal component {number} ({percent:.1} %)"))
            }
            Self::Orthogonalized(kind) => f.pad(&format!("{kind}, orthogonalized")),
            Self::Other(name) => f.pad(name),
        }
    }
}
