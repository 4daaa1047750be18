use burn::config::Config;

use super::OptimConfigError;
use super::error::check_range;
use crate::space::{LeafVector, SpaceError};

/// How displacements are measured: the ball is `|T⁻¹e| ≤ rho` with a diagonal `T`, so that the best
/// first-order displacement is `e = rho T²d / |T d|`.
#[derive(Config, Debug, PartialEq)]
#[non_exhaustive]
pub enum Metric {
    /// `T = 1` (SAM; Foret et al. 2021).
    Euclidean,
    /// `T = |w| + eta` on weights (rank two and more), one elsewhere (ASAM; Kwon et al. 2021,
    /// arXiv:2102.11600). The ball does not change under the rescaling symmetry of ReLU networks.
    Adaptive {
        /// Floor of the scale. The paper's default is 0.01.
        eta: f64,
    },
    /// `T² = 1 / (1 + eta f)` with `f` the squared gradient, a diagonal Fisher matrix (Fisher SAM;
    /// Kim et al. 2022, arXiv:2206.04920).
    Fisher {
        /// Weight of the Fisher term. The paper's default is 1.
        eta: f64,
        /// Where the squares come from.
        squares: FisherSquares,
    },
}

/// Which squared gradients make the diagonal Fisher matrix.
#[derive(Config, Debug, PartialEq, Copy)]
#[non_exhaustive]
pub enum FisherSquares {
    /// The square of the batch gradient: free, and what the paper's code does.
    BatchGradient,
    /// The mean of the squares of every example's gradient: one gradient an example, through
    /// [`step_on`](super::Sam::step_on).
    ExampleGradients,
}

impl Metric {
    pub(super) fn validate(&self) -> Result<(), OptimConfigError> {
        match self {
            Self::Euclidean => Ok(()),
            Self::Adaptive { eta } | Self::Fisher { eta, .. } => {
                check_range("eta", *eta, "a number ≥ 0", |eta| eta >= 0.0)
            }
        }
    }

    /// Whether the displacement needs the weights.
    pub(super) fn needs_weights(&self) -> bool {
        matches!(self, Self::Adaptive { .. })
    }

    /// Whether every example's gradient is needed.
    pub(super) fn needs_examples(&self) -> bool {
        matches!(
            self,
            Self::Fisher {
                squares: FisherSquares::ExampleGradients,
                ..
            }
        )
    }

    /// `T² direction`.
    ///
    /// `weights` are the present weights where the metric needs them, `squares` the diagonal Fisher.
    pub(super) fn apply_squared(
        &self,
        direction: &LeafVector,
        weights: Option<&LeafVector>,
        squares: &LeafVector,
    ) -> Result<LeafVector, SpaceError> {
        match self {
            Self::Euclidean => Ok(direction.clone()),
            Self::Adaptive { eta } => {
                let Some(weights) = weights else {
                    return Ok(direction.clone());
                };
                let scale = weights.clone().map(|leaf, weight| {
                    Some(match leaf.shape().len() {
                        0 | 1 => weight.ones_like(),
                        _ => weight.abs().add_scalar(*eta).square(),
                    })
                });
                direction.times(&scale)
            }
            Self::Fisher { eta, .. } => {
                let scale = squares
                    .clone()
                    .map(|_, square| Some(square.mul_scalar(*eta).add_scalar(1.0).recip()));
                direction.times(&scale)
            }
        }
    }
}
