use std::ops::ControlFlow;

use burn::config::Config;
use burn::module::Module;
use serde::Serialize;

use super::argument::{check_count, check_size};
use super::metric::Metric;
use super::sample::{displaced_loss, sample_seed};
use super::{PerturbationScale, SampleStep, SharpnessError, statistics};
use crate::loss::{Batch, DataSet, Evaluator, Objective};

/// The distribution of the loss at a fixed distance, over random directions.
///
/// The losses `L(w + ε dᵢ)` for independent random `dᵢ`: uniform on the unit sphere for
/// [`PerturbationScale::Absolute`], filter-normalized Gaussian (every filter of `d` as long as the
/// model's) for [`PerturbationScale::FilterRelative`], and `|w| ⊙ s √n` with `s` uniform on the
/// unit sphere for [`PerturbationScale::ElementRelative`]. Where the mean tells how sharp a point
/// is, the spread tells how unevenly: one sharp direction among many flat ones shows in the upper
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
/// use burnscape::loss::Evaluator;
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
///     .measure(&model, &Evaluator::new(&loss), &data)?;
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
    #[config(default = "PerturbationScale::Absolute")]
    pub scale: PerturbationScale,
    /// Seed of the directions.
    #[config(default = 0)]
    pub seed: u64,
}

/// What [`DirectionalDistributionConfig::measure`] found.
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
    pub num_evaluations: usize,
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
    /// [`SharpnessError::BadArgument`] unless `0 ≤ q ≤ 1`.
    pub fn quantile(&self, q: f64) -> Result<f64, SharpnessError> {
        if (0.0..=1.0).contains(&q) {
            Ok(statistics::quantile(&self.sorted_losses, q))
        } else {
            Err(SharpnessError::BadArgument {
                name: "q",
                value: q,
                expected: "between 0 and 1",
            })
        }
    }
}

impl DirectionalDistributionConfig {
    /// Measures the distribution around `model`, over the parameters and in the mode of
    /// `evaluator`.
    ///
    /// The model, its running statistics included, is not changed.
    ///
    /// # Errors
    ///
    /// [`SharpnessError::BadArgument`], [`SharpnessError::NothingToPerturb`],
    /// [`SharpnessError::NonFiniteSample`], and [`SharpnessError::Loss`] and
    /// [`SharpnessError::Space`] as the evaluator gives them.
    pub fn measure<M, B, O, D>(
        &self,
        model: &M,
        evaluator: &Evaluator<'_, O>,
        data: &D,
    ) -> Result<DirectionalDistribution, SharpnessError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        self.measure_observed(model, evaluator, data, |_| ControlFlow::Continue(()))
    }

    /// As [`measure`](Self::measure); `observe` sees every sample and can stop after it.
    ///
    /// # Errors
    ///
    /// As [`measure`](Self::measure).
    pub fn measure_observed<M, B, O, D>(
        &self,
        model: &M,
        evaluator: &Evaluator<'_, O>,
        data: &D,
        mut observe: impl FnMut(&SampleStep) -> ControlFlow<()>,
    ) -> Result<DirectionalDistribution, SharpnessError>
    where
        M: Module,
        B: Batch,
        O: Objective<M, B>,
        D: DataSet<B> + ?Sized,
    {
        check_size("epsilon", self.epsilon)?;
        check_count("num_samples", self.num_samples)?;
        let base_loss = evaluator.loss(model, data)?.value;
        let metric = Metric::at(model, evaluator.space(model)?, self.scale)?;
        let mut losses = Vec::new();
        let mut completed = true;
        for sample in 0..self.num_samples {
            let direction = metric.direction(sample_seed(self.seed, sample))?;
            let loss = displaced_loss(model, evaluator, data, &direction, self.epsilon, sample)?;
            losses.push(loss);
            let step = SampleStep {
                samples: losses.len(),
                total: self.num_samples,
                rise: loss - base_loss,
            };
            if observe(&step).is_break() {
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
            num_evaluations: 1 + losses.len(),
            losses,
            sorted_losses,
            config: self.clone(),
            completed,
        })
    }
}
