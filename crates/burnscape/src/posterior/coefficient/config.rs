use burn::config::Config;
use burn::module::Module;

use super::descent::{Descent, Slope};
use super::judge::{Evidence, extrapolated, judge};
use super::{Finding, LearningCoefficient, Thresholds};
use crate::dynamics::Cost;
use crate::loss::Risk;
use crate::posterior::{Posterior, PosteriorConfig, PosteriorError, PosteriorRecord, Potential};
use crate::range::ensure;
use crate::space::mix;

/// What the seeds of the checks are mixed with: no index of a chain.
const HALF_LOCALIZER: u64 = 1 << 40;
const HALF_STEP: u64 = HALF_LOCALIZER + 1;

/// The local learning coefficient of a model, with the checks that tell whether the number is one.
///
/// `λ̂ = nβ (E[L(w)] − L(w₀))`, `w ~ exp(−nβ L(w) − γ/2 |w − w₀|²)`, with `L` the mean loss over the data and `w₀` the
/// model. The volume of `{L ≤ L(w₀) + ε}` near a minimum shrinks as `ε^λ`. In a quadratic well `λ` is half the number of
/// parameters, and less where the minimum is degenerate.
///
/// The estimate is that of finite `nβ` and `γ`, not the limit `λ`. In a quadratic well it is
/// `½ Σ nβ hᵢ / (nβ hᵢ + γ)` over the curvatures `hᵢ`. For reduced-rank regression with two inputs, hidden units and
/// outputs at the zero map it is 1.4418 at `nβ = 1000` and `γ = 1`, for `λ = 3/2`. Compare estimates at the same `n`, `β` and `γ`
/// only.
///
/// # Checks
///
/// A sampler returns a number for any model and any settings. A run takes further measurements to see what the number is
/// worth, and states what is wrong as [`Finding`]s, by [`Thresholds`] that can be set:
///
/// | finding | when |
/// |---|---|
/// | [no minimum](Finding::NoMinimum): there is no coefficient | 100 steps of descent on `nβ L + γ/2 \|w − w₀\|²` lower `nβ L` by more than 10 % of the estimate, or more than 1 % of the draws have a loss below `L(w₀)` |
/// | [localizer](Finding::LocalizerDominated) | with `γ/2` the estimate changes by more than 10 % and 2 standard errors |
/// | [short chains](Finding::ChainsTooShort) | the effective sample size is below 1,000, the first and the last third of the draws differ by more than 2 standard errors, or R-hat is above 1.01 |
/// | [biased step](Finding::BiasedStep) | of an inexact sampler: with half of the step the estimate changes by more than 2 standard errors |
/// | [single chain](Finding::SingleChain) | there is one chain |
///
/// R-hat near 1 says that chains agree, not that they are right: chains of Langevin steps that are too long agree on a
/// biased number. The share of draws below `L(w₀)` is not known with
/// [`batches_per_step`](PosteriorConfig::with_batches_per_step).
///
/// # Units
///
/// None.
///
/// # Cost
///
/// The posterior of the config, as [`PosteriorConfig`] states it, once more for each of the checks of localizer and step, and a
/// gradient over all data for each step of descent, whose length needs the sharpness. Give it by
/// [`with_sharpness`](PosteriorConfig::with_sharpness) if the loss has no Hessian that can be traced.
///
/// # Errors
///
/// [`PosteriorError::OutOfRange`] for thresholds out of range, and the errors of [`PosteriorConfig`], also from the checks. Without
/// enough draws for diagnostics the error is [`PosteriorError::Stopped`] if the observer broke.
///
/// # Reproducibility
///
/// The seed of the posterior decides everything, and the number of threads nothing.
///
/// # Defaults
///
/// Both checks are on. Thresholds: [`Thresholds`].
///
/// # References
///
/// Watanabe 2009, *Algebraic Geometry and Statistical Learning Theory*; Watanabe 2013, *A Widely Applicable Bayesian
/// Information Criterion*, arXiv:1208.6338; Lau et al. 2023, *The Local Learning Coefficient*, arXiv:2308.12108.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::posterior::{LearningCoefficientConfig, PosteriorConfig};
///
/// // Against its own outputs a linear model is at a minimum, here L = ½ |w − w₀|².
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let loss = |m: &Linear, (x, y): (Tensor<2>, Tensor<2>)| (m.forward(x) - y).square().mean();
/// let x = Tensor::<2>::eye(2, &device);
/// let data = [(x.clone(), model.forward(x))];
///
/// let short = PosteriorConfig::new(1_000).with_num_chains(2).with_burn_in(200).with_num_draws(300);
/// let found = LearningCoefficientConfig::new(short.clone()).run(&Risk::new(&loss, &data), &model)?;
/// let exact = 2.0 / 2.0 * short.nbeta() / (short.nbeta() + 1.0);
/// let coefficient = found.coefficient.unwrap_or(f64::NAN);
/// assert!((coefficient - exact).abs() < 4.0 * found.standard_error);
/// println!("{found}"); // Among others: the chains are too short, the effective sample size is …
/// # Ok::<(), burnscape::posterior::PosteriorError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct LearningCoefficientConfig {
    /// Temperature, localizer, sampler and chains.
    pub posterior: PosteriorConfig,
    /// What decides the findings.
    #[config(default = "Thresholds::new()")]
    pub thresholds: Thresholds,
    /// Samples with half of the localizer as well, if there is one.
    #[config(default = true)]
    pub localizer_check: bool,
    /// Samples with half of the step as well, if the sampler is inexact. An exact one has no bias.
    #[config(default = true)]
    pub step_check: bool,
}

