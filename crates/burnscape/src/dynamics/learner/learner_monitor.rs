use std::ops::ControlFlow;

use burn::train::{LearnerModel, TrainStep};

use super::{CurvatureMetric, CurvatureQuantity, CurvatureReadings};
use crate::dynamics::{CurvatureMonitor, CurvatureReading, DynamicsError};
use crate::loss::Risk;
use crate::optim::{OptimError, Sam, SamConfig, SamStrategy};

/// A [`CurvatureMonitor`] for Burn's `Learner`.
///
/// A metric of Burn sees the output of a training step, but neither the model nor the loss over other
/// data. So a training strategy measures, before the steps that are due, and
/// [metrics](Self::metric) show the readings: pass them to
/// `SupervisedTraining::metric_train_numeric`. [`plain`](Self::plain) is the strategy for training that
/// is unchanged, bit for bit; [`attach`](Self::attach) adds the monitor to sharpness-aware
/// training. Burn's own strategies, for several devices in particular, cannot be observed.
///
/// The loss and the data are those of the monitor's risk, in its mode, and not those of the training
/// step: the whole training set, a part of it that is kept fixed, or the validation set.
///
/// A measurement that fails interrupts the training after its step;
/// [`CurvatureReadings::error`] says why.
///
/// Burn's checkpoints do not hold the monitor. A resumed training measures at the steps at which the
/// uninterrupted one does, as the strategy counts steps on
/// ([`with_checkpoints`](SamStrategy::with_checkpoints)); its history starts with the resumed epoch, and
/// its first search is a cold one.
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
///     let readings = monitor.readings();
///     let result = SupervisedTraining::new(directory, data.0, data.1)
///         .num_epochs(10)
///         .metric_train_numeric(monitor.metric(CurvatureQuantity::Sharpness))
///         .metric_train_numeric(monitor.metric(CurvatureQuantity::EdgeRatio))
///         .with_training_strategy(monitor.plain()?.into())
///         .launch(learner);
///     match readings.error() {
///         Some(error) => Err(error.into()),
///         None => Ok(result.model),
///     }
/// }
/// ```
#[must_use = "a monitor measures nothing before a strategy has it"]
pub struct LearnerMonitor<M> {
    observe: Box<Observe<M>>,
    readings: CurvatureReadings,
}

type Observe<M> = dyn FnMut(usize, f64, &M) -> Result<Option<CurvatureReading>, DynamicsError>;

impl<M: LearnerModel> LearnerMonitor<M> {
    /// Measures `risk`, which owns its loss and data ([`Risk::owned`]). Where its observer breaks, the
    /// measurement fails, and so interrupts the training.
    pub fn new<K: 'static>(mut monitor: CurvatureMonitor, risk: Risk<'static, M, K>) -> Self {
        Self {
            observe: Box::new(move |step, lr, model| monitor.observe(&risk, model, step, lr)),
            readings: CurvatureReadings::default(),
        }
    }

    /// A handle on the readings to come.
    pub fn readings(&self) -> CurvatureReadings {
        self.readings.clone()
    }

    /// A metric that shows them, for `SupervisedTraining::metric_train_numeric`.
    pub fn metric(&self, quantity: CurvatureQuantity) -> CurvatureMetric {
        CurvatureMetric::new(quantity, self.readings.clone())
    }

    /// The strategy with this monitor as its
    /// [`observe_model`](SamStrategy::observe_model), in place of one it may have.
    pub fn attach(self, strategy: SamStrategy<M>) -> SamStrategy<M> {
        let Self {
            mut observe,
            readings,
        } = self;
        strategy.observe_model(move |model, start| {
            match observe(start.step, start.lr, model) {
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

    /// A strategy without ascents: the steps are those of the learner's optimizer, at one gradient each.
    /// Where Burn has checkpointers it wants
    /// [`with_checkpoints`](SamStrategy::with_checkpoints), as it counts steps on when it resumes.
    ///
    /// # Errors
    ///
    /// None in practice: those of [`Sam::strategy`].
    pub fn plain(self) -> Result<SamStrategy<M>, OptimError>
    where
        <M as TrainStep>::Input: Clone,
    {
        // Later than any step.
        let config = SamConfig::new().with_active_steps(usize::MAX - 1..usize::MAX);
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
