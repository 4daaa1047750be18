use std::collections::BTreeMap;
use std::fmt;

use burn::module::Module;
use rmp_serde::{from_slice, to_vec_named};

use super::cost::gradients;
use super::{Cost, Moment, Monitor, MonitorsRecord, Watch};
#[cfg(feature = "train")]
use super::{Reading, Readings};
use crate::dynamics::DynamicsError;
use crate::writing::write_aligned;

/// Several watches at once.
///
/// It prints as a table of what the measurements have cost so far.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burnscape::dynamics::{CurvatureMonitorConfig, Due, Moment, Monitors, Watch};
/// use burnscape::loss::Risk;
///
/// let device = Device::default();
/// let model = LinearConfig::new(2, 1).init(&device);
/// let loss = |m: &Linear, x: Tensor<2>| m.forward(x).square().mean();
/// let [seen, unseen] = [1.0, 3.0].map(|x| [Tensor::<2>::full([8, 2], x, &device)]);
///
/// let config = CurvatureMonitorConfig::new();
/// let training = Watch::new(Due::Every(5), config.init()?, Risk::new(&loss, &seen))?;
/// let validation = Watch::new(Due::Every(50), config.init()?, Risk::new(&loss, &unseen))?;
/// let readings = validation.readings();
/// let mut monitors = Monitors::new().with(training)?.with(validation.named("validation"))?;
/// for step in 0..10 {
///     monitors.observe(&Moment::new(step, 0.1, &model))?;
/// }
/// println!("{monitors}"); // name, readings, losses, gradients, products, in gradients
/// assert_eq!(readings.len(), 1);
/// # Ok::<(), burnscape::dynamics::DynamicsError>(())
/// ```
pub struct Monitors<'a, M> {
    watches: Vec<Box<dyn Watched<M> + 'a>>,
}

/// A watch whose monitor and kind of risk are erased.
trait Watched<M>: Send {
    fn name(&self) -> &str;

    fn is_due(&self, step: usize) -> bool;

    /// Whether there is a new reading.
    fn observe(&mut self, moment: &Moment<'_, M>) -> Result<bool, DynamicsError>;

    fn num_readings(&self) -> usize;

    fn cost(&self) -> Cost;

    /// The address of its readings.
    #[cfg(feature = "train")]
    fn address(&self) -> usize;

    /// Whether its name is that of its monitor.
    #[cfg(feature = "train")]
    fn is_unnamed(&self) -> bool;

    fn to_bytes(&self) -> Result<Vec<u8>, DynamicsError>;

    fn load_bytes(&mut self, bytes: &[u8]) -> Result<(), DynamicsError>;
}

impl<M, K: Send, T: Monitor<M, K> + Send> Watched<M> for Watch<'_, M, K, T> {
    fn name(&self) -> &str {
        Watch::name(self)
    }

    fn is_due(&self, step: usize) -> bool {
        Watch::is_due(self, step)
    }

    fn observe(&mut self, moment: &Moment<'_, M>) -> Result<bool, DynamicsError> {
        Ok(Watch::observe(self, moment)?.is_some())
    }

    fn num_readings(&self) -> usize {
        self.readings().len()
    }

    fn cost(&self) -> Cost {
        self.readings().cost()
    }

    #[cfg(feature = "train")]
    fn address(&self) -> usize {
        self.readings().address()
    }

    #[cfg(feature = "train")]
    fn is_unnamed(&self) -> bool {
        Watch::is_unnamed(self)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, DynamicsError> {
        to_vec_named(&self.to_record()?).map_err(|error| DynamicsError::Record {
            message: format!("{error}; its state must be data that serde can write"),
        })
    }

    fn load_bytes(&mut self, bytes: &[u8]) -> Result<(), DynamicsError> {
        let record = from_slice(bytes).map_err(|error| DynamicsError::Record {
            message: format!("{error}; load the record of the same monitors"),
        })?;
        self.load(record)
    }
}

impl<'a, M: Module + 'a> Monitors<'a, M> {
    /// No watches.
    pub fn new() -> Self {
        Self {
            watches: Vec::new(),
        }
    }

