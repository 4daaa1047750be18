use burn::config::Config;
use burn::module::Module;
use serde::Serialize;

use crate::loss::{Progress, Risk, Work};
use crate::sharpness::argument::{check_count, check_positive};
use crate::sharpness::sample::{displaced_loss, sample_seed};
use crate::sharpness::{SharpnessError, statistics};
use crate::space::{Scale, Units};

/// The noise that the weights bear: the largest σ whose average rise of the loss stays below a
/// threshold.
///
/// `max σ` with `mean_i L(w + σ c ⊙ z_i) − L(w) ≤ threshold`, for fixed standard normal `z_i`
/// (common random numbers), with `c` given by the [`Scale`]: absolute noise, or noise in
/// proportion to the weights. Near a minimum the rise is `σ²/2 Σ c_i² H_ii`, and
/// `σ = sqrt(2 threshold / Σ c_i² H_ii)`.
///
/// From `start`, σ is doubled until the rise passes the threshold, or halved until it does not, and
/// then bisected on the scale of logarithms. Where the rise is not monotone in σ this finds one
/// crossing. A loss that is not finite counts as above the threshold.
///
/// # Units
///
/// `threshold` in units of the loss, σ in units of the scale. A flatter point bears more; `1/σ²`
/// grows with sharpness as the trace does.
///
/// # Cost
///
/// One pass over the data, and `num_samples` passes for every σ tried, twice as many with antithetic
/// pairs: about 12 for a `start` within a factor of 16 of the answer. Fewer where the samples so far
/// are not finite. No gradients; about three vectors of parameters.
///
/// # Reproducibility
///
/// `z_i` is a function of `seed` and `i` only, so that two models of the same coordinates are
/// compared at the same noise.
///
/// # Defaults
///
/// 20 samples, antithetic pairs, a start at 0.1, σ to 1 %, at most 60 values of σ, absolute: ours.
/// Jiang et al. 2020 take a threshold of 0.1 on the error rate; for relative noise they add a floor
/// of 1e-3 to `|w|`, which is left out here.
///
/// # References
///
/// Neyshabur et al. 2017, arXiv:1706.08947 (sharpness as PAC-Bayes); Jiang et al. 2020, *Fantastic
/// Generalization Measures and Where to Find Them*, arXiv:1912.02178 (σ, and relative to the
/// magnitude).
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::PacBayesSigmaConfig;
///
/// // L = Σ w² over four weights rises by 4 σ² in the mean: 0.04 at σ = 0.1.
/// let device = Device::default();
/// let config = LinearConfig::new(2, 2).with_bias(false).with_initializer(Initializer::Zeros);
/// let model = config.init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).powi_scalar(2).sum();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let noise = PacBayesSigmaConfig::new(0.04)
///     .with_num_samples(100)
///     .run(&Risk::new(&loss, &data), &model)?;
/// assert!(noise.converged && (noise.sigma - 0.1).abs() < 0.02);
/// assert!(noise.rise <= 0.04);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct PacBayesSigmaConfig {
    /// The rise of the loss that is borne.
    pub threshold: f64,
    /// Number of noise vectors.
    #[config(default = 20)]
    pub num_samples: usize,
    /// Evaluates every `z` together with `−z`, which takes the gradient's part out of the rise.
    #[config(default = true)]
    pub antithetic: bool,
    /// The σ tried first.
    #[config(default = 0.1)]
    pub start: f64,
    /// The search ends when the interval of σ is at most this, relative to σ.
    #[config(default = 0.01)]
    pub tolerance: f64,
    /// How many σ are tried, at most.
    #[config(default = 60)]
    pub max_steps: usize,
    /// Unit of the noise.
    #[config(default = "Scale::Absolute")]
    pub scale: Scale,
    /// Seed of the noise.
    #[config(default = 0)]
    pub seed: u64,
}

/// One σ of a search.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SigmaStep {
    /// The σ tried.
    pub sigma: f64,
    /// The average rise there; infinite where a loss is not finite.
    pub rise: f64,
}

