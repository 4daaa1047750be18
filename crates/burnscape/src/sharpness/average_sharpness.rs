use burn::config::Config;
use burn::module::Module;
use burnscape_krylov::Estimate;
use serde::Serialize;

use super::SharpnessError;
use super::argument::{check_count, check_probability, check_size};
use super::sample::{displaced_loss, sample_seed};
use crate::loss::{Progress, Risk, Work};
use crate::space::Scale;

/// The average rise of the loss under Gaussian noise.
///
/// `E[L(w + σ c ⊙ z)] − L(w)`, `z ~ N(0, I)`, with `c` given by the [`Scale`]; the
/// reduction (mean or sum over examples) is that of the objective. To second order it is
/// `σ²/2 Σ c_i² H_ii`, for absolute noise `σ²/2 tr H`: its samples estimate the trace of the
/// Hessian without any second derivative.
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
/// Sample `i` is a function of `seed` and `i` only, and models of the same coordinates meet the
/// same `z`. See [the room](crate::sharpness).
///
/// # Defaults
///
/// 100 samples, absolute noise, no antithetic pairs, confidence 0.95, seed 0: ours. There is no good default for
/// `sigma`; 0.05 (Andriushchenko et al. 2023 use 0.05 to 0.4 with `c = |w|`) is a start for
/// relative noise.
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
    /// Standard deviation of the noise, in units of the scale.
    pub sigma: f64,
    /// Number of independent samples.
    #[config(default = 100)]
    pub num_samples: usize,
    /// Unit of the noise.
    #[config(default = "Scale::Absolute")]
    pub scale: Scale,
    /// Evaluates every `z` together with `−z`. A sample is then the mean of the two, free of the
    /// gradient's part; it costs twice as much and is worth it wherever the gradient is not small.
    #[config(default = false)]
    pub antithetic: bool,
    /// The probability with which the interval covers the rise.
    #[config(default = 0.95)]
    pub confidence: f64,
    /// Seed of the noise.
    #[config(default = 0)]
    pub seed: u64,
}

/// What [`AverageSharpnessConfig::run`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AverageSharpness {
    /// The estimate of `E[L(w + e)] − L(w)`: the mean of `rises`.
    pub rise: f64,
    /// Its standard error: the standard deviation of `rises` over the root of their number. None
    /// with a single sample.
    pub standard_error: Option<f64>,
    /// Half the width of the interval that covers the rise with the confidence asked for, by Student's t with
    /// [room for skewness](burnscape_krylov::Estimate::half_width): where one direction is far steeper than the others
    /// the law of a sample is that of a square. None with a single sample.
    pub half_width: Option<f64>,
    /// The loss `L(w)`.
    pub base_loss: f64,
    /// The rise of every sample (of every pair, if antithetic), in the order drawn.
    pub rises: Vec<f64>,
    /// Root mean square Euclidean length of the displacements, `σ |c|`.
    pub displacement_norm: f64,
    /// Passes over the data, that for the base loss included.
    pub num_losses: usize,
    /// The configuration, seed included.
    pub config: AverageSharpnessConfig,
    /// False if the observer stopped the measurement: the numbers are those of the samples drawn.
    pub completed: bool,
}

impl AverageSharpnessConfig {
    /// Measures the rise around `model`, over the parameters and in the mode of `risk`.
    ///
    /// The model, its running statistics included, is not changed.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`], [`SharpnessError::NonFiniteSample`], and [`SharpnessError::Loss`]
    /// and [`SharpnessError::Space`] as the risk gives them, also for a scale that is zero
    /// everywhere.
    pub fn run<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<AverageSharpness, SharpnessError> {
        check_size("sigma", self.sigma)?;
        check_count("num_samples", self.num_samples)?;
        check_probability("confidence", self.confidence)?;
        let base_loss = risk.whole_loss(model)?.value;
        let units = self.scale.at(risk.space(model)?, model)?;
        let mut rises = Vec::new();
        let mut completed = true;
        for sample in 0..self.num_samples {
            let noise = units.noise(sample_seed(self.seed, sample))?;
            let rise = |size| Ok(displaced_loss(risk, model, &noise, size, sample)? - base_loss);
            let rise = match self.antithetic {
                true => rise(self.sigma).and_then(|up| Ok(0.5 * (up + rise(-self.sigma)?))),
                false => rise(self.sigma),
            };
            if matches!(rise, Err(SharpnessError::Stopped)) && !rises.is_empty() {
                completed = false;
                break;
            }
            let rise = rise?;
            rises.push(rise);
            let progress = Progress::new(Work::Sample, rises.len());
            let progress = progress.of(self.num_samples).value(rise);
            if risk.report(progress).is_break() {
                completed = rises.len() == self.num_samples;
                break;
            }
        }
        let estimate = Estimate::of(&rises);
        Ok(AverageSharpness {
            rise: estimate.value,
            standard_error: estimate.standard_error,
            half_width: estimate.half_width(self.confidence),
            base_loss,
            displacement_norm: self.sigma * units.norm(),
            num_losses: 1 + rises.len() * if self.antithetic { 2 } else { 1 },
            config: self.clone(),
            completed,
            rises,
        })
    }
}
