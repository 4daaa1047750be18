use burn::config::Config;
use burn::module::Module;

use super::record::missing;
use super::{OptimError, OptimRecord};
use crate::OutOfRange;
use crate::loss::Risk;
use crate::range::ensure;
use crate::space::{LeafVector, ParamSpace, RunningMean};

/// Stochastic weight averaging: the mean of the weights along a training run (Izmailov et al. 2018,
/// arXiv:1803.05407).
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burnscape::optim::SwaConfig;
///
/// let device = Device::default().autodiff();
/// let model = LinearConfig::new(2, 2).init(&device);
/// let mut swa = SwaConfig::new().with_start(10).with_every(5).init()?;
/// for step in 0..20 {
///     // … a training step …
///     swa.update(step, &model)?;
/// }
/// assert_eq!(swa.num_averaged(), 2); // steps 10 and 15
/// let averaged = swa.average(&model)?;
/// assert_eq!(averaged.weight.dims(), [2, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Config, Debug)]
pub struct SwaConfig {
    /// First step that counts.
    #[config(default = 0)]
    pub start: usize,
    /// Steps from one counted point to the next. Izmailov et al. 2018 count one in each epoch.
    #[config(default = 1)]
    pub every: usize,
}

impl SwaConfig {
    /// Starts an average.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] for `every`.
    pub fn init(&self) -> Result<Swa, OutOfRange> {
        ensure("every", self.every as f64, 1.0..)?;
        Ok(Swa {
            config: self.clone(),
            count: 0,
            mean: RunningMean::new(),
        })
    }
}

/// A running mean of weights. Built by [`SwaConfig::init`].
///
/// # Cost
///
/// One copy of the parameters; one pass over them for each point that counts, no gradient and no
/// host synchronization.
#[derive(Debug, Clone)]
pub struct Swa {
    config: SwaConfig,
    count: usize,
    mean: RunningMean<LeafVector>,
}

const KIND: &str = "swa";

impl Swa {
    /// Adds the weights after `step` to the mean if the step counts; returns whether it does.
    ///
    /// # Errors
    ///
    /// [`OptimError::Space`] if the model differs from the earlier ones.
    pub fn update<M: Module>(&mut self, step: usize, model: &M) -> Result<bool, OptimError> {
        let since = step.checked_sub(self.config.start);
        if !since.is_some_and(|since| since.is_multiple_of(self.config.every)) {
            return Ok(false);
        }
        let space = match self.mean.mean() {
            Some(mean) => mean.space().clone(),
            None => ParamSpace::of(model)?,
        };
        // In half precision a mean over many points would stop moving.
        let weights = LeafVector::from_module(&space, model)?.widen();
        self.mean.add(weights, 1.0)?;
        self.count += 1;
        Ok(true)
    }

    /// Points in the mean.
    pub fn num_averaged(&self) -> usize {
        self.count
    }

    /// A copy of `model` with the averaged weights. Its running statistics are those of `model`, which were
    /// never those of the average: [`average_on`](Self::average_on) estimates them again.
    ///
    /// # Errors
    ///
    /// [`OptimError::NothingAveraged`], [`OptimError::Space`].
    pub fn average<M: Module>(&self, model: &M) -> Result<M, OptimError> {
        let mean = self.mean.mean().ok_or(OptimError::NothingAveraged)?;
        Ok(mean.apply_to(model)?)
    }

    /// A copy of `model` with the averaged weights, and with running statistics that are estimated again on the data
    /// of `risk`, as [`Risk::reestimate`] does it.
    ///
    /// # Cost
    ///
    /// A forward pass in training mode for each batch, and one more; nothing for a model without running statistics.
    ///
    /// # Errors
    ///
    /// [`OptimError::NothingAveraged`], [`OptimError::Space`], [`OptimError::Loss`].
    pub fn average_on<M: Module, K>(
        &self,
        risk: &Risk<'_, M, K>,
        model: &M,
    ) -> Result<M, OptimError> {
        Ok(risk.reestimate(&self.average(model)?, None)?)
    }

    /// The mean, for the parameters of `model`.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`], [`OptimError::Space`].
    pub fn to_record<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        OptimRecord::new(KIND, model)?
            .with_state(&self.count)?
            .with_vector("mean", self.mean.mean())
    }

    /// Restores a saved mean.
    ///
    /// # Errors
    ///
    /// [`OptimError::OtherModel`], [`OptimError::Record`].
    pub fn load_record<M: Module>(
        mut self,
        record: OptimRecord,
        model: &M,
    ) -> Result<Self, OptimError> {
        let space = record.check(KIND, model)?;
        self.count = record.state()?;
        let mean = record.vector("mean", &space);
        if self.count > 0 && mean.is_none() {
            return Err(missing("mean"));
        }
        self.mean = RunningMean::resumed(mean, self.count as f64);
        Ok(self)
    }
}
