use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::run::{fresh, resumed};
use super::{Posterior, PosteriorError, PosteriorRecord, Potential, Sampler};
use crate::OutOfRange;
use crate::loss::Risk;
use crate::range::{POSITIVE, ensure};

/// The fewest draws of a chain that diagnostics work with.
const LEAST_DRAWS: usize = 8;

/// Draws from the posterior around a model, `p(w) ∝ exp(−nβ L(w) − γ/2 |w − w₀|²)`.
///
/// `L` is the mean loss over the data, `n` the number of examples that the model was trained on, `β` the inverse
/// temperature, `w₀` the parameters of the model (those of the [group](Risk::with_group) of the risk), and `γ` the
/// localizer, which keeps the chains near them. The draws are of the rise of the loss, `L(w) − L(w₀)`; `nβ` times its
/// mean is the estimate of the learning coefficient. [`LearningCoefficientConfig`](super::LearningCoefficientConfig)
/// adds the checks that a number of this kind needs.
///
/// All chains start at `w₀`, take [burn-in](Self::with_burn_in) iterations that do not count, and then one draw an
/// iteration.
///
/// # Batches
///
/// By default losses and gradients are over all data. With [`with_batches_per_step`](Self::with_batches_per_step), an
/// iteration takes the mean over some batches, drawn with replacement and with probabilities proportional to their
/// weights. Its rise is the mean of `L_b(w) − L_b(w₀)` over the same batches: the same mean with much less noise. Their
/// gradients are noisy, which biases every sampler; [`Sampler::Mala`] refuses them.
///
/// # Units
///
/// Rises: loss. `γ`: 1 over a parameter squared. `nβ` times a rise has none.
///
/// # Cost
///
/// A loss and gradient an iteration and chain (of the drawn batches only, if there are), one at the start, and with
/// batches another pass for their losses at the start. The steps of all samplers but [`Sampler::Mala`] with a step need
/// the sharpness: the products of [`EigenpairsConfig`](crate::krylov::EigenpairsConfig) with a
/// [Hessian](Risk::hessian), unless [`with_sharpness`](Self::with_sharpness) gives it. Without a localizer, another loss
/// and gradient at the start looks for parameters that have none. Besides that, an iteration takes a normal number for
/// each parameter and about a dozen vector operations. Memory: up to four vectors for each chain, and for each thread a
/// copy of the model and six vectors.
///
/// # Reproducibility
///
/// Chain and iteration number determine the random numbers. Results have the same bits for any number of threads, and
/// if the run is [resumed](Self::resume), on devices that compute an operation the same way each time.
///
/// # Defaults
///
/// `β = 1/ln n` (Watanabe 2013), `γ = 1`, [`Sampler::mala`], 8 chains, 1000 burn-in iterations, 2000 draws a chain, all
/// data, seed 0, one thread: ours, but for `β`.
///
/// # References
///
/// Watanabe 2013, *A Widely Applicable Bayesian Information Criterion*, arXiv:1208.6338. Lau, Furman, Wang, Murfet, Wei
/// 2023, *The Local Learning Coefficient: A Singularity-Aware Complexity Measure*, arXiv:2308.12108.
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::posterior::PosteriorConfig;
///
/// let device = Device::default();
/// let config = LinearConfig::new(2, 1).with_bias(false).with_initializer(Initializer::Zeros);
/// let model = config.init(&device);
/// // The mean of w₁² and w₂².
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
/// let data = [Tensor::<2>::eye(2, &device)];
///
/// let config = PosteriorConfig::new(100).with_num_chains(2).with_burn_in(100).with_num_draws(200);
/// let posterior = config.run(&Risk::new(&loss, &data), &model)?;
/// // The Hessian is I, so that the exact value is nβ / (nβ + γ), nβ = 100 / ln 100.
/// assert!((posterior.nbeta_rise() - 0.956).abs() < 0.5);
/// assert_eq!((posterior.base_loss, posterior.share_below()), (0.0, Some(0.0)));
/// # Ok::<(), burnscape::posterior::PosteriorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PosteriorConfig {
    num_examples: usize,
    /// None: `1/ln n`.
    inverse_temperature: Option<f64>,
    localizer: f64,
    sampler: Sampler,
    num_chains: usize,
    burn_in: usize,
    num_draws: usize,
    batches_per_step: Option<usize>,
    sharpness: Option<f64>,
    seed: u64,
    num_threads: usize,
}

/// Settings.
impl PosteriorConfig {
    /// The posterior for this number of training examples: 2 or more, and not the number of examples that the risk
    /// reads if that is a part of them.
    #[must_use]
    pub fn new(num_examples: usize) -> Self {
        Self {
            num_examples,
            inverse_temperature: None,
            localizer: 1.0,
            sampler: Sampler::default(),
            num_chains: 8,
            burn_in: 1000,
            num_draws: 2000,
            batches_per_step: None,
            sharpness: None,
            seed: 0,
            num_threads: 1,
        }
    }

