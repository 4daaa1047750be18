use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use burn::train::metric::{Metric, Numeric};
use burn::train::{LearnerModel, TrainStep};

use super::CurvatureQuantity;
use super::metric::CurvatureMetric;
use super::readings::Readings;
use crate::dynamics::{CurvatureMonitor, CurvatureReading, DynamicsError};
use crate::loss::Risk;
use crate::optim::{OptimError, Sam, SamConfig, SamStrategy};

/// A [`CurvatureMonitor`] for one training of Burn's `Learner`.
///
/// A metric of Burn sees the output of a training step, but neither the model nor the loss over other
/// data. So a training strategy measures before each step that is due, and [metrics](Self::metric) show the
/// readings: pass them to `SupervisedTraining::metric_train_numeric`. [`plain`](Self::plain) is the strategy for
/// unchanged training, bit for bit; [`attach`](Self::attach) adds the monitor to sharpness-aware
/// training. Burn's own strategies, in particular those for several devices, cannot be monitored.
///
/// Loss, data and mode are those of the monitor's risk, not those of the training step. The data can be the whole
/// training set, a fixed part of it, or the validation set.
///
/// A measurement that fails interrupts the training after its step; [`error`](Self::error) returns the reason.
///
/// Burn's checkpoints do not contain the monitor. A resumed training measures at the same steps as an
/// uninterrupted one if the strategy continues the count
/// ([`with_checkpoints`](SamStrategy::with_checkpoints)); its history starts with the resumed epoch, and its
/// first search has no starting vectors.
///
/// # Cost
///
/// That of [`CurvatureMonitor`], at each step that is due, while the training waits.
///
/// # Example
///
/// ```
/// use std::path::Path;
///
/// use burn::tensor::Tensor;
/// use burn::train::{Learner, LearnerModel, SupervisedTraining, TrainLoader, TrainStep, ValidLoader};
/// use burnscape::dynamics::{CurvatureMonitorConfig, CurvatureQuantity, LearnerMonitor};
/// use burnscape::loss::Risk;
///
/// # #[allow(dead_code)]
/// fn train<M>(
///     learner: Learner<M>,
///     data: (TrainLoader<M>, ValidLoader<M>),
///     fixed: Vec<(Tensor<2>, Tensor<2>)>,
///     loss: fn(&M, (Tensor<2>, Tensor<2>)) -> Tensor<1>,
///     directory: &Path,
/// ) -> Result<M, Box<dyn std::error::Error>>
/// where
///     M: LearnerModel + 'static,
///     <M as TrainStep>::Input: Clone,
/// {
///     let monitor = CurvatureMonitorConfig::new(20).init()?;
///     let monitor = LearnerMonitor::new(monitor, Risk::owned(loss, fixed));
///     let result = SupervisedTraining::new(directory, data.0, data.1)
///         .num_epochs(10)
///         .metric_train_numeric(monitor.metric(CurvatureQuantity::Sharpness))
///         .metric_train_numeric(monitor.metric(CurvatureQuantity::EdgeRatio))
///         .with_training_strategy(monitor.plain()?.into())
///         .launch(learner);
///     match monitor.error() {
///         Some(error) => Err(error.into()),
///         None => Ok(result.model),
///     }
/// }
/// ```
pub struct LearnerMonitor<M> {
    observe: Arc<Mutex<Observe<M>>>,
    readings: Readings,
}

type Observe<M> =
    dyn FnMut(usize, f64, &M) -> Result<Option<CurvatureReading>, DynamicsError> + Send;

impl<M: LearnerModel> LearnerMonitor<M> {
    /// Measures `risk`, which owns its loss and data ([`Risk::owned`]). If its observer breaks, the
    /// measurement fails and interrupts the training.
    pub fn new<K: Send + 'static>(
        mut monitor: CurvatureMonitor,
        risk: Risk<'static, M, K>,
    ) -> Self {
        Self {
            observe: Arc::new(Mutex::new(move |step: usize, lr: f64, model: &M| {
                monitor.observe(&risk, model, step, lr)
            })),
            readings: Readings::default(),
        }
    }

    /// The readings so far, oldest first.
    pub fn history(&self) -> Vec<CurvatureReading> {
        self.readings.history()
    }

    /// The error of the measurement that failed and interrupted the training, if any.
    pub fn error(&self) -> Option<DynamicsError> {
        self.readings.error()
    }

    /// A metric that shows one quantity of the readings, for `SupervisedTraining::metric_train_numeric`.
    ///
    /// Between two measurements it shows the last one, with a count of zero, so that the value of an epoch is
    /// the mean of its measurements, or the last measurement before it.
    ///
    /// Add one metric for each quantity, and only to the training split: it counts the items that it receives.
    pub fn metric(
        &self,
        quantity: CurvatureQuantity,
    ) -> impl Metric<Input = ()> + Numeric + 'static + use<M> {
        CurvatureMetric::new(quantity, self.readings.clone())
    }

    /// Adds this monitor to the strategy as its [`observe_model`](SamStrategy::observe_model), in place of
    /// an existing one.
    pub fn attach(&self, strategy: SamStrategy<M>) -> SamStrategy<M> {
        let (observe, readings) = (self.observe.clone(), self.readings.clone());
        strategy.observe_model(move |model, start| {
            let mut observe = observe.lock().unwrap_or_else(PoisonError::into_inner);
            let observed = (*observe)(start.step, start.lr, model);
            match observed {
                Ok(None) => {}
                Ok(Some(reading)) => readings.push(start.items, reading),
                Err(error) => {
                    readings.fail(error);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })
    }

    /// A strategy with this monitor and without ascents: the steps are those of the learner's optimizer, at one
    /// gradient each. With Burn's checkpointers, use [`with_checkpoints`](SamStrategy::with_checkpoints), so that a
    /// resumed training continues to count the steps.
    ///
    /// # Errors
    ///
    /// None in practice: those of [`Sam::strategy`].
    pub fn plain(&self) -> Result<SamStrategy<M>, OptimError>
    where
        <M as TrainStep>::Input: Clone,
    {
        // Later than any step.
        let config = SamConfig::new().with_active_steps(Some(usize::MAX - 1..usize::MAX));
        Ok(self.attach(Sam::strategy(config)?))
    }
}

impl<M> std::fmt::Debug for LearnerMonitor<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LearnerMonitor")
            .field("readings", &self.readings)
            .finish_non_exhaustive()
    }
}