/// What the checks measured, as far as they came.
struct Checks {
    /// Of the Hessian at the start.
    sharpness: Option<f64>,
    descent: Option<Descent>,
    /// Estimates and their standard errors.
    half_localizer: Option<(f64, f64)>,
    half_step: Option<(f64, f64)>,
    cost: Cost,
    completed: bool,
}

impl LearningCoefficientConfig {
    /// Measures the coefficient at `model`, over the parameters and in the mode of `risk`.
    ///
    /// If the observer stops the samples of the posterior, there are no checks and no coefficient. To interrupt and
    /// continue a long run, run its [`posterior`](Self::posterior) and [`resume`](Self::resume) from the record.
    ///
    /// # Errors
    ///
    /// As [`LearningCoefficientConfig`] states.
    pub fn run<M: Module + 'static, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<LearningCoefficient, PosteriorError> {
        self.run_on(&risk.potential(model)?)
    }

    /// As [`run`](Self::run), for any loss that can be sampled.
    ///
    /// # Errors
    ///
    /// As [`LearningCoefficientConfig`] states.
    pub fn run_on<P: Potential>(
        &self,
        potential: &P,
    ) -> Result<LearningCoefficient, PosteriorError> {
        self.thresholds.check()?;
        self.found(potential, self.posterior.run_on(potential)?)
    }

    /// Continues from the [record](Posterior::record) of this posterior, and makes the checks. The result is that of an
    /// uninterrupted [`run`](Self::run), to the bit.
    ///
    /// # Errors
    ///
    /// As [`LearningCoefficientConfig`] states, and [`PosteriorError::Record`] for the record of another posterior.
    pub fn resume<M: Module + 'static, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        record: PosteriorRecord,
    ) -> Result<LearningCoefficient, PosteriorError> {
        self.resume_on(&risk.potential(model)?, record)
    }

    /// As [`resume`](Self::resume), for any loss that can be sampled.
    ///
    /// # Errors
    ///
    /// Those of [`resume`](Self::resume).
    pub fn resume_on<P: Potential>(
        &self,
        potential: &P,
        record: PosteriorRecord,
    ) -> Result<LearningCoefficient, PosteriorError> {
        self.thresholds.check()?;
        self.found(potential, self.posterior.resume_on(potential, record)?)
    }

    fn found<P: Potential>(
        &self,
        potential: &P,
        posterior: Posterior,
    ) -> Result<LearningCoefficient, PosteriorError> {
        let diagnostics = match posterior.diagnostics() {
            Err(PosteriorError::TooFewDraws { .. }) if !posterior.completed => {
                return Err(PosteriorError::Stopped);
            }
            diagnostics => diagnostics?,
        };
        let checks = self.checks(potential, &posterior)?;
        let estimate = posterior.nbeta_rise();
        let standard_error = self.posterior.nbeta() * diagnostics.standard_error;
        let evidence = Evidence {
            estimate,
            standard_error,
            descent_drop: checks.descent.map(|descent| descent.drop),
            rounding: checks.descent.map_or(0.0, |descent| descent.rounding),
            share_below: posterior.share_below(),
            localizer: self.posterior.localizer(),
            half_localizer: checks.half_localizer,
            step: first(&posterior.steps),
            half_step: checks.half_step,
            ess: diagnostics.ess,
            drift: diagnostics.drift,
            rhat: diagnostics.rank_rhat,
            num_chains: posterior.rises.len(),
        };
        let findings = judge(&evidence, &self.thresholds);
        let is_refused = findings.iter().any(Finding::is_refusal);
        Ok(LearningCoefficient {
            coefficient: (checks.completed && !is_refused).then_some(estimate),
            estimate,
            standard_error,
            half_localizer: checks.half_localizer,
            half_step: checks.half_step,
            extrapolated: checks
                .half_step
                .map(|(at_half, _)| extrapolated(estimate, at_half)),
            descent_drop: evidence.descent_drop,
            lowest_rise: posterior.lowest_rise(),
            share_below: evidence.share_below,
            base_loss: posterior.base_loss,
            base_gradient_norm: posterior.base_gradient_norm,
            sharpness: checks.sharpness,
            wbic: posterior.wbic(),
            steps: posterior.steps.clone(),
            acceptance: posterior.acceptance.clone(),
            diagnostics,
            findings,
            completed: checks.completed,
            cost: posterior.cost + checks.cost,
            config: self.clone(),
            posterior: Some(posterior),
        })
    }

    fn checks<P: Potential>(
        &self,
        potential: &P,
        posterior: &Posterior,
    ) -> Result<Checks, PosteriorError> {
        let mut checks = Checks {
            sharpness: posterior.sharpness,
            descent: None,
            half_localizer: None,
            half_step: None,
            cost: Cost::default(),
            completed: posterior.completed,
        };
        if !checks.completed {
            return Ok(checks);
        }
        let sharpness = match posterior.sharpness {
            Some(sharpness) => sharpness,
            None => {
                let found = potential.sharpness()?;
                ensure("sharpness", found, ..)?;
                found
            }
        };
        checks.sharpness = Some(sharpness);
        let step = first(&posterior.steps);
        let (nbeta, localizer) = (self.posterior.nbeta(), self.posterior.localizer());
        let curvature = nbeta * sharpness.max(0.0) + localizer;
        let slope = Slope {
            nbeta,
            localizer,
            // Without a curvature, the drift of a Langevin step.
            step: if curvature > 0.0 {
                1.0 / curvature
            } else {
                0.5 * step
            },
        };
        let descent = slope.descend(potential, self.thresholds.descent_steps)?;
        checks.cost.num_gradients += descent.num_gradients;
        checks.completed = descent.completed;
        checks.descent = descent.completed.then_some(descent);

        let (sampler, seed) = (self.posterior.sampler(), self.posterior.seed());
        let is_exact = sampler.is_exact();
        // An inexact sampler keeps its step, so that only the localizer differs.
        let same = if is_exact {
            sampler
        } else {
            sampler.with_step(step)
        };
        let settings = self.posterior.clone().with_sharpness(Some(sharpness));
        if self.localizer_check && localizer > 0.0 && checks.completed {
            let settings = settings.clone().with_localizer(0.5 * localizer);
            let settings = settings
                .with_sampler(same)
                .with_seed(mix(seed, HALF_LOCALIZER));
            checks.half_localizer = checks.sampled(potential, &settings)?;
        }
        if self.step_check && !is_exact && checks.completed {
            let half = sampler.with_step(0.5 * step);
            let settings = settings.with_sampler(half).with_seed(mix(seed, HALF_STEP));
            checks.half_step = checks.sampled(potential, &settings)?;
        }
        Ok(checks)
    }
}

impl Checks {
    /// The estimate of another posterior and its standard error; none if the observer stops it.
    fn sampled<P: Potential>(
        &mut self,
        potential: &P,
        settings: &PosteriorConfig,
    ) -> Result<Option<(f64, f64)>, PosteriorError> {
        let posterior = match settings.run_on(potential) {
            Err(PosteriorError::Stopped) => {
                self.completed = false;
                return Ok(None);
            }
            posterior => posterior?,
        };
        self.cost += posterior.cost;
        self.completed = posterior.completed;
        if !posterior.completed {
            return Ok(None);
        }
        let error = settings.nbeta() * posterior.diagnostics()?.standard_error;
        Ok(Some((posterior.nbeta_rise(), error)))
    }
}

/// The step of the first chain: that of all, unless each has tuned its own.
fn first(steps: &[f64]) -> f64 {
    steps.first().copied().unwrap_or(f64::NAN)
}
