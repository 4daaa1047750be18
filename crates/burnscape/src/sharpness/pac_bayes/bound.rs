use burn::config::Config;
use burn::module::Module;
use serde::{Deserialize, Serialize};

use crate::loss::Risk;
use crate::range::{FRACTION, POSITIVE, ensure};
use crate::sharpness::{AverageSharpnessConfig, SharpnessError};
use crate::space::ParamVector;

/// McAllester's PAC-Bayes bound for Gaussian noise around the weights, with all its terms.
///
/// `L̂ + sqrt((KL + ln(2 √n k / δ)) / (2 n))`: `L̂` is the mean loss on the data under noise
/// `N(0, σ² I)` around `w`, estimated from samples, and `KL = |w − w₀|² / (2 σ²)` the divergence of
/// that noise from equal noise around the prior's weights `w₀`, usually those of the initialization.
///
/// # When it is a bound
///
/// The loss must lie in `[0, 1]`: use an objective that does (the error rate, a clipped loss). The
/// result states whether the measured losses did. `w₀` and σ must not depend on the data; a σ chosen on the
/// data from `k` values fixed in advance adds the `k` in the logarithm, `num_priors`. `L̂` is
/// an estimate, and the bound holds for the mean over the noise, which differs from `noisy_loss` by a few standard
/// errors. Add them if the number must be a bound.
///
/// # Units
///
/// σ in units of the parameters, the bound in units of the loss.
///
/// # Cost
///
/// As [`AverageSharpnessConfig`]: one pass over the data and one for every sample.
///
/// # Reproducibility
///
/// As [`AverageSharpnessConfig`].
///
/// # Defaults
///
/// δ = 0.05, one σ, 100 samples, seed 0: ours.
///
/// # References
///
/// McAllester 1999; Maurer 2004, arXiv:cs/0411099; Dziugaite and Roy 2017, arXiv:1703.11008 (weights
/// of networks, prior at the initialization, union over σ).
///
/// # Example
///
/// ```
/// use burn::nn::{Initializer, Linear, LinearConfig};
/// use burn::tensor::activation::sigmoid;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::McAllesterConfig;
///
/// let device = Device::default();
/// let layer = |value| {
///     let initializer = Initializer::Constant { value };
///     LinearConfig::new(4, 1).with_bias(false).with_initializer(initializer).init(&device)
/// };
/// let (prior, model): (Linear, Linear) = (layer(0.0), layer(0.5));
/// let loss = |m: &Linear, x: Tensor<2>| sigmoid(m.forward(x)).mean();
/// let data = [Tensor::<2>::ones([500, 4], &device)];
/// let bound = McAllesterConfig::new(0.1).run(&Risk::new(&loss, &data), &model, &prior)?;
/// // |w − w₀|² = 4 · 0.25.
/// assert!((bound.divergence - 1.0 / (2.0 * 0.01)).abs() < 1e-3);
/// assert!(bound.is_in_range && bound.num_examples == 500);
/// assert_eq!(bound.bound, bound.noisy_loss + bound.complexity);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct McAllesterConfig {
    /// Standard deviation of the noise.
    pub sigma: f64,
    /// The probability with which the bound may fail.
    #[config(default = 0.05)]
    pub delta: f64,
    /// The number of σ, fixed before the data were seen, from which this one was chosen.
    #[config(default = 1)]
    pub num_priors: usize,
    /// Number of samples of the noise.
    #[config(default = 100)]
    pub num_samples: usize,
    /// Seed of the noise.
    #[config(default = 0)]
    pub seed: u64,
}

