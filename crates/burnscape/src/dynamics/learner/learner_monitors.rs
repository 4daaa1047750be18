use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, Mutex};

use burn::train::metric::{Metric, Numeric};
use burn::train::{LearnerModel, TrainStep};

use super::metric::SeriesMetric;
use super::series::Source;
use super::shared::{Shared, lock};
use crate::dynamics::{DynamicsError, Monitors, Reading, Readings};
use crate::optim::{OptimError, Sam, SamConfig, SamStrategy};

/// [`Monitors`] of a training by Burn's `Learner`.
///
/// A metric of Burn sees the output of a training step, but neither the model nor the loss over other
/// data. So a training strategy measures before each step that is due, and [metrics](Self::metric) show the
/// readings: pass them to `SupervisedTraining::metric_train_numeric`. [`plain`](Self::plain) is the strategy for
/// unchanged training, bit for bit; [`attach`](Self::attach) adds the monitors to sharpness-aware
/// training. Burn's own strategies, in particular those for several devices, cannot be monitored.
///
/// Loss, data and mode are those of each watch's risk, not those of the training step. The data can be the whole
/// training set, a fixed part of it, or the validation set. Risks own their loss and data
/// ([`Risk::owned`](crate::loss::Risk::owned)). Running statistics are those after the training step's own pass.
///
/// Preconditioned edges read the state of the learner's optimizer at the steps that are due. Burn's `Learner` keeps its
/// optimizer private, but hands the record to checkpointers: one in memory receives it.
///
/// A measurement that fails interrupts the training after its step; [`error`](Self::error) returns the reason.
///
/// # Checkpoints
///
/// With Burn's checkpointers and [`with_checkpoints`](SamStrategy::with_checkpoints), the monitors are saved after each
/// epoch as `monitors-{epoch}.mpk` beside `model-{epoch}.bpk`, and removed with it. A resumed training reads them, so that
/// it has the readings of an uninterrupted training, the earlier ones included, bit for bit; its metrics show only the
/// new ones. Checkpointers without that directory, a missing file and one of other monitors stop the training with a
/// message.
///
/// # Cost
///
/// That of each monitor at each step at which it is due, while the training waits. Preconditioned edges add a copy of the
/// weights and of the optimizer's state to the host. At other steps nothing.
///
/// # Example
///
/// ```
/// use std::path::Path;
///
/// use burn::optim::AdamWConfig;
/// use burn::tensor::Tensor;
/// use burn::train::{Learner, LearnerModel, SupervisedTraining, TrainLoader, TrainStep, ValidLoader};
/// use burnscape::dynamics::{
///     CurvatureMonitorConfig, Due, EdgeRule, LearnerMonitors, Monitors, Watch,
/// };
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
///     M: LearnerModel,
///     <M as TrainStep>::Input: Clone,
/// {
///     // The config of the learner's optimizer: its edge is what the sharpness is compared with.
///     let edge = EdgeRule::of(&AdamWConfig::new())?;
///     let sharpness = CurvatureMonitorConfig::new().with_optimizer(edge).init()?;
///     let sharpness = Watch::new(Due::Every(20), sharpness, Risk::owned(loss, fixed))?;
///     let readings = sharpness.readings();
///     let monitors = LearnerMonitors::new(Monitors::new().with(sharpness)?);
///     let strategy = monitors.plain()?.with_checkpoints(directory.join("checkpoint"));
///     let result = SupervisedTraining::new(directory, data.0, data.1)
///         .num_epochs(10)
///         .with_default_checkpointers()
///         .metric_train_numeric(monitors.metric(&readings, "sharpness")?)
///         .metric_train_numeric(monitors.metric(&readings, "edge_ratio")?)
///         .with_training_strategy(strategy.into())
///         .launch(learner);
///     println!("{monitors}"); // what the measurements cost
///     match monitors.error() {
///         Some(error) => Err(error.into()),
///         None => Ok(result.model),
///     }
/// }
/// ```
pub struct LearnerMonitors<M> {
    shared: Arc<Shared<M>>,
}

