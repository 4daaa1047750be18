use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::Estimate;
use serde::{Deserialize, Serialize};

use super::sample::{displaced_loss, sample_seed, take_samples};
use super::{SharpnessError, statistics};
use crate::loss::{Progress, Risk, Work};
use crate::range::{FRACTION, ensure};
use crate::space::Scale;
use crate::writing::number;

/// The average rise of the loss under random perturbations.
///
/// `E[L(w + σ c ⊙ z)] − L(w)`, `z ~ N(0, I)`, with `c` given by the [`Scale`]; the
/// reduction (mean or sum over examples) is that of the objective. To second order it is
/// `σ²/2 Σ c_i² H_ii`, for absolute noise `σ²/2 tr H`: its samples estimate the trace of the
/// Hessian without second derivatives.
///
/// With [`fixed_length`](Self::fixed_length), all perturbations have one length: they are `σ` times a random
/// direction of size one in the [`Scale`], uniform on the sphere or filter-normalized. The mean of the rises then
/// measures how sharp a point is, and their spread how unevenly: one sharp direction among many flat ones shows in the
/// upper [quantiles](AverageSharpness::quantile).
///
/// # Units
///
/// `sigma` is in units of the scale, the rise in units of the loss.
///
/// # Cost
///
/// One pass over the data for the base loss and one for every sample, two with antithetic pairs; no
/// gradients. Besides the model, about three vectors of parameters.
///
/// # Reproducibility
///
/// Sample `i` depends on `seed` and `i` only, and models with the same coordinates use the same `z`.
/// See [the module](crate::sharpness).
///
/// # Defaults
///
/// 100 samples, absolute Gaussian noise, no antithetic pairs, confidence 0.95, seed 0: ours. There is no good default
/// for `sigma`; start with 0.05 for relative noise (Andriushchenko et al. 2023 use 0.05 to 0.4 with `c = |w|`).
///
/// # References
///
/// Neyshabur et al. 2017, *Exploring Generalization in Deep Learning*, arXiv:1706.08947 (expected
/// sharpness); Andriushchenko et al. 2023, arXiv:2302.07011, equation 1.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::AverageSharpnessConfig;
///
/// // A sum of squared weights has the Hessian 2 I, here of trace 8.
/// let device = Device::default();
/// let model = LinearConfig::new(2, 2).with_bias(false).init(&device);
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).powi_scalar(2).sum();
/// let data = [Tensor::<2>::eye(2, &device)];
/// let rise = AverageSharpnessConfig::new(0.1)
///     .with_num_samples(200)
///     .with_antithetic(true)
///     .run(&Risk::new(&loss, &data), &model)?;
/// let error = rise.standard_error.unwrap_or(f64::NAN);
/// assert!((rise.rise - 0.1 * 0.1 * 8.0 / 2.0).abs() < 4.0 * error);
/// assert_eq!(rise.num_losses, 401);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct AverageSharpnessConfig {
    /// Standard deviation of the noise, or the length of every perturbation, in units of the scale.
    pub sigma: f64,
    /// Takes perturbations of one length instead of Gaussian noise.
    #[config(default = false)]
    pub fixed_length: bool,
    /// Number of independent samples.
    #[config(default = 100)]
    pub num_samples: usize,
    /// Unit of the noise.
    #[config(default = "Scale::Absolute")]
    pub scale: Scale,
    /// Evaluates every perturbation together with its opposite. A sample is then the mean of the two, without the
    /// gradient's part. It costs twice as much, and pays off wherever the gradient is not small.
    #[config(default = false)]
    pub antithetic: bool,
    /// The probability with which the interval covers the rise.
    #[config(default = 0.95)]
    pub confidence: f64,
    /// Seed of the noise.
    #[config(default = 0)]
    pub seed: u64,
}

/// The result of [`AverageSharpnessConfig::run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AverageSharpness {
    /// The estimate of `E[L(w + e)] − L(w)`: the mean of `rises`.
    pub rise: f64,
    /// Its standard error: the standard deviation of `rises` over the root of their number. None
    /// with a single sample.
    #[serde(with = "number")]
    pub standard_error: Option<f64>,
    /// Half the width of the interval that covers the rise with the confidence set, by Student's t with
    /// [room for skewness](burnscape_krylov::Estimate::half_width): if one direction is far steeper than the others, a
    /// sample is distributed like a square. None with a single sample.
    #[serde(with = "number")]
    pub half_width: Option<f64>,
    /// The loss `L(w)`.
    pub base_loss: f64,
    /// The rise of every sample (of every pair, if antithetic), in the order drawn.
    pub rises: Vec<f64>,
    /// Root mean square Euclidean length of the perturbations: `σ |c|`, or `σ` for a fixed absolute length.
    pub displacement_norm: f64,
    /// Passes over the data, including that for the base loss.
    pub num_losses: usize,
    /// The configuration, seed included.
    pub config: AverageSharpnessConfig,
    /// False if the observer stopped the measurement: the numbers are those of the samples drawn.
    pub completed: bool,
}

impl AverageSharpness {
    /// The `q`-quantile of the rises, linear between neighboring values (type 7 of Hyndman and Fan
    /// 1996, the default of NumPy).
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`] unless `0 ≤ q ≤ 1`.
    pub fn quantile(&self, q: f64) -> Result<f64, SharpnessError> {
        ensure("q", q, 0.0..=1.0)?;
        let mut ascending = self.rises.clone();
        ascending.sort_by(f64::total_cmp);
        Ok(statistics::quantile(&ascending, q))
    }
}

impl AverageSharpnessConfig {
    /// Measures the rise around `model`, over the parameters and in the mode of `risk`.
    ///
    /// The model, its running statistics included, is not changed.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], [`SharpnessError::NonFiniteSample`], and [`SharpnessError::Loss`]
    /// and [`SharpnessError::Space`] as the risk returns them, also for a scale that is zero
    /// everywhere.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<AverageSharpness, SharpnessError> {
        ensure("sigma", self.sigma, 0.0..)?;
        ensure("num_samples", self.num_samples as f64, 1.0..)?;
        ensure("confidence", self.confidence, FRACTION)?;
        let base_loss = risk.whole_loss(model)?.value;
        let units = self.scale.at(risk.space(model)?, model)?;
        let mut rises = Vec::new();
        let completed = take_samples(self.num_samples, |sample| {
            let seed = sample_seed(self.seed, sample);
            let noise = if self.fixed_length {
                units.direction(seed)?
            } else {
                units.noise(seed)?
            };
            let loss = |size| displaced_loss(risk, model, &noise, size, sample);
            let mut rise = loss(self.sigma)? - base_loss;
            if self.antithetic {
                rise = 0.5 * (rise + (loss(-self.sigma)? - base_loss));
            }
            rises.push(rise);
            let progress = Progress::new(Work::Sample, rises.len());
            Ok(risk.report(progress.of(self.num_samples).value(rise)))
        })?;
        let estimate = Estimate::of(&rises);
        let is_unit = self.fixed_length && self.scale == Scale::Absolute;
        let length = if is_unit { 1.0 } else { units.norm() };
        Ok(AverageSharpness {
            rise: estimate.value,
            standard_error: estimate.standard_error,
            half_width: estimate.half_width(self.confidence),
            base_loss,
            displacement_norm: self.sigma * length,
            num_losses: 1 + rises.len() * if self.antithetic { 2 } else { 1 },
            config: self.clone(),
            completed,
            rises,
        })
    }
}
