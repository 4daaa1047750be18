use burn::config::Config;
use burn::module::Module;

use super::gradients::{Sampled, sampled};
use super::moments::positive_ratio;
use super::{GradientNoise, GradientNoiseMonitor, NoiseEstimator};
use crate::curvature::Hessian;
use crate::dynamics::{Cost, DynamicsError};
use crate::loss::{DataReading, Draws, LossError, Mode, Reduction, Risk};
use crate::range::{FRACTION, ensure};
use crate::space::RunningStatistics;

/// The noise of stochastic gradients: the variance of the gradient between examples, and the batch size at which it
/// equals the gradient.
///
/// The gradients `gᵢ` of single examples scatter about their mean `G` with covariance `Σ`; that of a batch of `b` has
/// the variance `tr Σ / b`. The *noise scale* `B_simple = tr Σ / |G|²` is the batch size at which it is as long as
/// `G`. Far below, gradients are mostly noise, and twice the batch allows about twice the rate; far above, a larger
/// batch gains little.
///
/// From `K` gradients `gₖ` of `b` examples each, `n = K b`, with mean `ḡ` (`b = 1` [per
/// example](NoiseEstimator::PerExample)):
///
/// ```text
/// tr Σ = b / (K − 1) Σₖ |gₖ − ḡ|²      |G|² = |ḡ|² − tr Σ / n
/// ```
///
/// and from [two sizes](NoiseEstimator::TwoSizes) `b < B`, means over batches of
///
/// ```text
/// tr Σ = (|g_b|² − |g_B|²) / (1/b − 1/B)      |G|² = (B |g_B|² − b |g_b|²) / (B − b)
/// ```
///
/// All are unbiased for independent examples, at one point of weight space. `tr Σ` is also exact for the data
/// themselves: [`batch_variance`](GradientNoise::batch_variance). The scale is the ratio of both estimates, and not a
/// mean of ratios. `|G|²` is below the squared length `|ḡ|²` of the gradient over the data, to which the noise
/// contributes, and may be negative; then there is no scale.
///
/// Examples count alike, and the loss is their mean, for a risk that is a sum as well. All parameters count, or those
/// of the [group](Risk::with_group) of the risk.
///
/// # Intervals
///
/// The samples are left out one by one (the jackknife, in closed form), for two sizes the batches. The interval of
/// the scale is Fieller's with Student's `t`; where that of `|G|²` contains zero, its upper end is infinite. The
/// interval of `tr Σ` is Student's for its logarithm, with more room above for the skewness of squared lengths, at
/// least that of Gaussian gradients. It takes three samples, or two batches for two sizes.
///
/// `cargo xtask sweep noise` counts how often 95 % intervals hold the true value for a regression with 512 examples, one by
/// one and in 64 micro-batches of 8. With few or very unequal samples they hold it less often.
///
/// # Noise against curvature
///
/// [`curvature`](Self::curvature) adds `tr(HΣ)` and `Gᵀ H G`, with the Hessian `H` over the data, and their ratio:
/// the noise scale where the loss is quadratic. Both are unbiased: `b / (K − 1) Σₖ (gₖ − ḡ)ᵀ H (gₖ − ḡ)`, and
/// `ḡᵀ H ḡ − tr(HΣ) / n`. With two sizes, the `gₖ` are the gradients of the batches, two at least.
///
/// # Units
///
/// `tr Σ` and `|G|²`: loss squared per parameter squared. Scales: examples.
///
/// # Cost
///
/// | | gradients over the data | vectors |
/// |---|---|---|
/// | per example | 2, one of them example by example | 3 |
/// | micro-batches | 1 | one per micro-batch |
/// | two sizes | 1, in parts of the small size | 3 |
///
/// and two host synchronizations per gradient. Curvature adds a gradient and the [`Hessian`], and one product per
/// gradient and one more (per example: as many products as examples), each over all data; vectors are multiplied in
/// blocks of 16; for two sizes it keeps a vector per batch.
///
/// Unless the [checks](Risk::with_checks) of the risk are off, also two forward passes, which compare the losses of
/// batches with those of their parts, two readings of the data, which download them, and the checks of the Hessian.
///
/// # Mode
///
/// In [`Mode::Train`] a model that normalizes by the statistics of a batch is refused, whether checks are on or off:
/// that mixes the examples, so that none has a gradient of its own. Random draws, dropout for instance, are part of
/// the noise: with a [seed](Risk::with_draws_seed) each part has its own, and per example the first pass goes example
/// by example as well.
///
/// # Errors
///
/// [`DynamicsError::OutOfRange`] for a confidence outside (0, 1), a size of zero, and a small size that is not below
/// that of the batches; [`DynamicsError::BatchSize`] for micro-batches that are larger than a batch;
/// [`DynamicsError::UnequalBatches`] where one has other examples than the first (the remainder of a loader: drop it,
/// or choose a size that divides the batches); [`DynamicsError::TooFewBatches`] for a single gradient;
/// [`DynamicsError::NotExampleMean`] for a loss that is no mean over examples, or one in which the
/// [weights](crate::loss::Batch::weight) of batches prefer the examples of some; [`LossError::DataChanged`] for data
/// that change from one reading to the next; [`LossError::NonFiniteGradient`]; [`LossError::Stopped`] and
/// [`CurvatureError::Stopped`](crate::curvature::CurvatureError::Stopped) if the observer stops the work, of which no
/// part is an estimate; and those of [`Risk::loss_and_gradient`] and of the [`Hessian`].
///
/// # Reproducibility
///
/// Nothing is drawn. Other batches of the same examples change results per example by rounding only.
///
/// # Defaults
///
/// No curvature, confidence 0.95: ours. Micro-batches are the best choice wherever the batches are small enough; per
/// example has less error for more time.
///
/// # References
///
/// McCandlish, Kaplan, Amodei, OpenAI Dota Team 2018, *An Empirical Model of Large-Batch Training*, arXiv:1812.06162
/// (sections 2.2 and A.1). Fieller 1954, *Some problems in interval estimation*, J. R. Statist. Soc. B 16. Efron and
/// Stein 1981, *The jackknife estimate of variance*, Ann. Statist. 9. Johnson 1978, *Modified t tests and confidence
/// intervals for asymmetrical populations*, J. Amer. Statist. Assoc. 73.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::{GradientNoiseConfig, NoiseEstimator};
/// use burnscape::loss::Risk;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).mean();
/// let inputs = [[3.0, 1.0], [1.0, 1.0], [2.0, 0.0], [2.0, 2.0]];
/// let data = [Tensor::<2>::from_data(inputs, &device)];
///
/// // The gradient of each example is its input: ḡ = (2, 1), and all are at distance 1 from it.
/// let config = GradientNoiseConfig::new(NoiseEstimator::PerExample);
/// let noise = config.run(&Risk::new(&loss, &data), &model)?;
/// assert!((noise.trace - 4.0 / 3.0).abs() < 1e-5);
/// assert!((noise.gradient_norm_squared - (5.0 - 1.0 / 3.0)).abs() < 1e-5);
/// assert!(noise.scale.is_some_and(|scale| (scale - 2.0 / 7.0).abs() < 1e-5));
/// println!("{noise}"); // a table
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct GradientNoiseConfig {
    /// The gradients that are compared.
    pub estimator: NoiseEstimator,
    /// Whether to measure the noise against the curvature as well.
    #[config(default = false)]
    pub curvature: bool,
    /// The probability with which an interval holds its number.
    #[config(default = 0.95)]
    pub confidence: f64,
}

