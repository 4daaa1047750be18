use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::Outcome;
use serde::{Deserialize, Serialize};

use crate::loss::{Progress, Risk, Work};
use crate::range::{POSITIVE, ensure};
use crate::sharpness::sample::{displaced_loss, sample_seed};
use crate::sharpness::{SharpnessError, statistics};
use crate::space::Scale;
use crate::writing::number;

/// The noise that the weights tolerate: the largest σ whose average rise of the loss stays below a
/// threshold.
///
/// `max σ` with `mean_i L(w + σ c ⊙ z_i) − L(w) ≤ threshold`, for fixed standard normal `z_i`
/// (common random numbers), with `c` given by the [`Scale`]: absolute noise, or noise proportional
/// to the weights. Near a minimum the rise is `σ²/2 Σ c_i² H_ii`, and
/// `σ = sqrt(2 threshold / Σ c_i² H_ii)`.
///
/// From `start`, the search doubles σ until the rise exceeds the threshold, or halves it until it does not, and
/// then bisects log σ. If the rise is not monotone in σ, it finds one crossing. A loss that is not finite counts as above
/// the threshold.
///
/// # Units
///
/// `threshold` in units of the loss, σ in units of the scale. A flatter point tolerates more; `1/σ²`
/// grows with sharpness as the trace does.
///
/// # Cost
///
/// One pass over the data, and `num_samples` passes for every σ tried, twice as many with antithetic
/// pairs: about 12 values for a `start` within a factor of 16 of the result. Fewer passes where a sample
/// is not finite. No gradients; about three vectors of parameters.
///
/// # Reproducibility
///
/// `z_i` depends on `seed` and `i` only, so that two models with the same coordinates are
/// compared at the same noise.
///
/// # Defaults
///
/// 20 samples, antithetic pairs, a start at 0.1, σ to 1 %, at most 60 values of σ, absolute: ours.
/// Jiang et al. 2020 take a threshold of 0.1 on the error rate; for relative noise they add a floor
/// of 1e-3 to `|w|`, which is omitted here.
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
/// assert!(noise.outcome.is_converged() && (noise.sigma - 0.1).abs() < 0.02);
/// assert!(noise.rise <= 0.04);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct PacBayesSigmaConfig {
    /// The rise of the loss that is tolerated.
    pub threshold: f64,
    /// Number of noise vectors.
    #[config(default = 20)]
    pub num_samples: usize,
    /// Evaluates every `z` together with `−z`, which removes the gradient's part from the rise.
    #[config(default = true)]
    pub antithetic: bool,
    /// The σ tried first.
    #[config(default = 0.1)]
    pub start: f64,
    /// The search ends when the interval of σ is at most this, relative to σ.
    #[config(default = 0.01)]
    pub tolerance: f64,
    /// Values of σ to try, at most.
    #[config(default = 60)]
    pub max_steps: usize,
    /// Unit of the noise.
    #[config(default = "Scale::Absolute")]
    pub scale: Scale,
    /// Seed of the noise.
    #[config(default = 0)]
    pub seed: u64,
}

/// The result of [`PacBayesSigmaConfig::run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PacBayesSigma {
    /// The largest σ tried whose rise is at most the threshold; 0, where the rise is zero, if there is none.
    pub sigma: f64,
    /// The smallest σ tried whose rise is above the threshold. If there is none, `sigma` is only a lower bound.
    pub upper: Option<f64>,
    /// The average rise at `sigma`.
    pub rise: f64,
    /// Its standard error over the samples.
    pub standard_error: Option<f64>,
    /// The loss `L(w)`.
    pub base_loss: f64,
    /// The σ tried, in order.
    pub sigmas: Vec<f64>,
    /// The average rise at each; infinite where a loss is not finite.
    #[serde(with = "number")]
    pub rises: Vec<f64>,
    /// How the search ended. Converged: the interval between `sigma` and `upper` is within the tolerance. Stopped: the
    /// observer ended the search, and the numbers are those of the σ tried.
    pub outcome: Outcome,
    /// Passes over the data, including that for the base loss.
    pub num_losses: usize,
    /// The configuration, seed included.
    pub config: PacBayesSigmaConfig,
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
        ensure("threshold", self.threshold, POSITIVE)?;
        ensure("num_samples", self.num_samples as f64, 1.0..)?;
        ensure("start", self.start, POSITIVE)?;
        ensure("tolerance", self.tolerance, POSITIVE)?;
        ensure("max_steps", self.max_steps as f64, 1.0..)?;
        let base_loss = risk.whole_loss(model)?.value;
        let units = self.scale.at(risk.space(model)?, model)?;
        let mut found = PacBayesSigma {
            sigma: 0.0,
            upper: None,
            rise: 0.0,
            standard_error: None,
            base_loss,
            sigmas: Vec::new(),
            rises: Vec::new(),
            outcome: Outcome::LimitReached,
            num_losses: 1,
            config: self.clone(),
        };
        // The rises of the samples at a σ, up to the first that is infinite.
        let mut num_losses = 1;
        let mut rises_at = |sigma: f64| {
            let mut rises = Vec::new();
            for sample in 0..self.num_samples {
                let noise = units.noise(sample_seed(self.seed, sample))?;
                let mut loss = |size| {
                    num_losses += 1;
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
        };
        let mut sigma = self.start;
        while found.sigmas.len() < self.max_steps {
            let rises = match rises_at(sigma) {
                Err(SharpnessError::Stopped) if !found.sigmas.is_empty() => {
                    found.outcome = Outcome::Stopped;
                    break;
                }
                other => other?,
            };
            let rise = statistics::mean(&rises);
            if rise <= self.threshold {
                found.sigma = sigma;
                found.rise = rise;
                found.standard_error = statistics::standard_error(&rises);
            } else {
                found.upper = Some(sigma);
            }
            found.sigmas.push(sigma);
            found.rises.push(rise);
            let width = found.upper.map(|upper| upper - found.sigma);
            if width.is_some_and(|width| width <= self.tolerance * found.sigma) {
                found.outcome = Outcome::Converged;
            }
            let progress = Progress::new(Work::Step, found.sigmas.len());
            let progress = progress.of(self.max_steps).value(rise);
            let is_break = risk.report(progress).is_break();
            if is_break && !found.outcome.is_converged() {
                found.outcome = Outcome::Stopped;
            }
            if found.outcome != Outcome::LimitReached {
                break;
            }
            sigma = match found.upper {
                None => 2.0 * sigma,
                Some(_) if found.sigma == 0.0 => 0.5 * sigma,
                Some(upper) => found.sigma.sqrt() * upper.sqrt(),
            };
        }
        found.num_losses = num_losses;
        Ok(found)
    }
}
