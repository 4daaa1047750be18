use crate::range::ensure;
use burn::config::Config;
use burn::optim::ModuleOptimizer;
use std::ops::Bound;

use super::{
    ActiveSteps, Ascent, AscentDirection, DescentGradient, FisherSquares, Mask, Metric, Need,
    RhoGroup, RhoSchedule, Sam,
};
use crate::optim::OptimConfigError;

/// What to do about a parameter that occurs twice in the model.
#[derive(Config, Debug, PartialEq, Eq, Copy)]
pub enum TiedParameters {
    /// Refuse: Burn's optimizers would move the first occurrence only.
    Refuse,
    /// Write the moved parameter to all its occurrences after each step. The model that comes back
    /// shares no running statistics with clones of the old one.
    Restore,
}

impl TiedParameters {
    pub(super) fn needs(self) -> &'static [Need] {
        match self {
            Self::Refuse => &[],
            Self::Restore => &[Need::Weights],
        }
    }
}

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
/// (adaptive: in units of the weights, a pure number). A mask scales what it keeps by `1/keep`, and
/// groups by their factors.
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
/// # Ok::<(), burnscape::optim::OptimConfigError>(())
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
    /// How the radius changes over the run. Steps are those of the whole run, active or not.
    #[config(default = "RhoSchedule::Constant")]
    pub schedule: RhoSchedule,
    /// How displacements are measured.
    #[config(default = "Metric::Euclidean")]
    pub metric: Metric,
    /// Along which vector the ascent goes.
    #[config(default = "AscentDirection::Gradient")]
    pub ascent_direction: AscentDirection,
    /// How the displacement is found.
    #[config(default = "Ascent::OneStep")]
    pub ascent: Ascent,
    /// Which gradient is handed on.
    #[config(default = "DescentGradient::Perturbed")]
    pub descent_gradient: DescentGradient,
    /// The steps in which the ascent is on; all by default.
    pub active_steps: Option<ActiveSteps>,
    /// Parameters with a radius of their own, or excluded. The last matching entry counts.
    #[config(default = "Vec::new()")]
    pub groups: Vec<RhoGroup>,
    /// Displaces a random part of the parameters only.
    pub mask: Option<Mask>,
    /// m-sharpness: the batch is split into groups of this many examples, each displaced on its own
    /// (Foret et al. 2021, section 4.1; Andriushchenko and Flammarion 2022, arXiv:2206.06232). Needs
    /// [`step_on`](Sam::step_on). Batch norm then takes its statistics from each group.
    pub group_size: Option<usize>,
    /// The fraction of a batch, those examples whose loss rises most under the displacement, that
    /// the second gradient is taken on (ESAM). Needs [`step_on`](Sam::step_on) with a
    /// [`ExampleLosses`](crate::loss::ExampleLosses) objective; costs one more forward pass.
    pub selection: Option<f64>,
    /// Reseeds the device from this and the step before each pass, so that both passes draw the
    /// same dropout masks. It replaces the device's random stream, and needs a closure or a batch.
    pub draws_seed: Option<u64>,
    /// Parameters that occur twice.
    #[config(default = "TiedParameters::Refuse")]
    pub tied: TiedParameters,
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
        Self::new().with_metric(Metric::Fisher {
            eta: 1.0,
            squares: FisherSquares::BatchGradient,
        })
    }

    /// Efficient SAM (Du et al. 2022): 60 % of the parameters, 50 % of the examples.
    pub fn esam(seed: u64) -> Self {
        Self::new()
            .with_mask(Some(Mask { keep: 0.6, seed }))
            .with_selection(Some(0.5))
    }

    /// Gradient descent on the robust loss (SA-GD, arXiv:2511.03548): projected ascent, 10 steps of
    /// one radius, 2 starts (ours).
    pub fn sa_gd(seed: u64) -> Self {
        Self::new().with_ascent(Ascent::Projected {
            steps: 10,
            restarts: 2,
            step_size: 1.0,
            seed,
        })
    }

    /// Gradient descent on the robust loss (SA-GD, arXiv:2511.03548) with the exact maximizer of the
    /// loss's quadratic model in the ball: Krylov spaces of at most 50 vectors, tolerance 1e-4
    /// (ours). Needs [`step_on`](Sam::step_on).
    pub fn sa_gd_trust_region(seed: u64) -> Self {
        Self::new().with_ascent(Ascent::TrustRegion {
            max_basis: 50,
            tolerance: 1e-4,
            seed,
        })
    }

    /// Builds the optimizer around a base.
    ///
    /// # Errors
    ///
    /// [`OptimConfigError`] names the setting that is out of range, or the two that exclude each
    /// other.
    pub fn init(&self, base: ModuleOptimizer) -> Result<Sam, OptimConfigError> {
        self.validate()?;
        Ok(Sam::from_config(self.clone(), base))
    }

    /// The checks of [`init`](Self::init).
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init).
    pub fn validate(&self) -> Result<(), OptimConfigError> {
        ensure("rho", self.rho, 0.0..)?;
        self.schedule.validate()?;
        self.metric.validate()?;
        self.ascent_direction.part().validate()?;
        self.ascent.part().validate()?;
        self.descent_gradient.part().validate()?;
        if let Some(steps) = &self.active_steps {
            steps.validate()?;
        }
        for entry in &self.groups {
            ensure("factor", entry.factor, 0.0..)?;
        }
        if let Some(mask) = &self.mask {
            mask.validate()?;
        }
        if let Some(size) = self.group_size {
            ensure("group_size", size as f64, 1.0..)?;
        }
        if let Some(selection) = self.selection {
            ensure(
                "selection",
                selection,
                (Bound::Excluded(0.0), Bound::Included(1.0)),
            )?;
        }
        let ascent = self.ascent.part();
        let (searches, search) = (ascent.needs().contains(&Need::Ball), ascent.name());
        let incompatible = [
            (
                searches && self.metric != Metric::Euclidean,
                search,
                "another metric than Euclidean",
            ),
            (searches && self.mask.is_some(), search, "a mask"),
            (
                searches && !self.groups.is_empty(),
                search,
                "parameter groups",
            ),
            (
                searches && self.ascent_direction != AscentDirection::Gradient,
                search,
                "another ascent direction",
            ),
            (
                self.selection.is_some() && self.group_size.is_some(),
                "selection",
                "group_size",
            ),
        ];
        match incompatible.into_iter().find(|(wrong, ..)| *wrong) {
            Some((_, first, second)) => Err(OptimConfigError::Incompatible { first, second }),
            None => Ok(()),
        }
    }
}