    /// Adds a watch. Take its [readings](Watch::readings) before.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::DuplicateName`].
    pub fn with<K, T>(mut self, watch: Watch<'a, M, K, T>) -> Result<Self, DynamicsError>
    where
        K: Send + 'a,
        T: Monitor<M, K> + Send + 'a,
    {
        let name = watch.name();
        if self.watches.iter().any(|other| other.name() == name) {
            return Err(DynamicsError::DuplicateName {
                name: name.to_string(),
            });
        }
        self.watches.push(Box::new(watch));
        Ok(self)
    }

    /// The watch that has these readings: their address, its name, and whether this is the name of its monitor.
    #[cfg(feature = "train")]
    pub(crate) fn watch_of<R: Reading>(
        &self,
        readings: &Readings<R>,
    ) -> Result<(usize, &str, bool), DynamicsError> {
        let address = readings.address();
        let mut watches = self.watches.iter();
        let watch = watches.find(|watch| watch.address() == address);
        let watch = watch.ok_or(DynamicsError::NoWatch)?;
        Ok((address, watch.name(), watch.is_unnamed()))
    }

    /// Whether any watch measures at `step`.
    pub fn is_due(&self, step: usize) -> bool {
        self.watches.iter().any(|watch| watch.is_due(step))
    }

    /// Measures with every watch that is due, in the order in which they were added. Returns the number of new readings.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::Watch`] with the name of the first watch that failed. Those before it have their readings; those
    /// after it do not measure.
    pub fn observe(&mut self, moment: &Moment<'_, M>) -> Result<usize, DynamicsError> {
        let mut num_readings = 0;
        for watch in &mut self.watches {
            let observed = watch.observe(moment);
            let is_new = observed.map_err(|error| DynamicsError::Watch {
                name: watch.name().to_string(),
                step: moment.step,
                source: Box::new(error),
            })?;
            num_readings += usize::from(is_new);
        }
        Ok(num_readings)
    }

    /// The records of all watches. Later readings of monitors that [load](Self::load_record) it are the same to the bit.
    ///
    /// # Cost
    ///
    /// As [`Watch::to_record`], for each.
    ///
    /// # Errors
    ///
    /// Those of [`Watch::to_record`], and [`DynamicsError::Record`].
    pub fn to_record(&self) -> Result<MonitorsRecord, DynamicsError> {
        let watches = self.watches.iter();
        let watches = watches.map(|watch| Ok((watch.name().to_string(), watch.to_bytes()?)));
        Ok(MonitorsRecord {
            watches: watches.collect::<Result<BTreeMap<_, _>, DynamicsError>>()?,
        })
    }

    /// Continues from a record of watches with the same names, monitors and settings, in any order.
    ///
    /// # Errors
    ///
    /// [`DynamicsError::OtherMonitors`] for other names, before anything is loaded; [`DynamicsError::Record`], and those of
    /// [`Monitor::load_state`], after which some watches may have been loaded: make new ones.
    pub fn load_record(&mut self, record: MonitorsRecord) -> Result<(), DynamicsError> {
        let mut names: Vec<&str> = self.watches.iter().map(|watch| watch.name()).collect();
        names.sort_unstable();
        if !record.watches.keys().eq(&names) {
            let found: Vec<&str> = record.watches.keys().map(String::as_str).collect();
            return Err(DynamicsError::OtherMonitors {
                expected: names.join(", "),
                found: found.join(", "),
            });
        }
        for watch in &mut self.watches {
            if let Some(bytes) = record.watches.get(watch.name()) {
                watch.load_bytes(bytes)?;
            }
        }
        Ok(())
    }
}

impl<'a, M: Module + 'a> Default for Monitors<'a, M> {
    fn default() -> Self {
        Self::new()
    }
}

/// A table: a line for each watch, and their sum.
impl<M> fmt::Display for Monitors<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = [
            "name",
            "readings",
            "losses",
            "gradients",
            "products",
            "in gradients",
        ];
        let row = |name: &str, num_readings: usize, cost: Cost| {
            [
                name.to_string(),
                num_readings.to_string(),
                cost.num_losses.to_string(),
                cost.num_gradients.to_string(),
                cost.num_matvecs.to_string(),
                gradients(cost),
            ]
        };
        let mut cells = vec![header.map(str::to_owned)];
        let (mut num_readings, mut cost) = (0, Cost::default());
        for watch in &self.watches {
            num_readings += watch.num_readings();
            cost += watch.cost();
            cells.push(row(watch.name(), watch.num_readings(), watch.cost()));
        }
        if self.watches.len() > 1 {
            cells.push(row("sum", num_readings, cost));
        }
        write_aligned(f, &cells, [false, true, true, true, true, true])
    }
}

impl<M> fmt::Debug for Monitors<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.watches.iter().map(|watch| watch.name()).collect();
        f.debug_struct("Monitors").field("watches", &names).finish()
    }
}
