use burn::module::Module;

use super::{GradientNoise, GradientNoiseConfig};
use crate::dynamics::{DynamicsError, Moment, Monitor};
use crate::loss::{DataReading, Risk};

/// Follows the [gradient noise](GradientNoiseConfig) of a risk along a training run.
///
/// Each measurement stands for itself; random numbers that the risk [freezes](Risk::with_draws_seed) are the same in
/// all. Unless the [checks](Risk::with_checks) of the risk are off, the first one makes those of
/// [`GradientNoiseConfig`], and later ones read the data once more, which downloads them: data that are not those of
/// the first measurement, as from a loader that shuffles, are refused
/// ([`LossError::DataChanged`](crate::loss::LossError::DataChanged)). The state is a number per batch.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::{Due, GradientNoiseConfig, Moment, NoiseEstimator, Watch};
/// use burnscape::loss::Risk;
///
/// let device = Device::default();
/// let model = LinearConfig::new(1, 1).with_bias(false).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).mean();
/// let data = [1.0, 2.0, 3.0].map(|x| Tensor::<2>::full([4, 1], x, &device));
///
/// let config = GradientNoiseConfig::new(NoiseEstimator::MicroBatches { size: None });
/// let mut watch = Watch::new(Due::Every(100), config.init()?, Risk::new(&loss, &data))?;
/// let seen = watch.observe(&Moment::new(0, 0.1, &model))?;
/// // The gradients of the batches are 1, 2 and 3.
/// assert!(seen.is_some_and(|seen| (seen.reading.trace - 4.0).abs() < 1e-5));
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
#[derive(Debug, Clone)]
pub struct GradientNoiseMonitor {
    config: GradientNoiseConfig,
    /// Hashes of the batches of the first measurement.
    digests: Option<Vec<u64>>,
}

impl GradientNoiseMonitor {
    pub(super) fn new(config: GradientNoiseConfig) -> Self {
        Self {
            config,
            digests: None,
        }
    }
}

impl<M: Module, K> Monitor<M, K> for GradientNoiseMonitor {
    type Reading = GradientNoise;
    type State = Option<Vec<u64>>;

    fn name(&self) -> &'static str {
        "gradient_noise"
    }

    fn measure(
        &mut self,
        risk: &Risk<'_, M, K>,
        moment: &Moment<'_, M>,
    ) -> Result<GradientNoise, DynamicsError> {
        risk.in_time(moment.model, || {
            if !risk.has_checks() {
                return self.config.unchecked(risk, moment.model);
            }
            if let Some(known) = &self.digests {
                DataReading::check_same(known, &risk.read_data()?.digests)?;
                return self.config.unchecked(risk, moment.model);
            }
            let (noise, digests) = self.config.checked(risk, moment.model)?;
            self.digests = Some(digests);
            Ok(noise)
        })
    }

    fn to_state(&self) -> Result<Option<Vec<u64>>, DynamicsError> {
        Ok(self.digests.clone())
    }

    fn load_state(&mut self, state: Option<Vec<u64>>) -> Result<(), DynamicsError> {
        self.digests = state;
        Ok(())
    }
}
