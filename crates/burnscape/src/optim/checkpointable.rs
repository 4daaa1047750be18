use burn::module::Module;
use burn::optim::ModuleOptimizer;

use super::{OptimError, OptimRecord, Sam};

/// An optimizer whose state can be saved and restored, whichever kind it is.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::AdamConfig;
/// use burn::tensor::Device;
/// use burnscape::optim::Checkpointable;
///
/// let model = LinearConfig::new(2, 2).init(&Device::default().autodiff());
/// let adam = AdamConfig::new().init();
/// let record = adam.save_state(&model)?;
/// let resumed = AdamConfig::new().init().load_state(record, &model)?;
/// # let _ = resumed;
/// # Ok::<(), burnscape::optim::OptimError>(())
/// ```
pub trait Checkpointable: Sized {
    /// The state, for the parameters of `model`.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`], [`OptimError::Space`].
    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError>;

    /// Restores a saved state.
    ///
    /// # Errors
    ///
    /// [`OptimError::OtherModel`], [`OptimError::Record`].
    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError>;
}

impl Checkpointable for Sam {
    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        self.to_record(model)
    }

    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        self.load_record(record, model)
    }
}

const KIND: &str = "plain";

impl Checkpointable for ModuleOptimizer {
    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        OptimRecord::new(KIND, model)?.with_base(self)
    }

    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        let space = record.check(KIND, model)?;
        record.load_base(self, &space)
    }
}
