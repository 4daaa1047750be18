use burnscape_krylov::SolutionKind;
use serde::{Deserialize, Serialize};

use crate::optim::SkipReason;
use crate::writing::number;

/// The result of one step of [`TrustRegionNewton`](super::TrustRegionNewton).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrustRegionReport {
    /// The loss at the weights before the step.
    #[serde(with = "number")]
    pub loss: Option<f64>,
    /// `|g|` there.
    #[serde(with = "number")]
    pub gradient_norm: f64,
    /// The loss at the end of the step. None if the model has no decrease, as at a minimum.
    #[serde(with = "number")]
    pub trial_loss: Option<f64>,
    /// The decrease `−m(p)` of the quadratic model.
    #[serde(with = "number")]
    pub predicted: f64,
    /// The actual decrease over the predicted one, with the rounding of the loss added to both; `−∞` for a loss that is
    /// not finite. None without a trial.
    #[serde(with = "number")]
    pub ratio: Option<f64>,
    /// Whether the weights moved.
    pub accepted: bool,
    /// The radius of this step.
    #[serde(with = "number")]
    pub radius: f64,
    /// The radius of the next step.
    #[serde(with = "number")]
    pub next_radius: f64,
    /// The length of the step, taken or not.
    #[serde(with = "number")]
    pub step_norm: f64,
    /// Where in the ball the step ends.
    pub kind: Option<SolutionKind>,
    /// The multiplier `μ ≥ 0`: `(H + μI) p = −g`. Zero for a step of Newton's method.
    #[serde(with = "number")]
    pub multiplier: f64,
    /// Whether the search found no eigenvalue of the Hessian below `−μ`: then `p` is the global minimizer.
    pub certified: bool,
    /// Hessian-vector products.
    pub num_matvecs: usize,
    /// Gradients taken: one for the step and one with the Hessian.
    pub num_gradients: usize,
    /// Losses evaluated without a gradient: that of the trial, and another where one had to be compared.
    pub num_losses: usize,
    /// Set if loss or gradient are not finite at the weights. A step that is not accepted is not skipped.
    pub skipped: Option<SkipReason>,
}