    /// The inverse temperature `β`; `1/ln n` by default.
    #[must_use]
    pub fn with_inverse_temperature(mut self, inverse_temperature: f64) -> Self {
        self.inverse_temperature = Some(inverse_temperature);
        self
    }

    /// The strength `γ` of the localizer, 0 for none. Learning coefficients of different `γ` cannot be compared.
    #[must_use]
    pub fn with_localizer(mut self, localizer: f64) -> Self {
        self.localizer = localizer;
        self
    }

    /// The sampler.
    #[must_use]
    pub fn with_sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// The number of chains: 1 or more. One alone cannot show that chains disagree.
    #[must_use]
    pub fn with_num_chains(mut self, num_chains: usize) -> Self {
        self.num_chains = num_chains;
        self
    }

    /// The iterations of each chain before its first draw. In the first half of them steps and preconditioners are
    /// tuned, and then frozen.
    #[must_use]
    pub fn with_burn_in(mut self, burn_in: usize) -> Self {
        self.burn_in = burn_in;
        self
    }

    /// The draws of each chain: 8 or more.
    #[must_use]
    pub fn with_num_draws(mut self, num_draws: usize) -> Self {
        self.num_draws = num_draws;
        self
    }

    /// The number of batches whose mean loss and gradient an iteration takes; `None` for all data.
    #[must_use]
    pub fn with_batches_per_step(mut self, batches_per_step: Option<usize>) -> Self {
        self.batches_per_step = batches_per_step;
        self
    }

    /// The largest eigenvalue of the Hessian of `L` at the model, if it is known.
    #[must_use]
    pub fn with_sharpness(mut self, sharpness: Option<f64>) -> Self {
        self.sharpness = sharpness;
        self
    }

    /// The seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The number of threads that share the chains, 1024 at most. It does not change the result.
    ///
    /// A risk with [several devices](crate::loss::Risk::with_devices) spreads each loss and gradient over all of them, from
    /// every thread of chains: one thread of chains is then enough, unless a pass is too short to keep the devices
    /// busy. A single batch, as with [`with_batches_per_step`](Self::with_batches_per_step), is evaluated on the device of
    /// the model.
    #[must_use]
    pub fn with_num_threads(mut self, num_threads: usize) -> Self {
        self.num_threads = num_threads;
        self
    }

    /// `nβ`.
    pub fn nbeta(&self) -> f64 {
        self.num_examples as f64 * self.inverse_temperature()
    }

    /// The number of training examples, `n`.
    pub(crate) fn num_examples(&self) -> usize {
        self.num_examples
    }

    /// The inverse temperature, `β`.
    pub(crate) fn inverse_temperature(&self) -> f64 {
        let usual = || (self.num_examples as f64).ln().recip();
        self.inverse_temperature.unwrap_or_else(usual)
    }

    /// The strength of the localizer, `γ`.
    pub(crate) fn localizer(&self) -> f64 {
        self.localizer
    }

    /// The sampler.
    pub(crate) fn sampler(&self) -> Sampler {
        self.sampler
    }

    /// The number of chains.
    pub(crate) fn num_chains(&self) -> usize {
        self.num_chains
    }

    /// The draws of each chain.
    pub(crate) fn num_draws(&self) -> usize {
        self.num_draws
    }

    pub(crate) fn burn_in(&self) -> usize {
        self.burn_in
    }

    pub(crate) fn batches_per_step(&self) -> Option<usize> {
        self.batches_per_step
    }

    pub(crate) fn sharpness(&self) -> Option<f64> {
        self.sharpness
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn num_threads(&self) -> usize {
        self.num_threads
    }
}

/// Runs.
impl PosteriorConfig {
    /// Samples the posterior of `risk` around `model`, which is not changed.
    ///
    /// The observer of the risk sees [`Work::Sample`](crate::loss::Work::Sample) after every few draws, with the mean
    /// rise of the loss. If it breaks, the draws so far are the result, and its [record](Posterior::record) continues
    /// them.
    ///
    /// # Errors
    ///
    /// [`PosteriorError::OutOfRange`] and [`PosteriorError::TooFewDraws`] for settings out of range,
    /// [`PosteriorError::NeedsAllData`], [`PosteriorError::SumReduction`], [`PosteriorError::HalfPrecision`],
    /// [`PosteriorError::UnusedParameters`], [`PosteriorError::BadStart`], [`PosteriorError::NoScale`],
    /// [`PosteriorError::UnstableStep`], [`PosteriorError::Diverged`], [`PosteriorError::Stuck`],
    /// [`PosteriorError::NoThreads`], and those of the loss and of the Hessian.
    pub fn run<M: Module + 'static, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<Posterior, PosteriorError> {
        self.run_on(&risk.potential(model)?)
    }

