use std::ops::{Bound, Range};

use burn::config::Config;
use burn::optim::ModuleOptimizer;

use super::{Ascent, AscentDirection, DescentGradient, Metric, Need, RhoGroup, RhoSchedule, Sam};
use crate::OutOfRange;
use crate::optim::OptimError;
use crate::range::ensure;

/// A fraction that is neither nothing nor more than the whole.
const FRACTION: (Bound<f64>, Bound<f64>) = (Bound::Excluded(0.0), Bound::Included(1.0));

/// A sharpness-aware optimizer: *ascent* (where the second gradient is taken) × *descent* (which gradient the
/// base optimizer gets) × any Burn [`ModuleOptimizer`].
///
/// Plain SAM is `SamConfig::new()`. The other published methods are presets, and every part can be
/// replaced on its own:
///
/// | preset | metric | ascent direction | descent gradient | other parts |
/// |---|---|---|---|---|
/// | [`new`](Self::new) | Euclidean | gradient | perturbed | rho 0.05 |
/// | [`asam`](Self::asam) | adaptive, eta 0.01 | | | rho 0.5 |
/// | [`gsam`](Self::gsam) | | | surrogate gap, alpha 0.4 | |
/// | [`wsam`](Self::wsam) | | | weighted, gamma 0.9, decoupled | |
/// | [`look_sam`](Self::look_sam) | | | look, every 5, alpha 0.7 | |
/// | [`friendly_sam`](Self::friendly_sam) | | friendly, sigma 1, 0.9 | | |
/// | [`fisher_sam`](Self::fisher_sam) | Fisher, eta 1 | | | |
/// | [`esam`](Self::esam) | | | | mask 0.6, selection 0.5 |
/// | [`sa_gd`](Self::sa_gd) | | | | projected ascent, 10 steps |
/// | [`sa_gd_trust_region`](Self::sa_gd_trust_region) | | | | trust-region ascent |
///
/// # Units
///
/// `rho` is a length in parameter space, `|e| = rho` over all displaced parameters together
/// (adaptive: in units of the weights, a pure number). A mask scales the displacement of the tensors that it
/// keeps, and groups theirs by their factors.
///
/// The published displacement is `rho g / (|g| + 1e-12)`; here it is `rho g / |g|`, and zero where the gradient is.
/// A loss times a power of two thus has the displacement of the loss, to the last bit, as long as gradients are
/// normal numbers of their type: squares are formed within its range. (Fisher SAM's metric adds one to a squared
/// gradient, so that it depends on the scale of the loss.)
///
/// # Example
///
/// ```
/// use burn::optim::SgdConfig;
/// use burnscape::optim::{DescentGradient, SamConfig};
///
/// let sam = SamConfig::new().with_rho(0.1).init(SgdConfig::new().init())?;
/// assert_eq!(sam.config().rho, 0.1);
/// let adaptive = SamConfig::asam()
///     .with_descent_gradient(DescentGradient::SurrogateGap { alpha: 0.2 })
///     .init(SgdConfig::new().init())?;
/// assert_eq!(adaptive.config().rho, 0.5);
/// assert!(SamConfig::new().with_rho(-1.0).init(SgdConfig::new().init()).is_err());
/// # Ok::<(), burnscape::optim::OptimError>(())
/// ```
///
/// # References
///
/// Foret, Kleiner, Mobahi, Neyshabur 2021, *Sharpness-Aware Minimization for Efficiently Improving
/// Generalization*, arXiv:2010.01412.
#[derive(Config, Debug)]
pub struct SamConfig {
    /// Radius of the ascent. Foret et al. 2021 take 0.05.
    #[config(default = 0.05)]
    pub rho: f64,
    /// Changes the radius over the run. Steps are those of the whole run, active or not.
    #[config(default = "RhoSchedule::Constant")]
    pub schedule: RhoSchedule,
    /// The norm of displacements.
    #[config(default = "Metric::Euclidean")]
    pub metric: Metric,
    /// The vector along which the ascent goes.
    #[config(default = "AscentDirection::Gradient")]
    pub ascent_direction: AscentDirection,
    /// How the displacement is found.
    #[config(default = "Ascent::OneStep")]
    pub ascent: Ascent,
    /// The gradient for the base optimizer.
    #[config(default = "DescentGradient::Perturbed")]
    pub descent_gradient: DescentGradient,
    /// The steps in which the ascent is on, counted from zero; outside, the base optimizer steps alone. `None`
    /// for all.
    ///
    /// Late-phase SAM (Zhou et al. 2024, arXiv:2410.10373) ascends only in the last 10 to 15 % of training and
    /// has nearly all of the effect at 1.15 times the gradients: `start..total_steps`. The base optimizer keeps one
    /// state across the switch.
    pub active_steps: Option<Range<usize>>,
    /// Parameters with a different radius, or excluded. The last matching entry counts.
    #[config(default = "Vec::new()")]
    pub groups: Vec<RhoGroup>,
    /// Probability with which each tensor is displaced, and then scaled by its inverse (the stochastic weight
    /// perturbation of ESAM; Du et al. 2022, arXiv:2110.03141). The paper's default is 0.6.
    pub mask: Option<f64>,
    /// m-sharpness: the batch is split into groups of this many examples, each displaced on its own
    /// (Foret et al. 2021, section 4.1; Andriushchenko and Flammarion 2022, arXiv:2206.06232). Needs
    /// [`step_on`](Sam::step_on). Batch norm then takes its statistics from each group.
    pub group_size: Option<usize>,
    /// Takes the second gradient on this fraction of the batch: the examples whose loss rises most under the
    /// displacement (ESAM). Needs [`step_on`](Sam::step_on) with an [`ExampleLosses`](crate::loss::ExampleLosses)
    /// objective; costs one more forward pass.
    pub selection: Option<f64>,
    /// Seeds the device from this and the step before each pass, so that both passes draw the same dropout masks. It
    /// replaces the device's random stream, and needs a closure or a batch.
    pub draws_seed: Option<u64>,
    /// Writes a moved parameter to all its occurrences after each step. Otherwise a model in which a parameter
    /// occurs twice is refused, because Burn's optimizers would move the first occurrence only. The model that comes
    /// back shares no running statistics with clones of the old one.
    #[config(default = false)]
    pub restore_tied: bool,
    /// Seed of masks, random starts and random vectors; those of step `t` depend on it and on `t` alone.
    #[config(default = 0)]
    pub seed: u64,
}

