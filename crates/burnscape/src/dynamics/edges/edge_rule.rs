use burn::optim::OptimizerRecord;
use burn::optim::momentum::MomentumConfig;
use serde::{Deserialize, Serialize};

use super::WatchedOptimizer;
use super::denominator::Denominator;
use super::preconditioner::Preconditioner;
use super::states::other;
use crate::dynamics::DynamicsError;
use crate::optim::Sam;
use crate::range::ensure;
use crate::space::ParamSpace;

/// The edge of stability of an optimizer: the curvature `λ` above which its steps on `½ λ w²` diverge.
///
/// With rate `η`, momentum `β`, dampening `d`, decoupled weight decay `δ` and gradient `g`:
///
/// | step | edge | constructor |
/// |---|---|---|
/// | gradient descent, `w ← (1 − ηδ) w − η g` | `2/η − δ` | [`gradient_descent`](Self::gradient_descent) |
/// | heavy ball, `v ← β v + (1 − d) g`, `w ← (1 − ηδ) w − η v` | `(1 + β)(2/η − δ) / (1 − d)` | [`momentum`](Self::momentum) |
/// | Nesterov, `w ← (1 − ηδ) w − η (β v + g)` | `(1 + β)(2/η − δ) / (1 + 2β − β d)` | [`momentum`](Self::momentum) |
/// | moving average, `m ← β m + (1 − β) g`, `w ← (1 − ηδ) w − η m` | `(1 + β)(2/η − δ) / (1 − β)` | [`ema`](Self::ema) |
/// | Nesterov with it, `w ← (1 − ηδ) w − η (β m + (1 − β) g)` | `(1 + β)(2/η − δ) / ((1 − β)(1 + 2β))` | [`nadam`](Self::nadam) |
/// | Adam, AdamW: a moving average, of `P⁻¹H` | `(1 + β₁)(2/η − δ) / (1 − β₁)` | [`of`](Self::of) |
/// | RMSProp: a heavy ball without dampening, of `P⁻¹H` | `(1 + β)(2/η − δ)` | [`of`](Self::of) |
/// | AdaGrad: gradient descent, of `P⁻¹H` | `2/η − δ` | [`of`](Self::of) |
/// | SAM with radius `ρ` | `\|g\|/(2ρ) (√(1 + 8ρ/(η\|g\|)) − 1)` | [`sam`](Self::sam) |
///
/// Each step but the last is a linear map of the weights and the momentum, with the characteristic polynomial
/// `z² − (trace) z + (determinant)`. As `λ` grows, the first root to leave the unit circle does so at `z = −1` (Jury's
/// test), where `(1 + β)(2 − ηδ) = η c λ`; the table has `c` as the divisor. Both edges of Burn's momentum are those of
/// its own parametrization: its default dampening of 0.1 raises the edge of the heavy ball by a ninth. The first step,
/// which Burn does not dampen, changes the start but not the map.
///
/// Weight decay that is added to the gradient (*coupled*, an L2 penalty `δ/2 |w|²`: Burn's `WeightDecayConfig`) adds `δ`
/// to every eigenvalue of the Hessian. Without a preconditioner the edge is lower by `δ`; with one,
/// [`CurvatureMonitor`](crate::dynamics::CurvatureMonitor) measures `P⁻¹(H + δ)`.
///
/// # Preconditioners
///
/// Optimizers that divide the gradient by a diagonal matrix `P` have their edge in the largest eigenvalue of `P⁻¹H`,
/// which is that of the symmetric `P^(−½) H P^(−½)`. `P` comes from the optimizer's record, after its last step `t`:
///
/// | optimizer | `P` | |
/// |---|---|---|
/// | Adam, AdamW | `(1 − β₁ᵗ)(√(v / (1 − β₂ᵗ)) + ε)` | `v` the second moment; for AMSGrad its maximum so far |
/// | RMSProp | `√a + ε` | `a` the mean square of the gradient; if centered, minus the square of its mean |
/// | AdaGrad | `(√s + ε)(1 + t · lr_decay)` | `s` the sum of squares, with the decay of the rate |
///
/// The edge is exact for a `P` that does not move. `P` follows the gradient, so that the ratio of sharpness to edge swings
/// around 1. On `½ h w²` Adam has a cycle of two points, `|w| = η(1 − β₁)/(2(1 + β₁))`, with ratio 1 (RMSProp: `η/2`).
/// From other starts its mean ratio is 0.93 with `β₂` 0.999, 0.94 with 0.99, 0.98 with `β₁` 0.5, and 1 with `β₁` 0. On
/// networks, means of 1.00 to 1.01 ± 0.02 were seen. A band for Adam is thus 0.9 to 1.1; gradient descent and
/// Nesterov are within 0.98 to 1.03. Read at an odd interval: an even one sees one side of the oscillation.
///
/// # Optimizers without an edge
///
/// No edge is known for Adan, LAMB, Lion, Muon, Adafactor, L-BFGS, cautious weight decay and gradient
/// clipping: [`DynamicsError::NoEdge`], never a number.
///
/// # Units
///
/// Loss per squared parameter, as the eigenvalues of the Hessian; with a preconditioner, that over the unit of `P`.
///
/// # References
///
/// Polyak 1964; Cohen, Kaur, Li, Kolter, Talwalkar 2021, *Gradient Descent on Neural Networks Typically Occurs at the
/// Edge of Stability*, arXiv:2103.00065, appendix B (momentum without dampening); Cohen et al. 2022, *Adaptive
/// Gradient Methods at the Edge of Stability*, arXiv:2207.14484; Long and Bartlett 2024, *Sharpness-Aware
/// Minimization and the Edge of Stability*, arXiv:2309.12488.
///
/// # Example
///
/// ```
/// use burn::optim::momentum::MomentumConfig;
/// use burn::optim::{AdamConfig, LionConfig, SgdConfig};
/// use burnscape::dynamics::EdgeRule;
///
/// let heavy_ball = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
/// let rule = EdgeRule::of(&SgdConfig::new().with_momentum(Some(heavy_ball)))?;
/// let edge = rule.edge(0.1, 1.0).unwrap_or(f64::NAN);
/// assert!((edge - 38.0).abs() < 1e-12);
///
/// let adam = EdgeRule::of(&AdamConfig::new())?;
/// let edge = adam.edge(0.1, 1.0).unwrap_or(f64::NAN);
/// assert!(adam.is_preconditioned() && (edge - 380.0).abs() < 1e-3);
///
/// let refused = EdgeRule::of(&LionConfig::new()).map_err(|error| error.to_string());
/// assert!(refused.is_err_and(|message| message.contains("no edge is known for Lion")));
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeRule {
    step: Step,
    denominator: Option<Denominator>,
    decoupled_decay: f64,
    coupled_decay: f64,
}