impl<M: LearnerModel> LearnerMonitors<M> {
    /// For one training at a time.
    pub fn new(monitors: Monitors<'static, M>) -> Self {
        Self {
            shared: Arc::new(Shared {
                monitors: Mutex::new(monitors),
                sources: Mutex::default(),
                error: Mutex::default(),
            }),
        }
    }

    /// A metric that shows one quantity of a watch's readings, for `SupervisedTraining::metric_train_numeric`.
    ///
    /// Between two measurements it shows the last one, with a count of zero, so that the value of an epoch is
    /// the mean of its measurements, or the last measurement before it. It shows nothing for a reading without the
    /// quantity.
    ///
    /// Its name is that of the quantity. The name of the watch comes before it if the watch was
    /// [named](crate::dynamics::Watch::named), or if another metric has the name already: one of another watch, or Burn's
    /// own `Loss`. Burn's logs are files of that name, so characters that a file cannot have become underscores.
    ///
    /// Add it only to the training split: it counts the items that it receives.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::NoQuantity`], which lists the quantities, and [`DynamicsError::NoWatch`] for readings of other
    /// monitors.
    pub fn metric<R: Reading>(
        &self,
        readings: &Readings<R>,
        quantity: &str,
    ) -> Result<impl Metric<Input = ()> + Numeric + 'static + use<M, R>, DynamicsError> {
        let quantities = R::quantities();
        let Some(found) = quantities.iter().find(|known| known.name == quantity) else {
            let known: Vec<&str> = quantities.iter().map(|known| known.name).collect();
            return Err(DynamicsError::NoQuantity {
                name: quantity.to_string(),
                known: known.join(", "),
            });
        };
        let monitors = lock(&self.shared.monitors);
        let (watch, watch_name, is_unnamed) = monitors.watch_of(readings)?;
        let mut sources = lock(&self.shared.sources);
        let mut others = sources.iter().filter(|other| other.watch != watch);
        // Burn's own metric of that name writes to the same file where case does not matter.
        let is_taken = found.name == "loss" || others.any(|other| other.name == found.name);
        let name = if is_unnamed && !is_taken {
            found.name.to_string()
        } else {
            file_name(&format!("{watch_name} {}", found.name))
        };
        let source = Source::new((watch, name.clone()), readings.clone(), found.value);
        let metric = SeriesMetric::new(name, found.description, source.series());
        sources.push(source);
        Ok(metric)
    }

    /// The error of the measurement that failed and interrupted the training, if any.
    pub fn error(&self) -> Option<DynamicsError> {
        lock(&self.shared.error).clone()
    }

    /// Adds these monitors to a strategy, in place of others.
    pub fn attach(&self, strategy: SamStrategy<M>) -> SamStrategy<M> {
        strategy.watched_by(self.shared.clone())
    }

    /// A strategy with these monitors and without ascents: the steps are those of the learner's optimizer, at one
    /// gradient each. With Burn's checkpointers, use [`with_checkpoints`](SamStrategy::with_checkpoints).
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

/// A name that Burn's logs can give a file. Burn itself replaces spaces.
fn file_name(name: &str) -> String {
    let fits = |symbol: char| symbol.is_alphanumeric() || " -_.".contains(symbol);
    let symbols = name.chars();
    symbols
        .map(|symbol| if fits(symbol) { symbol } else { '_' })
        .collect()
}

/// The table of [`Monitors`]: what the measurements cost.
impl<M> Display for LearnerMonitors<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        lock(&self.shared.monitors).fmt(f)
    }
}

impl<M> fmt::Debug for LearnerMonitors<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("LearnerMonitors")
            .field("error", &*lock(&self.shared.error))
            .finish_non_exhaustive()
    }
}
