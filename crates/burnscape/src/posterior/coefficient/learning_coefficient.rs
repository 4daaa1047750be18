use serde::{Deserialize, Serialize};

use super::{Finding, LearningCoefficientConfig};
use crate::dynamics::Cost;
use crate::posterior::{ChainDiagnostics, Posterior};
use crate::writing::number;

/// What [`LearningCoefficientConfig`] found: an estimate, and the coefficient that it is unless a finding refuses it. It prints
/// as a few lines.
///
/// # Units
///
/// Losses are means over the data; the sharpness is a loss per squared parameter. Everything else has no unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LearningCoefficient {
    /// The coefficient: the estimate, unless a finding [refuses](Finding::is_refusal) it or the run was stopped before its
    /// checks were made.
    #[serde(with = "number")]
    pub coefficient: Option<f64>,
    /// `nβ (E[L] − L(w₀))` over all draws of all chains, whatever it is worth.
    #[serde(with = "number")]
    pub estimate: f64,
    /// The standard error of the estimate: the larger of that by the effective sample size and that by the spread between chains,
    /// see [`ChainDiagnostics::standard_error`].
    #[serde(with = "number")]
    pub standard_error: f64,
    /// The estimate with half of the localizer, and its standard error; none if that was not checked.
    #[serde(with = "number")]
    pub half_localizer: Option<(f64, f64)>,
    /// The estimate with half of the step, and its standard error; none if that was not checked, or if the sampler is exact.
    #[serde(with = "number")]
    pub half_step: Option<(f64, f64)>,
    /// `2 λ̂(ε/2) − λ̂(ε)`: the estimate without the part of the bias that is linear in the step `ε`. None without `half_step`.
    #[serde(with = "number")]
    pub extrapolated: Option<f64>,
    /// By how much descent on `U` lowered `nβ L`, at most on its way: 0 at a minimum. None if it was stopped.
    #[serde(with = "number")]
    pub descent_drop: Option<f64>,
    /// The smallest `L(w) − L(w₀)` of a draw. With [batches](crate::posterior::PosteriorConfig::with_batches_per_step) the two
    /// losses are those of the batches.
    #[serde(with = "number")]
    pub lowest_rise: f64,
    /// The share of draws whose loss is below `L(w₀)` by more than rounding; none with batches.
    #[serde(with = "number")]
    pub share_below: Option<f64>,
    /// `L(w₀)`.
    pub base_loss: f64,
    /// `|∇L(w₀)|`.
    pub base_gradient_norm: f64,
    /// The largest eigenvalue of the Hessian of `L` at `w₀`; none if a run was stopped that did not need it.
    #[serde(with = "number")]
    pub sharpness: Option<f64>,
    /// `n E[L]`, the widely applicable Bayesian information criterion, at its temperature `β = 1/ln n`; none at another.
    #[serde(with = "number")]
    pub wbic: Option<f64>,
    /// The step of each chain.
    pub steps: Vec<f64>,
    /// The share of proposals that each chain accepted after its burn-in; none for samplers that accept all.
    pub acceptance: Option<Vec<f64>>,
    /// How well the chains determine the mean of `L(w) − L(w₀)`. Multiply by `nβ` for the estimate.
    pub diagnostics: ChainDiagnostics,
    /// What the estimate must not be read without, refusals first.
    pub findings: Vec<Finding>,
    /// False if the observer stopped the run: numbers are those of the draws made, and checks may be missing.
    pub completed: bool,
    /// The work, without the search for the sharpness.
    pub cost: Cost,
    /// The configuration, thresholds and seed included.
    pub config: LearningCoefficientConfig,
    /// The draws, and the record from which more can be made. None after reading, and in the readings of a
    /// [`Monitor`](crate::dynamics::Monitor), which would hold the chains of every step.
    #[serde(skip)]
    pub posterior: Option<Posterior>,
}

impl LearningCoefficient {
    /// Whether a finding says that there is no coefficient.
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(Finding::is_refusal)
    }

    /// Half the width of the interval that covers the mean of the estimate with probability `confidence`: see
    /// [`ChainDiagnostics::half_width`]. It knows of no bias.
    pub fn half_width(&self, confidence: f64) -> Option<f64> {
        let nbeta = self.config.posterior.nbeta();
        Some(nbeta * self.diagnostics.half_width(confidence)?)
    }
}
