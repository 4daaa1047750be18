use serde::{Deserialize, Serialize};

use crate::writing::number;

/// What one step of an optimizer did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// What the maximization of the quadratic model reached, for
    /// [`Ascent::TrustRegion`](super::Ascent::TrustRegion).
    pub inner: Option<InnerMaximum>,
    /// Radius of the ascent; zero in a step without one.
    #[serde(with = "number")]
    pub rho: f64,
    /// Gradients taken.
    pub gradients: usize,
    /// The sharpness at which SAM with this radius, rate and gradient norm stops falling
    /// (Long and Bartlett 2024, arXiv:2309.12488): `|g|/(2 rho) (sqrt(1 + 8 rho/(lr |g|)) − 1)`,
    /// and `2/lr` without an ascent. Both assume plain gradient descent as the base, and the formula
    /// plain SAM: `None` for other metrics, masks and groups.
    #[serde(with = "number")]
    pub sam_edge: Option<f64>,
    /// Trained parameters that had no gradient and were not moved (an unused head).
    pub without_gradient: usize,
    /// Set if the weights were not moved.
    pub skipped: Option<SkipReason>,
}

/// What the maximization of a loss's quadratic model in a ball reached; over all groups of
/// m-sharpness where there are several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InnerMaximum {
    /// Hessian-vector products used, each of one group's batch.
    pub products: usize,
    /// `gᵀv + ½ vᵀHv`, by how much the model rises; the groups' mean with the weights of their losses
    /// (their sum for an objective that sums).
    #[serde(with = "number")]
    pub rise: f64,
    /// `|(μI − H) v − g|`, the largest of the groups'.
    #[serde(with = "number")]
    pub residual: f64,
    /// Whether every residual is within the tolerance.
    pub converged: bool,
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
                products: total.products + group.products,
                rise: total.rise + rise,
                residual: total.residual.max(group.residual),
                converged: total.converged && group.converged,
                certified: total.certified && group.certified,
                hard_cases: total.hard_cases + group.hard_cases,
            },
        }
    }
}

/// Why a step left the weights as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SkipReason {
    /// The loss or the gradient at the weights was NaN or infinite. Where the optimizer took the
    /// pass itself, running statistics were put back to what they were before the step.
    NonFinite,
    /// The loss or the gradient at the displaced weights was NaN or infinite.
    NonFinitePerturbed,
    /// Loss and gradient were finite, and the step that was computed of them not: a type with a small
    /// range, divided by a small curvature.
    NonFiniteStep,
    /// Perturbed gradient descent has ended at a second-order point.
    Certified,
}

impl StepReport {
    /// A step that took no gradient.
    pub(super) fn skipped(reason: SkipReason) -> Self {
        Self {
            loss: None,
            perturbed_loss: None,
            gradient_norm: 0.0,
            cosine: None,
            inner: None,
            rho: 0.0,
            gradients: 0,
            sam_edge: None,
            without_gradient: 0,
            skipped: Some(reason),
        }
    }
}

/// The sharpness above which SAM's linearized dynamics diverge; `rho = 0` gives `2/lr`.
///
/// `λ_SAM = |g|/(2 rho) (sqrt(1 + 8 rho/(lr |g|)) − 1)` (Long and Bartlett 2024, arXiv:2309.12488).
/// `None` where a rate or gradient of zero leaves no edge.
///
/// # Units
///
/// Loss per squared parameter, as the eigenvalues of the Hessian.
///
/// # Example
///
/// ```
/// use burnscape::optim::sam_edge;
///
/// let edge = sam_edge(0.05, 0.05, 0.1).unwrap_or(f64::NAN);
/// assert!((edge - 4.0).abs() < 1e-12);
/// assert_eq!(sam_edge(1.0, 0.0, 0.1), Some(20.0));
/// ```
pub fn sam_edge(gradient_norm: f64, rho: f64, lr: f64) -> Option<f64> {
    let is_defined = lr > 0.0 && rho >= 0.0 && gradient_norm.is_finite();
    if !is_defined {
        return None;
    }
    if rho == 0.0 {
        return Some(2.0 / lr);
    }
    // The same number without the cancellation at small rho: 4/lr over (sqrt(1 + x²) + 1). The root of each
    // factor is taken first: products of small rates and gradients leave the range where their roots do not.
    let x = (8.0 * rho / lr).sqrt() / gradient_norm.sqrt();
    (gradient_norm > 0.0).then(|| 4.0 / (lr * (x.hypot(1.0) + 1.0)))
}
