use std::fmt;

use burn::optim::{ModuleOptimizer, OptimizerRecord};

use crate::dynamics::DynamicsError;

/// A step of a training run that is about to be taken: where a [`Monitor`](super::Monitor) measures.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::AdamConfig;
/// use burn::tensor::Device;
/// use burnscape::dynamics::Moment;
///
/// let model: Linear = LinearConfig::new(2, 1).init(&Device::default());
/// let adam = AdamConfig::new().init();
/// let moment = Moment::new(0, 1e-3, &model).with_optimizer(&adam);
/// // Before its first step an optimizer has no state.
/// assert!(moment.optimizer_record()?.is_some_and(|record| record.is_empty()));
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
pub struct Moment<'m, M> {
    /// Number of the step, as the caller counts.
    pub step: usize,
    /// The learning rate of the step.
    pub lr: f64,
    /// The model before the step.
    pub model: &'m M,
    optimizer: Option<State<'m>>,
}

/// Where the state of the optimizer comes from.
enum State<'m> {
    Of(&'m ModuleOptimizer),
    #[cfg(feature = "train")]
    Made(&'m dyn Fn() -> Result<OptimizerRecord, DynamicsError>),
}

impl<'m, M> Moment<'m, M> {
    /// The moment before step `step`, with learning rate `lr`.
    pub fn new(step: usize, lr: f64, model: &'m M) -> Self {
        Self {
            step,
            lr,
            model,
            optimizer: None,
        }
    }

    /// Adds the optimizer that takes the step. Monitors that need its state read it, as the preconditioned sharpness of
    /// [`CurvatureMonitor`](crate::dynamics::CurvatureMonitor) does.
    #[must_use]
    pub fn with_optimizer(mut self, optimizer: &'m ModuleOptimizer) -> Self {
        self.optimizer = Some(State::Of(optimizer));
        self
    }

    /// As [`with_optimizer`](Self::with_optimizer), for an optimizer that is out of reach. `record` is called by monitors
    /// that need it.
    #[cfg(feature = "train")]
    #[must_use]
    pub(crate) fn with_record(
        mut self,
        record: &'m dyn Fn() -> Result<OptimizerRecord, DynamicsError>,
    ) -> Self {
        self.optimizer = Some(State::Made(record));
        self
    }

    /// The state of the optimizer; none if the moment has no optimizer.
    ///
    /// # Cost
    ///
    /// Downloads the state: one or two vectors of the length of the parameters for most optimizers.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::Record`] if Burn's `Learner` does not give the state.
    pub fn optimizer_record(&self) -> Result<Option<OptimizerRecord>, DynamicsError> {
        match &self.optimizer {
            None => Ok(None),
            Some(State::Of(optimizer)) => Ok(Some(optimizer.to_record())),
            #[cfg(feature = "train")]
            Some(State::Made(record)) => record().map(Some),
        }
    }
}

impl<M> fmt::Debug for Moment<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moment")
            .field("step", &self.step)
            .field("lr", &self.lr)
            .field("has_optimizer", &self.optimizer.is_some())
            .finish_non_exhaustive()
    }
}
