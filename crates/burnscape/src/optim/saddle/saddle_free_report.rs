use serde::{Deserialize, Serialize};

use crate::optim::SkipReason;
use crate::writing::number;

/// The result of one step of [`SaddleFreeNewton`](super::SaddleFreeNewton).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SaddleFreeReport {
    /// The loss at the weights before the step.
    #[serde(with = "number")]
    pub loss: Option<f64>,
    /// `|g|` there.
    #[serde(with = "number")]
    pub gradient_norm: f64,
    /// The lowest Ritz value of the Hessian, an upper bound of its lowest eigenvalue: negative where a
    /// direction of negative curvature was seen.
    #[serde(with = "number")]
    pub lowest_ritz: Option<f64>,
    /// A bound of the distance from it to the nearest eigenvalue.
    #[serde(with = "number")]
    pub ritz_residual: Option<f64>,
    /// Whether the step was lengthened along a direction of negative curvature.
    pub escaped: bool,
    /// Length of the step before the rate.
    #[serde(with = "number")]
    pub step_norm: f64,
    /// Hessian-vector products.
    pub num_matvecs: usize,
    /// Gradients taken: one for the step and one with the Hessian.
    pub num_gradients: usize,
    /// Set if the weights were not moved.
    pub skipped: Option<SkipReason>,
}
