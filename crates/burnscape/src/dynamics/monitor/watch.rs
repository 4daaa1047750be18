use std::fmt;

use super::{Due, Moment, Monitor, Observation, Readings, WatchRecord};
use crate::dynamics::DynamicsError;
use crate::loss::Risk;
use crate::range::ensure;

/// A monitor with its schedule, its risk and its readings.
///
/// The data of the risk can be the training set, a fixed part of it, or other data; a single minibatch answers a
/// different question than the whole data.
///
/// # Cost
///
/// That of the monitor at steps that are due, and nothing at others.
///
/// # Reproducibility
///
/// A watch that [resumes](Self::resume) a record reads what the watch that wrote it would have read, to the bit, if the
/// format of the record keeps the bits. JSON by `serde_json` keeps vectors of f32 (and f64 with its feature
/// `float_roundtrip`); the last binary place of other numbers may change.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::{CurvatureMonitorConfig, Due, Moment, Watch};
/// use burnscape::prelude::*;
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(2, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
/// let data = [Tensor::<2>::ones([8, 2], &device)];
///
/// let monitor = CurvatureMonitorConfig::new().init()?;
/// let mut watch = Watch::new(Due::Every(5), monitor, Risk::new(&loss, &data))?;
/// let mut sgd = SgdConfig::new().init();
/// for step in 0..10 {
///     watch.observe(&Moment::new(step, 0.1, &model))?;
///     let gradients = GradientsParams::from_grads(loss(&model, data[0].clone()).backward(), &model);
///     model = sgd.step(0.1, model, gradients);
/// }
/// let readings = watch.readings();
/// let steps: Vec<usize> = readings.to_vec().iter().map(|seen| seen.step).collect();
/// assert_eq!(steps, [0, 5]);
/// readings.to_vec().write_csv(std::io::sink())?;
/// println!("{}", readings.cost()); // for instance: 3 gradients and 7 products (about 17 gradients)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Watch<'a, M, K, T: Monitor<M, K>> {
    name: String,
    due: Due,
    monitor: T,
    risk: Risk<'a, M, K>,
    readings: Readings<T::Reading>,
}

impl<'a, M, K, T: Monitor<M, K>> Watch<'a, M, K, T> {
    /// Measures `risk` by `monitor` when it is due.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OutOfRange`] for a schedule without steps.
    pub fn new(due: Due, monitor: T, risk: Risk<'a, M, K>) -> Result<Self, DynamicsError> {
        due.check()?;
        Ok(Self {
            name: monitor.name().to_string(),
            due,
            monitor,
            risk,
            readings: Readings::new(),
        })
    }

    /// Sets the name of the readings; that of the [monitor](Monitor::name) by default. [`Monitors`](super::Monitors)
    /// need a different one for each watch.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The name of the readings.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has no other name than that of the monitor.
    #[cfg(feature = "train")]
    pub(super) fn is_unnamed(&self) -> bool {
        self.name == self.monitor.name()
    }

    /// Whether [`observe`](Self::observe) measures at `step`.
    pub fn is_due(&self, step: usize) -> bool {
        self.due.is_due(step)
    }

    /// Measures if the step is due, and keeps the reading.
    ///
    /// # Errors
    ///
    /// Those of the monitor, and [`DynamicsError::OutOfRange`] for a rate that is negative or not finite. After an error
    /// the watch is as it was.
    pub fn observe(
        &mut self,
        moment: &Moment<'_, M>,
    ) -> Result<Option<Observation<T::Reading>>, DynamicsError> {
        if !self.is_due(moment.step) {
            return Ok(None);
        }
        ensure("lr", moment.lr, 0.0..)?;
        let observation = Observation {
            step: moment.step,
            lr: moment.lr,
            reading: self.monitor.measure(&self.risk, moment)?,
        };
        self.readings.push(observation.clone());
        Ok(Some(observation))
    }

    /// A handle to the observations so far, and to those that follow.
    pub fn readings(&self) -> Readings<T::Reading> {
        self.readings.clone()
    }

    /// Observations and state, for [`resume`](Self::resume). Any format of `serde` can store them.
    ///
    /// # Cost
    ///
    /// Transfers the vectors of the state to the host.
    ///
    /// # Errors
    ///
    /// Those of [`Monitor::to_state`].
    pub fn to_record(&self) -> Result<WatchRecord<T::Reading, T::State>, DynamicsError> {
        Ok(WatchRecord {
            observations: self.readings.to_vec(),
            state: self.monitor.to_state()?,
        })
    }

    /// Continues from the record of a watch with the same monitor and settings. Schedule and name are those of this
    /// watch. A record of another model is refused by the next measurement.
    ///
    /// # Errors
    ///
    /// Those of [`Monitor::load_state`].
    pub fn resume(
        mut self,
        record: WatchRecord<T::Reading, T::State>,
    ) -> Result<Self, DynamicsError> {
        self.load(record)?;
        Ok(self)
    }

    pub(super) fn load(
        &mut self,
        record: WatchRecord<T::Reading, T::State>,
    ) -> Result<(), DynamicsError> {
        self.monitor.load_state(record.state)?;
        self.readings.replace(record.observations);
        Ok(())
    }

    /// The monitor, for instance to let a [`CurvatureMonitor`](crate::dynamics::CurvatureMonitor) forget.
    pub fn monitor_mut(&mut self) -> &mut T {
        &mut self.monitor
    }
}

impl<M, K, T: Monitor<M, K>> fmt::Debug for Watch<'_, M, K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("name", &self.name)
            .field("due", &self.due)
            .field("readings", &self.readings)
            .finish_non_exhaustive()
    }
}