/// How a gradient becomes a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Step {
    /// Linear in the gradient, with edge `(1 + momentum)(2/η − δ) / divisor`.
    Linear { momentum: f64, divisor: f64 },
    /// The gradient at a distance `rho` uphill.
    Sam { rho: f64 },
    /// Without a known edge.
    Unknown,
}

impl EdgeRule {
    /// No edge: of optimizers for which none is known.
    pub fn none() -> Self {
        Self::stepping(Step::Unknown)
    }

    /// Plain gradient descent: `2/η`.
    pub fn gradient_descent() -> Self {
        Self::stepping(Step::Linear {
            momentum: 0.0,
            divisor: 1.0,
        })
    }

    /// The edge of an optimizer of Burn, from its config: of `SgdConfig`, `AdamConfig`, `AdamWConfig`, `RmsPropConfig`
    /// and `AdaGradConfig`, with all their settings.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::NoEdge`] for the other optimizers, for cautious weight decay and for gradient clipping;
    /// [`DynamicsError::OutOfRange`] for settings with which the optimizer does not work.
    pub fn of<C: WatchedOptimizer>(config: &C) -> Result<Self, DynamicsError> {
        config.rule()
    }

    /// Gradient descent with Burn's momentum: a heavy ball, or Nesterov's, each with dampening.
    ///
    /// Burn rounds the momentum to single precision, which changes the edge by a relative 1e-8; this is the edge of the
    /// number that was set.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`] for a momentum outside `[0, 1)` or a dampening that is not below 1: another root may
    /// leave the unit circle first.
    pub fn momentum(config: &MomentumConfig) -> Result<Self, DynamicsError> {
        let (momentum, dampening) = (config.momentum, config.dampening);
        ensure("momentum", momentum, 0.0..1.0)?;
        ensure("dampening", dampening, ..1.0)?;
        let divisor = if config.nesterov {
            1.0 + 2.0 * momentum - momentum * dampening
        } else {
            1.0 - dampening
        };
        Ok(Self::stepping(Step::Linear { momentum, divisor }))
    }

    /// A step along the moving average of the gradients, `m ← β m + (1 − β) g`.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`] for a `beta` outside `[0, 1)`.
    pub fn ema(beta: f64) -> Result<Self, DynamicsError> {
        ensure("beta", beta, 0.0..1.0)?;
        Ok(Self::stepping(Step::Linear {
            momentum: beta,
            divisor: 1.0 - beta,
        }))
    }

    /// A step along `β m + (1 − β) g` with the moving average `m`, as NAdam takes it; without its preconditioner, which
    /// no optimizer of Burn has.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`] for a `beta` outside `[0, 1)`.
    pub fn nadam(beta: f64) -> Result<Self, DynamicsError> {
        ensure("beta", beta, 0.0..1.0)?;
        Ok(Self::stepping(Step::Linear {
            momentum: beta,
            divisor: (1.0 - beta) * (1.0 + 2.0 * beta),
        }))
    }

