use burnscape_krylov::Outcome;
use serde::{Deserialize, Serialize};

use crate::writing::number;

/// The result of one step of an optimizer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepReport {
    /// `L(w)`, at the weights before the step. `None` if only gradients were given.
    #[serde(with = "number")]
    pub loss: Option<f64>,
    /// `L(w + e)`, at the displaced weights, if they were visited.
    #[serde(with = "number")]
    pub perturbed_loss: Option<f64>,
    /// `|g|` at the weights, over all trained parameters.
    #[serde(with = "number")]
    pub gradient_norm: f64,
    /// The cosine of the angle between the gradients at `w` and at `w + e`.
    #[serde(with = "number")]
    pub cosine: Option<f64>,
    /// The maximum of the quadratic model, for [`Ascent::TrustRegion`](super::Ascent::TrustRegion).
    pub inner: Option<InnerMaximum>,
    /// Radius of the ascent; zero in a step without one.
    #[serde(with = "number")]
    pub rho: f64,
    /// Gradients taken.
    pub num_gradients: usize,
    /// The sharpness at which SAM with this radius, rate and gradient norm becomes unstable: [`Sam::edge`](super::Sam::edge), which
    /// assumes plain gradient descent as the base. `None` for other metrics, masks and groups than those of plain SAM.
    #[serde(with = "number")]
    pub sam_edge: Option<f64>,
    /// Trained parameters that had no gradient and were not moved (an unused head).
    pub without_gradient: usize,
    /// Set if the weights were not moved.
    pub skipped: Option<SkipReason>,
}

/// The maximum of a loss's quadratic model in a ball, over all groups of m-sharpness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InnerMaximum {
    /// Hessian-vector products, each on one group's batch.
    pub num_matvecs: usize,
    /// The rise `gᵀv + ½ vᵀHv` of the model; the groups' mean with the weights of their losses (their sum for an
    /// objective that sums).
    #[serde(with = "number")]
    pub rise: f64,
    /// `|(μI − H) v − g|`, the largest of the groups'.
    #[serde(with = "number")]
    pub residual: f64,
    /// Converged if every residual is within the tolerance; otherwise the outcome of the first group that is not.
    pub outcome: Outcome,
    /// Whether no eigenvalue beyond the multiplier was found, in any group.
    pub certified: bool,
    /// Groups whose gradient did not see the direction of largest curvature.
    pub hard_cases: usize,
}

impl InnerMaximum {
    /// Adds a group, whose loss has this weight.
    pub(super) fn join(total: Option<Self>, weight: f64, group: Self) -> Self {
        let rise = weight * group.rise;
        match total {
            None => Self { rise, ..group },
            Some(total) => Self {
                num_matvecs: total.num_matvecs + group.num_matvecs,
                rise: total.rise + rise,
                residual: total.residual.max(group.residual),
                outcome: if total.outcome.is_converged() {
                    group.outcome
                } else {
                    total.outcome
                },
                certified: total.certified && group.certified,
                hard_cases: total.hard_cases + group.hard_cases,
            },
        }
    }
}

/// Why a step did not move the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SkipReason {
    /// The loss or the gradient at the weights was NaN or infinite. Where the optimizer took the pass itself, it
    /// restored the running statistics of before the step.
    NonFinite,
    /// The loss or the gradient at the displaced weights was NaN or infinite.
    NonFinitePerturbed,
    /// Loss and gradient were finite, but the step computed from them was not: a type with a small range, divided by
    /// a small curvature.
    NonFiniteStep,
    /// Perturbed gradient descent has ended at a second-order point.
    Certified,
}
