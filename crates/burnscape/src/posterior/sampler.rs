use std::fmt;

use serde::{Deserialize, Serialize};

use crate::OutOfRange;
use crate::range::{FRACTION, POSITIVE, ensure};

/// How a chain moves through the posterior `p(w) ∝ exp(−U)`, `U = nβ L + γ/2 |w − w₀|²`.
///
/// `ε` is the step and `ξ` standard normal. `a` is `nβ λ_max + γ`, with the largest eigenvalue of the Hessian of `L` at
/// the start (0 if that is negative), and `aᵢ` the same along the direction of another eigenvalue. A step of `None`
/// follows from `a`.
///
/// | | target | bias of the learning coefficient at a minimum | default step |
/// |---|---|---|---|
/// | [`Mala`](Self::Mala) | exact | none | tuned in the first half of burn-in |
/// | [`Langevin`](Self::Langevin) | approximate | factor `1 / (1 − ε aᵢ/4)` along each direction | `0.04 / a` |
/// | [`RmspropLangevin`](Self::RmspropLangevin) | approximate | factor `1 / (1 − ε Gᵢ aᵢ/4)` | `0.04 δ / a` |
/// | [`NoseHoover`](Self::NoseHoover) | approximate | small for quadratics | `0.1 / a` |
///
/// With [batches](super::PosteriorConfig::with_batches_per_step), the noise of their gradients adds to the bias of the
/// approximate samplers.
///
/// # Defaults
///
/// [`Sampler::mala`]. An acceptance of 0.9 is above the optimum 0.574 of regular targets in high dimension (Roberts and
/// Rosenthal 1998): posteriors of singular models have narrow valleys that long steps do not enter. The steps of the
/// approximate samplers are ours, the first for a bias of 1 % along the sharpest direction.
///
/// # References
///
/// Roberts, Tweedie 1996, *Exponential convergence of Langevin distributions and their discrete approximations*,
/// Bernoulli 2 (MALA, ULA). Roberts, Rosenthal 1998, *Optimal scaling of discrete approximations to Langevin
/// diffusions*, J. R. Statist. Soc. B 60. *Bayesian Learning via Stochastic Gradient Langevin Dynamics*, ICML 2011. Li,
/// Chen, Carlson, Carin 2016, *Preconditioned Stochastic Gradient Langevin Dynamics for Deep Neural Networks*,
/// arXiv:1512.07666. Ding et al. 2014, *Bayesian Sampling Using Stochastic Gradient Thermostats*.
///
/// # Example
///
/// ```
/// use burnscape::posterior::{PosteriorConfig, Sampler};
///
/// assert_eq!(Sampler::default(), Sampler::Mala { acceptance: 0.9, step: None });
/// assert!(!Sampler::langevin().is_exact());
/// let sampler = Sampler::Langevin { step: Some(1e-6) };
/// assert_eq!(sampler.to_string(), "Langevin");
/// let config = PosteriorConfig::new(60_000).with_sampler(sampler);
/// # let _ = config;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Sampler {
    /// The Metropolis-adjusted Langevin algorithm: proposes `w' = w − (ε/2) ∇U + √ε ξ`, with the gradient over all
    /// data, and accepts with the probability `min(1, exp(U − U' + ln q(w|w') − ln q(w'|w)))`.
    Mala {
        /// The share of proposals to accept, for which the first half of burn-in tunes the step, chain by chain, by dual averaging
        /// (Nesterov 2009; with the constants of Hoffman and Gelman 2014, arXiv:1111.4246). At singular minima single
        /// chains end far from it, as they are tuned where they happen to be: see
        /// [`Posterior::acceptance`](super::Posterior::acceptance). Not used if there is a step.
        acceptance: f64,
        /// The step `ε`. None: tuned in the first half of burn-in, from `1/a` on, and then frozen; `1/a` without
        /// burn-in.
        step: Option<f64>,
    },
    /// The unadjusted Langevin algorithm: `w ← w − (ε/2) ∇U + √ε ξ`. With batches it is stochastic gradient Langevin
    /// dynamics (SGLD).
    Langevin {
        /// The step `ε`.
        step: Option<f64>,
    },
    /// Langevin dynamics with the diagonal preconditioner of RMSprop: `w ← w − (ε/2) G ∇U + √(ε G) ξ`, with
    /// `G = 1 / (δ + √V)` and `V` a running mean of the squares of `∇L`, without `nβ`, corrected for its start at zero.
    /// `G` is frozen after the first half of burn-in, so that its derivative is not missing.
    RmspropLangevin {
        /// The step `ε`.
        step: Option<f64>,
        /// The decay of the running mean; 0.99 by default.
        decay: f64,
        /// The damping `δ`; 0.1 by default.
        damping: f64,
    },
    /// The stochastic gradient Nosé-Hoover thermostat: `p ← p − ε ∇U − ξ p + √(2Aε) ζ`, `w ← w + p`,
    /// `ξ ← ξ + |p|²/d − ε`, from `p = √ε ζ` and `ξ = A`. Here `ε` is the square of a time step, and `ζ` standard
    /// normal.
    NoseHoover {
        /// The step `ε`.
        step: Option<f64>,
        /// The diffusion `A`; 0.01 by default.
        diffusion: f64,
    },
}

