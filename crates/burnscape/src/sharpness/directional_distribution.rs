use burn::config::Config;
use burn::module::Module;
use serde::Serialize;

use super::argument::{check_count, check_size};
use super::sample::{displaced_loss, sample_seed};
use super::{SharpnessError, statistics};
use crate::OutOfRange;
use crate::loss::{Progress, Risk, Work};
use crate::space::Scale;

/// The distribution of the loss at a fixed distance, over random directions.
///
/// The losses `L(w + ε dᵢ)` for independent random `dᵢ`: uniform on the unit sphere for
/// [`Scale::Absolute`], filter-normalized Gaussian (every filter of `d` as long as the
/// model's) for [`Scale::FilterRelative`], and `|w| ⊙ s √n` with `s` uniform on the
/// unit sphere for [`Scale::ElementRelative`]. The mean measures how sharp a point
/// is, the spread how unevenly: one sharp direction among many flat ones shows in the upper
/// quantiles.
///
/// # Units
///
/// `epsilon` is in units of the scale: parameter norm, or a fraction of the filters' or elements'.
///
/// # Cost
///
/// One pass over the data for the base loss and one for every direction; no gradients.
///
/// # Reproducibility
///
/// Direction `i` is a function of `seed` and `i` only. See [the room](crate::sharpness).
///
/// # Defaults
///
/// 100 directions, absolute, seed 0: ours.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::loss::Risk;
/// use burnscape::sharpness::DirectionalDistributionConfig;
///
/// // Half a squared distance is the same in all directions.
/// let device = Device::default();
/// let mut config = LinearConfig::new(2, 2).with_bias(false);
/// config.initializer = burn::nn::Initializer::Zeros;
/// let model = config.init(&device);
/// let loss = |model: &Linear, x: Tensor<2>| model.forward(x).powi_scalar(2).sum() * 0.5;
/// let data = [Tensor::<2>::eye(2, &device)];
/// let distribution = DirectionalDistributionConfig::new(2.0)
///     .with_num_samples(10)
///     .run(&Risk::new(&loss, &data), &model)?;
/// assert_eq!(distribution.base_loss, 0.0);
/// assert!((distribution.quantile(0.0)? - 2.0).abs() < 1e-5);
/// assert!((distribution.quantile(1.0)? - 2.0).abs() < 1e-5);
/// # Ok::<(), burnscape::sharpness::SharpnessError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct DirectionalDistributionConfig {
    /// Distance along every direction, in units of the scale.
    pub epsilon: f64,
    /// Number of directions.
    #[config(default = 100)]
    pub num_samples: usize,
    /// Unit of the distance.
    #[config(default = "Scale::Absolute")]
    pub scale: Scale,
    /// Seed of the directions.
    #[config(default = 0)]
    pub seed: u64,
}

/// What [`DirectionalDistributionConfig::run`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DirectionalDistribution {
    /// The mean of the losses.
    pub mean: f64,
    /// The standard error of the mean; none with a single direction.
    pub standard_error: Option<f64>,
    /// The standard deviation of the losses (divisor `n − 1`); none with a single direction.
    pub standard_deviation: Option<f64>,
    /// The loss `L(w)`.
    pub base_loss: f64,
    /// The losses in the order drawn.
    pub losses: Vec<f64>,
    /// The losses in ascending order.
    pub sorted_losses: Vec<f64>,
    /// Passes over the data, that for the base loss included.
    pub num_losses: usize,
    /// The configuration, seed included.
    pub config: DirectionalDistributionConfig,
    /// False if the observer stopped the measurement: the numbers are those of the samples drawn.
    pub completed: bool,
}

impl DirectionalDistribution {
    /// The `q`-quantile of the losses, linear between neighboring values (type 7 of Hyndman and Fan
    /// 1996, the default of NumPy).
    ///
    /// # Errors
    ///
    /// [`SharpnessError::OutOfRange`] unless `0 ≤ q ≤ 1`.
    pub fn quantile(&self, q: f64) -> Result<f64, SharpnessError> {
        if (0.0..=1.0).contains(&q) {
            Ok(statistics::quantile(&self.sorted_losses, q))
        } else {
            Err(OutOfRange::new("q", q, "0 to 1").into())
        }
    }
}

impl DirectionalDistributionConfig {
    /// Measures the distribution around `model`, over the parameters and in the mode of
    /// `risk`.
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
    ) -> Result<DirectionalDistribution, SharpnessError> {
        check_size("epsilon", self.epsilon)?;
        check_count("num_samples", self.num_samples)?;
        let base_loss = risk.whole_loss(model)?.value;
        let units = self.scale.at(risk.space(model)?, model)?;
        let mut losses = Vec::new();
        let mut completed = true;
        for sample in 0..self.num_samples {
            let direction = units.direction(sample_seed(self.seed, sample))?;
            let loss = displaced_loss(risk, model, &direction, self.epsilon, sample);
            if matches!(loss, Err(SharpnessError::Stopped)) && !losses.is_empty() {
                completed = false;
                break;
            }
            let loss = loss?;
            losses.push(loss);
            let progress = Progress::new(Work::Sample, losses.len());
            let progress = progress.of(self.num_samples).value(loss - base_loss);
            if risk.report(progress).is_break() {
                completed = losses.len() == self.num_samples;
                break;
            }
        }
        let mut sorted_losses = losses.clone();
        sorted_losses.sort_by(f64::total_cmp);
        Ok(DirectionalDistribution {
            mean: statistics::mean(&losses),
            standard_error: statistics::standard_error(&losses),
            standard_deviation: statistics::standard_deviation(&losses),
            base_loss,
            num_losses: 1 + losses.len(),
            losses,
            sorted_losses,
            config: self.clone(),
            completed,
        })
    }
}