    /// Samples the posterior of any [`Potential`].
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run).
    pub fn run_on<P: Potential>(&self, potential: &P) -> Result<Posterior, PosteriorError> {
        fresh(self, potential)
    }

    /// Goes on from a record: the result is that of a run without a break, to the bit. More draws may be asked for than
    /// at first, and another number of threads.
    ///
    /// # Errors
    ///
    /// [`PosteriorError::Record`] for a record of other settings, another model or other data, and those of
    /// [`run`](Self::run).
    pub fn resume<M: Module + 'static, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        record: PosteriorRecord,
    ) -> Result<Posterior, PosteriorError> {
        self.resume_on(&risk.potential(model)?, record)
    }

    /// Goes on from a record with any [`Potential`].
    ///
    /// # Errors
    ///
    /// Those of [`resume`](Self::resume).
    pub fn resume_on<P: Potential>(
        &self,
        potential: &P,
        record: PosteriorRecord,
    ) -> Result<Posterior, PosteriorError> {
        resumed(self, potential, record)
    }

    /// Whether the inverse temperature is `1/ln n`.
    pub(super) fn is_at_usual_temperature(&self) -> bool {
        let product = self.inverse_temperature() * (self.num_examples as f64).ln();
        (product - 1.0).abs() < 1e-12
    }

    /// Refuses settings out of range.
    pub(super) fn check(&self) -> Result<(), PosteriorError> {
        ensure("num_examples", self.num_examples as f64, 2.0..)?;
        let temperature = self.inverse_temperature();
        ensure("inverse_temperature", temperature, POSITIVE)?;
        if !self.nbeta().is_finite() {
            let expected = "a number whose product with the number of examples is finite";
            return Err(OutOfRange::new("inverse_temperature", temperature, expected).into());
        }
        ensure("localizer", self.localizer, 0.0..)?;
        self.sampler.check()?;
        ensure("num_chains", self.num_chains as f64, 1.0..)?;
        ensure("num_threads", self.num_threads as f64, 1.0..=1024.0)?;
        if let Some(sharpness) = self.sharpness {
            ensure("sharpness", sharpness, ..)?;
        }
        if matches!(self.sampler, Sampler::RmspropLangevin { .. }) && self.burn_in == 0 {
            let expected = "1 or more: the preconditioner is measured in the first half of burn-in";
            return Err(OutOfRange::new("burn_in", 0.0, expected).into());
        }
        if let Some(batches) = self.batches_per_step {
            if self.sampler.is_exact() {
                let sampler = self.sampler.name();
                return Err(PosteriorError::NeedsAllData { sampler });
            }
            ensure("batches_per_step", batches as f64, 1.0..)?;
        }
        if self.num_draws < LEAST_DRAWS {
            return Err(PosteriorError::TooFewDraws {
                found: self.num_draws,
                needed: LEAST_DRAWS,
            });
        }
        Ok(())
    }

    /// The first setting that a run with `other` cannot be resumed with, in words.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let settings = |config: &Self| {
            [
                ("num_examples", config.num_examples.to_string()),
                (
                    "inverse_temperature",
                    config.inverse_temperature().to_string(),
                ),
                ("localizer", config.localizer.to_string()),
                ("sampler", format!("{:?}", config.sampler)),
                ("num_chains", config.num_chains.to_string()),
                ("burn_in", config.burn_in.to_string()),
                ("batches_per_step", format!("{:?}", config.batches_per_step)),
                ("sharpness", format!("{:?}", config.sharpness)),
                ("seed", config.seed.to_string()),
            ]
        };
        let (own, others) = (settings(self), settings(other));
        let differing = own
            .into_iter()
            .zip(others)
            .find(|(own, other)| own != other);
        differing.map(|((name, own), (_, other))| format!("`{name}` is {own}, not {other}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_temperature_is_that_of_wbic() {
        let config = PosteriorConfig::new(1000);
        assert!((config.nbeta() - 144.764_827).abs() < 1e-6);
        assert!(config.is_at_usual_temperature() && config.check().is_ok());
        let other = config.clone().with_inverse_temperature(1.0);
        assert_eq!(other.nbeta(), 1000.0);
        assert!(!other.is_at_usual_temperature());
        assert!(PosteriorConfig::new(1).check().is_err());
    }

    #[test]
    fn exact_samplers_need_all_data() {
        let config = PosteriorConfig::new(10).with_batches_per_step(Some(1));
        let error = PosteriorError::NeedsAllData { sampler: "MALA" };
        assert_eq!(config.check(), Err(error));
        let config = config.with_sampler(Sampler::langevin());
        assert_eq!(config.check(), Ok(()));
        assert!(config.with_batches_per_step(Some(0)).check().is_err());
    }

    #[test]
    fn draws_and_threads_may_change_between_runs() {
        let config = PosteriorConfig::new(10);
        let more = config.clone().with_num_draws(9).with_num_threads(3);
        assert_eq!(config.difference(&more), None);
        let other = config.clone().with_seed(3).with_localizer(0.5);
        let text = config.difference(&other).unwrap();
        assert_eq!(text, "`localizer` is 1, not 0.5");
    }
}