impl Sampler {
    /// [`Sampler::Mala`], tuned to an acceptance of 0.9.
    pub const fn mala() -> Self {
        Self::Mala {
            acceptance: 0.9,
            step: None,
        }
    }

    /// [`Sampler::Langevin`] with its default step.
    pub const fn langevin() -> Self {
        Self::Langevin { step: None }
    }

    /// [`Sampler::RmspropLangevin`] with its default step, decay and damping.
    pub const fn rmsprop_langevin() -> Self {
        Self::RmspropLangevin {
            step: None,
            decay: 0.99,
            damping: 0.1,
        }
    }

    /// [`Sampler::NoseHoover`] with its default step and diffusion.
    pub const fn nose_hoover() -> Self {
        Self::NoseHoover {
            step: None,
            diffusion: 0.01,
        }
    }

    /// Whether its chains converge to the posterior itself, for any step.
    pub const fn is_exact(&self) -> bool {
        matches!(self, Self::Mala { .. })
    }

    /// The same sampler with this step.
    pub(crate) fn with_step(self, step: f64) -> Self {
        let step = Some(step);
        match self {
            Self::Mala { acceptance, .. } => Self::Mala { acceptance, step },
            Self::Langevin { .. } => Self::Langevin { step },
            Self::RmspropLangevin { decay, damping, .. } => Self::RmspropLangevin {
                step,
                decay,
                damping,
            },
            Self::NoseHoover { diffusion, .. } => Self::NoseHoover { step, diffusion },
        }
    }

    /// The step that is set.
    pub(crate) fn step(self) -> Option<f64> {
        match self {
            Self::Mala { step, .. }
            | Self::Langevin { step }
            | Self::RmspropLangevin { step, .. }
            | Self::NoseHoover { step, .. } => step,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mala { .. } => "MALA",
            Self::Langevin { .. } => "Langevin",
            Self::RmspropLangevin { .. } => "RMSprop-Langevin",
            Self::NoseHoover { .. } => "Nosé-Hoover",
        }
    }

    /// The default step times the curvature `a`, and the least unstable step times `a`.
    pub(super) fn scales(self) -> (f64, f64) {
        match self {
            Self::Mala { .. } => (1.0, 4.0),
            Self::Langevin { .. } => (0.04, 4.0),
            // The preconditioner is 1/damping at most.
            Self::RmspropLangevin { damping, .. } => (0.04 * damping, 4.0 * damping),
            Self::NoseHoover { .. } => (0.1, 4.0),
        }
    }

    /// Refuses settings out of range.
    pub(super) fn check(self) -> Result<(), OutOfRange> {
        if let Some(step) = self.step() {
            ensure("step", step, POSITIVE)?;
        }
        match self {
            Self::Mala { acceptance, .. } => ensure("acceptance", acceptance, FRACTION),
            Self::Langevin { .. } => Ok(()),
            Self::RmspropLangevin { decay, damping, .. } => {
                ensure("decay", decay, 0.0..1.0)?;
                ensure("damping", damping, POSITIVE)
            }
            Self::NoseHoover { diffusion, .. } => ensure("diffusion", diffusion, POSITIVE),
        }
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Self::mala()
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_replaces_that_of_any_sampler_and_nothing_else() {
        for sampler in [
            Sampler::mala(),
            Sampler::langevin(),
            Sampler::rmsprop_langevin(),
            Sampler::nose_hoover(),
        ] {
            assert_eq!((sampler.step(), sampler.check()), (None, Ok(())));
            let stepped = sampler.with_step(0.5);
            assert_eq!(stepped.step(), Some(0.5));
            assert_eq!(stepped.with_step(0.25), sampler.with_step(0.25));
            assert_eq!(stepped.is_exact(), sampler.is_exact());
            assert!(sampler.with_step(0.0).check().is_err());
        }
    }
}
