use burn::module::Module;
use burn::optim::ModuleOptimizer;

use super::{OptimError, OptimRecord, Sam};

/// An optimizer whose state can be saved and taken up again, whichever kind it is.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::AdamConfig;
/// use burn::tensor::Device;
/// use burnscape::optim::Resume;
///
/// let model = LinearConfig::new(2, 2).init(&Device::default().autodiff());
/// let adam = AdamConfig::new().init();
/// let record = adam.save_state(&model)?;
/// let resumed = AdamConfig::new().init().load_state(record, &model)?;
/// # let _ = resumed;
/// # Ok::<(), burnscape::optim::OptimError>(())
/// ```
pub trait Resume: Sized {
    /// The state, for the parameters of `model`.
    ///
    /// # Errors
    ///
    /// [`OptimError::Record`], [`OptimError::Space`].
    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError>;

    /// Takes up a saved state.
    ///
    /// # Errors
    ///
    /// [`OptimError::OtherModel`], [`OptimError::Record`].
    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError>;
}

impl Resume for Sam {
    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        self.to_record(model)
    }

    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        self.load_record(record, model)
    }
}

const KIND: &str = "plain";

impl Resume for ModuleOptimizer {
    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        OptimRecord::new(KIND, model)?.with_base(self)
    }

    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        let space = record.check(KIND, model)?;
        record.load_base(self, &space)
    }
}