/// The result of [`McAllesterConfig::run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct McAllesterBound {
    /// `noisy_loss + complexity`.
    pub bound: f64,
    /// The mean loss on the data under the noise, `L̂`.
    pub noisy_loss: f64,
    /// The standard error of `noisy_loss`, and so of the bound. None with a single sample.
    pub standard_error: Option<f64>,
    /// The loss on the data at the weights themselves.
    pub base_loss: f64,
    /// `sqrt((divergence + confidence_term) / (2 n))`.
    pub complexity: f64,
    /// `KL = |w − w₀|² / (2 σ²)`.
    pub divergence: f64,
    /// `ln(2 √n k / δ)`.
    pub confidence_term: f64,
    /// `|w − w₀|`.
    pub distance: f64,
    /// `n`, the examples in the data.
    pub num_examples: usize,
    /// Whether the loss at the weights and all noisy losses, each a mean over the data, lie in
    /// `[0, 1]`. If not, the number is not a bound; if so, it is one only if the loss of every example
    /// does.
    pub is_in_range: bool,
    /// Passes over the data.
    pub num_losses: usize,
    /// The configuration, seed included.
    pub config: McAllesterConfig,
    /// False if the observer stopped the measurement: `noisy_loss` is that of the samples drawn.
    pub completed: bool,
}

impl McAllesterBound {
    /// McAllester's term: `sqrt((KL + ln(2 √n / δ)) / (2 n))`.
    ///
    /// With probability at least `1 − δ` over the draw of `n` examples, the expected loss of a random network of the
    /// posterior is at most its loss on the examples plus this term, for losses in `[0, 1]`, a prior that does not depend
    /// on the examples, and any posterior with this divergence.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`] for a divergence that is negative or not finite, no examples, or `delta` outside
    /// `(0, 1)`.
    ///
    /// # Example
    ///
    /// ```
    /// use burnscape::sharpness::McAllesterBound;
    ///
    /// assert!((McAllesterBound::term(50.0, 1000, 0.05)? - 0.1690307).abs() < 1e-7);
    /// # Ok::<(), burnscape::sharpness::SharpnessError>(())
    /// ```
    pub fn term(divergence: f64, num_examples: usize, delta: f64) -> Result<f64, SharpnessError> {
        ensure("divergence", divergence, 0.0..)?;
        ensure("num_examples", num_examples as f64, 1.0..)?;
        ensure("delta", delta, FRACTION)?;
        let n = num_examples as f64;
        Ok(((divergence + (2.0 * n.sqrt() / delta).ln()) / (2.0 * n)).sqrt())
    }
}

impl McAllesterConfig {
    /// Evaluates the bound for `model` and the weights of `prior`, over the parameters and in the mode of `risk`.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], [`SharpnessError::NonFiniteSample`],
    /// [`SharpnessError::Loss`], and [`SharpnessError::Space`] if the two models differ in more than
    /// their weights.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        prior: &M,
    ) -> Result<McAllesterBound, SharpnessError> {
        ensure("sigma", self.sigma, POSITIVE)?;
        ensure("delta", self.delta, FRACTION)?;
        ensure("num_priors", self.num_priors as f64, 1.0..)?;
        let space = risk.space(model)?;
        risk.space(prior)?.check_same(&space)?;
        let origin = ParamVector::from_module(&space, prior)?;
        let distance = ParamVector::from_module(&space, model)?.axpy(-1.0, &origin)?;
        let distance = distance.norm()?;
        let divergence = 0.5 * (distance / self.sigma).powi(2);

        let num_examples = risk.whole_loss(model)?.num_examples;
        let noise = AverageSharpnessConfig::new(self.sigma)
            .with_num_samples(self.num_samples)
            .with_seed(self.seed)
            .run(risk, model)?;
        let delta = self.delta / self.num_priors as f64;
        let complexity = McAllesterBound::term(divergence, num_examples, delta)?;
        let noisy_loss = noise.base_loss + noise.rise;
        let in_range = |loss: f64| (0.0..=1.0).contains(&loss);
        let mut losses = noise.rises.iter().map(|rise| noise.base_loss + rise);
        Ok(McAllesterBound {
            bound: noisy_loss + complexity,
            noisy_loss,
            standard_error: noise.standard_error,
            base_loss: noise.base_loss,
            complexity,
            divergence,
            confidence_term: (2.0 * (num_examples as f64).sqrt() / delta).ln(),
            distance,
            num_examples,
            is_in_range: in_range(noise.base_loss) && losses.all(in_range),
            num_losses: 1 + noise.num_losses,
            config: self.clone(),
            completed: noise.completed,
        })
    }
}