impl SamConfig {
    /// Adaptive SAM (Kwon et al. 2021): the ball scales with the weights. rho 0.5, eta 0.01.
    pub fn asam() -> Self {
        Self::new()
            .with_rho(0.5)
            .with_metric(Metric::Adaptive { eta: 0.01 })
    }

    /// Surrogate-gap SAM (Zhuang et al. 2022), alpha 0.4. Its radius schedule is
    /// [`RhoSchedule::WithLearningRate`]; it needs the run's rates, so it is not set here.
    pub fn gsam() -> Self {
        Self::new().with_descent_gradient(DescentGradient::SurrogateGap { alpha: 0.4 })
    }

    /// Weighted SAM (Yue et al. 2023), gamma 0.9, decoupled as the paper recommends. The decoupled
    /// term is added outside of the base optimizer, so its gradient clipping does not see it.
    pub fn wsam() -> Self {
        Self::new().with_descent_gradient(DescentGradient::Weighted {
            gamma: 0.9,
            decoupled: true,
        })
    }

    /// LookSAM (Liu et al. 2022): an ascent every 5 steps, alpha 0.7.
    pub fn look_sam() -> Self {
        Self::new().with_descent_gradient(DescentGradient::Look {
            every: 5,
            alpha: 0.7,
        })
    }

    /// Friendly SAM (Li et al. 2024): sigma 1, momentum 0.9.
    pub fn friendly_sam() -> Self {
        Self::new().with_ascent_direction(AscentDirection::Friendly {
            sigma: 1.0,
            momentum: 0.9,
        })
    }

    /// Fisher SAM (Kim et al. 2022): eta 1, squares of the batch gradient.
    pub fn fisher_sam() -> Self {
        Self::new().with_metric(Metric::Fisher { eta: 1.0 })
    }

    /// Efficient SAM (Du et al. 2022): 60 % of the parameters, 50 % of the examples.
    pub fn esam() -> Self {
        Self::new().with_mask(Some(0.6)).with_selection(Some(0.5))
    }

    /// Gradient descent on the robust loss (SA-GD, arXiv:2511.03548): projected ascent, 10 steps of
    /// one radius, 2 starts (ours).
    pub fn sa_gd() -> Self {
        Self::new().with_ascent(Ascent::Projected {
            steps: 10,
            restarts: 2,
            step_size: 1.0,
        })
    }

    /// Gradient descent on the robust loss (SA-GD, arXiv:2511.03548) with the exact maximizer of the
    /// loss's quadratic model in the ball: Krylov spaces of at most 50 vectors, tolerance 1e-4
    /// (ours). Needs [`step_on`](Sam::step_on).
    pub fn sa_gd_trust_region() -> Self {
        Self::new().with_ascent(Ascent::TrustRegion {
            max_basis: 50,
            tolerance: 1e-4,
        })
    }

    /// Builds the optimizer around a base.
    ///
    /// # Errors
    ///
    /// [`OptimError::OutOfRange`] names the setting, [`OptimError::Incompatible`] the two that exclude each other.
    pub fn init(&self, base: ModuleOptimizer) -> Result<Sam, OptimError> {
        self.validate()?;
        Ok(Sam::from_config(self.clone(), base))
    }

    /// The checks of [`init`](Self::init).
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init).
    pub fn validate(&self) -> Result<(), OptimError> {
        let ascent = self.ascent.part();
        ensure("rho", self.rho, 0.0..)?;
        self.schedule.validate()?;
        self.metric.validate()?;
        self.ascent_direction.part().validate()?;
        ascent.validate()?;
        self.descent_gradient.part().validate()?;
        if let Some(Range { start, end }) = self.active_steps
            && end <= start
        {
            let expected = format!("more than {start}, where the active steps start");
            return Err(OutOfRange::new("active_steps.end", end as f64, expected).into());
        }
        for entry in &self.groups {
            ensure("factor", entry.factor, 0.0..)?;
        }
        ensure("mask", self.mask.unwrap_or(1.0), FRACTION)?;
        ensure("group_size", self.group_size.unwrap_or(1) as f64, 1.0..)?;
        ensure("selection", self.selection.unwrap_or(1.0), FRACTION)?;
        let incompatible = |first, second| Err(OptimError::Incompatible { first, second });
        if self.selection.is_some() && self.group_size.is_some() {
            return incompatible("selection", "group_size");
        }
        if !ascent.needs().contains(&Need::Ball) {
            return Ok(());
        }
        if self.metric != Metric::Euclidean {
            incompatible(ascent.name(), "a metric that is not Euclidean")
        } else if self.mask.is_some() {
            incompatible(ascent.name(), "a mask")
        } else if !self.groups.is_empty() {
            incompatible(ascent.name(), "parameter groups")
        } else if self.ascent_direction != AscentDirection::Gradient {
            incompatible(ascent.name(), "another ascent direction")
        } else {
            Ok(())
        }
    }
}