/// What [`PacBayesSigmaConfig::run`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PacBayesSigma {
    /// The largest σ tried whose rise is at most the threshold; 0 if there was none, as the rise is
    /// zero there.
    pub sigma: f64,
    /// The smallest σ tried whose rise is above it. None if there was none, so that σ is only a lower
    /// bound.
    pub upper: Option<f64>,
    /// The average rise at `sigma`.
    pub rise: f64,
    /// Its standard error over the samples: how far other noise would give another rise.
    pub standard_error: Option<f64>,
    /// The loss `L(w)`.
    pub base_loss: f64,
    /// All σ tried, in order, with their rises.
    pub steps: Vec<SigmaStep>,
    /// Whether the interval between `sigma` and `upper` is within the tolerance.
    pub converged: bool,
    /// Passes over the data, that for the base loss included.
    pub num_losses: usize,
    /// The configuration, seed included.
    pub config: PacBayesSigmaConfig,
    /// False if the observer stopped the search: the numbers are those of the σ tried.
    pub completed: bool,
}

impl PacBayesSigmaConfig {
    /// Searches around `model`, over the parameters and in the mode of `risk`.
    ///
    /// The model, its running statistics included, is not changed.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], [`SharpnessError::Loss`], [`SharpnessError::Space`], also for a
    /// scale that is zero everywhere.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<PacBayesSigma, SharpnessError> {
        self.check()?;
        let base_loss = risk.whole_loss(model)?.value;
        let units = self.scale.at(risk.space(model)?, model)?;
        let mut found = PacBayesSigma {
            sigma: 0.0,
            upper: None,
            rise: 0.0,
            standard_error: None,
            base_loss,
            steps: Vec::new(),
            converged: false,
            num_losses: 1,
            config: self.clone(),
            completed: true,
        };
        let mut sigma = self.start;
        while found.steps.len() < self.max_steps {
            let rises = match self.rises((risk, model, &units), (sigma, base_loss), &mut found) {
                Err(SharpnessError::Stopped) if !found.steps.is_empty() => {
                    found.completed = false;
                    break;
                }
                other => other?,
            };
            let step = SigmaStep {
                sigma,
                rise: statistics::mean(&rises),
            };
            if step.rise <= self.threshold {
                found.sigma = sigma;
                found.rise = step.rise;
                found.standard_error = statistics::standard_error(&rises);
            } else {
                found.upper = Some(sigma);
            }
            found.steps.push(step.clone());
            found.converged = found
                .upper
                .is_some_and(|upper| upper - found.sigma <= self.tolerance * found.sigma);
            let progress = Progress::new(Work::Step, found.steps.len());
            let progress = progress.of(self.max_steps).value(step.rise);
            if risk.report(progress).is_break() {
                found.completed = found.converged;
                break;
            }
            if found.converged {
                break;
            }
            sigma = match found.upper {
                None => 2.0 * sigma,
                Some(_) if found.sigma == 0.0 => 0.5 * sigma,
                Some(upper) => found.sigma.sqrt() * upper.sqrt(),
            };
        }
        Ok(found)
    }

    /// The rises of the samples at a σ, up to one that is infinite.
    fn rises<M: Module, K>(
        &self,
        (risk, model, units): (&Risk<'_, M, K>, &M, &Units),
        (sigma, base_loss): (f64, f64),
        found: &mut PacBayesSigma,
    ) -> Result<Vec<f64>, SharpnessError> {
        let mut rises = Vec::new();
        for sample in 0..self.num_samples {
            let noise = units.noise(sample_seed(self.seed, sample))?;
            let mut loss = |size| {
                found.num_losses += 1;
                match displaced_loss(risk, model, &noise, size, sample) {
                    Err(SharpnessError::NonFiniteSample { .. }) => Ok(f64::INFINITY),
                    other => other,
                }
            };
            let mut rise = loss(sigma)? - base_loss;
            if self.antithetic {
                rise = 0.5 * (rise + (loss(-sigma)? - base_loss));
            }
            rises.push(rise);
            if rise.is_infinite() {
                break;
            }
        }
        Ok(rises)
    }

    fn check(&self) -> Result<(), SharpnessError> {
        check_positive("threshold", self.threshold)?;
        check_count("num_samples", self.num_samples)?;
        check_positive("start", self.start)?;
        check_positive("tolerance", self.tolerance)?;
        check_count("max_steps", self.max_steps)
    }
}