impl GradientNoiseConfig {
    /// A monitor of the noise along a training run.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`].
    pub fn init(&self) -> Result<GradientNoiseMonitor, DynamicsError> {
        self.check()?;
        Ok(GradientNoiseMonitor::new(self.clone()))
    }

    /// Measures the noise of `risk` at `model`, which is not changed.
    ///
    /// # Errors
    ///
    /// As [`GradientNoiseConfig`] states.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<GradientNoise, DynamicsError> {
        self.check()?;
        risk.in_time(model, || {
            if risk.has_checks() {
                self.checked(risk, model).map(|(noise, _)| noise)
            } else {
                self.unchecked(risk, model)
            }
        })
    }

    /// Measures with those checks only that a model with batch statistics needs.
    pub(super) fn unchecked<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<GradientNoise, DynamicsError> {
        if has_batch_statistics(risk, model) {
            check_parts(risk, model, self.part().unwrap_or(1))?;
        }
        self.measure(risk, model, false)
    }

    /// Measures with all checks, and returns a hash of each batch as well.
    pub(super) fn checked<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<(GradientNoise, Vec<u64>), DynamicsError> {
        let before = risk.read_data()?;
        if let Some(defect) = before.uneven() {
            return Err(DynamicsError::NotExampleMean { defect });
        }
        let size = self.part().unwrap_or(before.most_examples / 2);
        check_parts(risk, model, size)?;
        let mut noise = self.measure(risk, model, true)?;
        if risk.draws() == Draws::Refused {
            noise.cost.num_losses += 2;
        }
        DataReading::check_same(&before.digests, &risk.read_data()?.digests)?;
        Ok((noise, before.digests))
    }

    /// Measures; of the checks, makes only those of the Hessian.
    fn measure<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
        checks: bool,
    ) -> Result<GradientNoise, DynamicsError> {
        let make = || Hessian::with_kept(&risk.whole().with_checks(checks), model, None);
        let hessian = self.curvature.then(make).transpose()?;
        let found = sampled(self.estimator, risk, model, hessian.as_ref())?;
        let scale = match risk.reduction() {
            Reduction::Mean => 1.0,
            // The Hessian is that of the sum.
            Reduction::Sum => 1.0 / found.num_examples as f64,
        };
        let mut noise = self.estimates(&found, scale)?;
        if self.curvature {
            let checked = usize::from(checks);
            noise.cost.num_gradients += 1 + checked;
            noise.cost.num_matvecs += 2 * checked;
        }
        Ok(noise)
    }

    /// The results of samples; `scale` is that of the mean loss over the loss of the Hessian.
    fn estimates(&self, found: &Sampled, scale: f64) -> Result<GradientNoise, DynamicsError> {
        let moments = &found.moments;
        if !(moments.trace.is_finite() && moments.square.is_finite()) {
            let norm = moments.trace.abs().max(moments.square.abs()).sqrt();
            return Err(LossError::NonFiniteGradient { norm }.into());
        }
        let samples = found.num_samples as f64;
        let curvature = found.forms.map(|forms| {
            let trace = scale * found.batch_size as f64 * forms.deviations / (samples - 1.0);
            [
                trace,
                scale * forms.mean - trace / found.num_examples as f64,
            ]
        });
        Ok(GradientNoise {
            estimator: self.estimator,
            num_examples: found.num_examples,
            batch_size: found.batch_size,
            num_samples: found.num_samples,
            confidence: self.confidence,
            loss: found.loss,
            gradient_norm: found.mean_square.sqrt(),
            trace: moments.trace,
            trace_interval: moments.trace_interval(self.confidence),
            gradient_norm_squared: moments.square,
            scale: moments.scale(),
            scale_interval: moments.scale_interval(self.confidence),
            curvature_trace: curvature.map(|[trace, _]| trace),
            gradient_curvature: curvature.map(|[_, along]| along),
            curvature_scale: curvature.and_then(|[trace, along]| positive_ratio(trace, along)),
            cost: Cost {
                num_losses: 0,
                num_gradients: found.num_passes,
                num_matvecs: found.forms.map_or(0, |forms| forms.num_matvecs),
            },
        })
    }

    /// Examples of a part of a batch; none for whole batches.
    fn part(&self) -> Option<usize> {
        match self.estimator {
            NoiseEstimator::PerExample => Some(1),
            NoiseEstimator::MicroBatches { size } => size,
            NoiseEstimator::TwoSizes { small } => Some(small),
        }
    }

    fn check(&self) -> Result<(), DynamicsError> {
        ensure("confidence", self.confidence, FRACTION)?;
        match self.estimator {
            NoiseEstimator::MicroBatches { size: Some(size) } => {
                ensure("size", size as f64, 1.0..)?;
            }
            NoiseEstimator::TwoSizes { small } => ensure("small", small as f64, 1.0..)?,
            NoiseEstimator::PerExample | NoiseEstimator::MicroBatches { size: None } => {}
        }
        Ok(())
    }
}

/// Refuses a loss that is no mean over examples: that of a batch differs from those of its parts. Where draws are
/// seeded the losses cannot be compared, and a model that normalizes by the statistics of a batch is refused without.
fn check_parts<M: Module, K>(
    risk: &Risk<'_, M, K>,
    model: &M,
    size: usize,
) -> Result<(), DynamicsError> {
    let is_unknown = risk.draws() != Draws::Refused && has_batch_statistics(risk, model);
    match risk.check_parts(model, size.max(1))? {
        Some(defect) => Err(DynamicsError::NotExampleMean { defect }),
        None if is_unknown => Err(DynamicsError::NotExampleMean {
            defect: f64::INFINITY,
        }),
        None => Ok(()),
    }
}

fn has_batch_statistics<M: Module, K>(risk: &Risk<'_, M, K>, model: &M) -> bool {
    risk.mode() == Mode::Train && !RunningStatistics::of(model).is_empty()
}