    /// SAM with radius `rho` around plain gradient descent, by [`Sam::edge`]. Around other optimizers no edge is known.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`] for a negative `rho`.
    pub fn sam(rho: f64) -> Result<Self, DynamicsError> {
        ensure("rho", rho, 0.0..)?;
        Ok(Self::stepping(Step::Sam { rho }))
    }

    /// The same step with decoupled weight decay `w ← (1 − η rate) w − …`, in place of the decay of the config.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`] for a negative rate, [`DynamicsError::NoEdge`] for SAM.
    pub fn with_decoupled_decay(mut self, rate: f64) -> Result<Self, DynamicsError> {
        self.check_decay(rate)?;
        self.decoupled_decay = rate;
        Ok(self)
    }

    /// The same step with `rate · w` added to the gradient, in place of the decay of the config.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`] for a negative rate, [`DynamicsError::NoEdge`] for SAM.
    pub fn with_coupled_decay(mut self, rate: f64) -> Result<Self, DynamicsError> {
        self.check_decay(rate)?;
        self.coupled_decay = rate;
        Ok(self)
    }

    /// The curvature above which the optimizer diverges at rate `lr`: an eigenvalue of `H`, or of `P⁻¹H` if the rule
    /// [has a preconditioner](Self::is_preconditioned).
    ///
    /// Only the edge of SAM depends on the norm of the gradient. None where a rate or a gradient of zero leaves no edge,
    /// and where the decay alone is unstable.
    pub fn edge(&self, lr: f64, gradient_norm: f64) -> Option<f64> {
        let is_rate = lr > 0.0 && lr.is_finite();
        if !is_rate {
            return None;
        }
        let edge = match self.step {
            Step::Unknown => return None,
            Step::Sam { rho } => Sam::edge(gradient_norm, rho, lr)?,
            Step::Linear { momentum, divisor } => {
                (1.0 + momentum) * (2.0 / lr - self.decoupled_decay) / divisor
            }
        };
        // With a preconditioner the decay is part of the matrix whose eigenvalue is compared.
        let edge = if self.is_preconditioned() {
            edge
        } else {
            edge - self.coupled_decay
        };
        (edge > 0.0 && edge.is_finite()).then_some(edge)
    }

    /// Whether there is a rule at all.
    pub(crate) fn is_known(&self) -> bool {
        self.step != Step::Unknown
    }

    /// Whether the edge is one of `P⁻¹H`.
    pub fn is_preconditioned(&self) -> bool {
        self.denominator.is_some()
    }

    /// `P` and the edge, from the record of the optimizer that the rule is of; none before its first step.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OtherOptimizer`] for a record of another optimizer or model.
    pub(crate) fn preconditioner(
        &self,
        record: OptimizerRecord,
        space: &ParamSpace,
    ) -> Result<Option<Preconditioner>, DynamicsError> {
        let Some(denominator) = self.denominator else {
            return Err(other(
                "the rule has no preconditioner; make it from the config of the optimizer"
                    .to_string(),
            ));
        };
        Preconditioner::new(denominator, self.clone(), record, space)
    }

    /// The decay that is added to the gradient.
    pub(super) fn coupled_decay(&self) -> f64 {
        self.coupled_decay
    }

    /// The same step along the gradient over `P`.
    pub(super) fn preconditioned(self, denominator: Denominator) -> Self {
        Self {
            denominator: Some(denominator),
            ..self
        }
    }

    fn stepping(step: Step) -> Self {
        Self {
            step,
            denominator: None,
            decoupled_decay: 0.0,
            coupled_decay: 0.0,
        }
    }

    fn check_decay(&self, rate: f64) -> Result<(), DynamicsError> {
        ensure("rate", rate, 0.0..)?;
        match self.step {
            Step::Sam { .. } if rate > 0.0 => Err(DynamicsError::NoEdge {
                optimizer: "SAM with weight decay".to_string(),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;
    use burn::optim::AdamWConfig;
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn a_rule_survives_serialization() {
        // Numbers that JSON keeps to the last place.
        let config = AdamWConfig::new().with_beta_1(0.5).with_weight_decay(0.25);
        let rule = EdgeRule::of(&config).unwrap();
        let text = serde_json::to_string(&rule).unwrap();
        assert_eq!(serde_json::from_str::<EdgeRule>(&text).unwrap(), rule);
        let bytes = rmp_serde::to_vec(&rule).unwrap();
        assert_eq!(rmp_serde::from_slice::<EdgeRule>(&bytes).unwrap(), rule);
    }

    #[test]
    fn a_rule_without_a_preconditioner_reads_no_record() {
        let layer = LinearConfig::new(1, 1).init(&Device::default());
        let space = ParamSpace::of(&layer).unwrap();
        let refused =
            EdgeRule::gradient_descent().preconditioner(OptimizerRecord::default(), &space);
        assert!(matches!(refused, Err(DynamicsError::OtherOptimizer { .. })));
    }
}
