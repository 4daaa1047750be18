use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use super::plain::{PlainPass, plain_pass};
use super::{IntoEvaluation, OptimError, OptimRecord, Sam, StepReport};

/// An optimizer that steps on a closure, and whose state can be saved: one loop serves plain and
/// sharpness-aware optimizers, and those of other crates, which make their records as [`OptimRecord`] describes.
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::optim::{ClosureStep, OptimError, SamConfig};
///
/// fn train<O: ClosureStep>(mut optimizer: O) -> Result<f64, OptimError> {
///     let device = Device::default().autodiff();
///     let mut model = LinearConfig::new(1, 1).init(&device);
///     let x = Tensor::<2>::ones([2, 1], &device);
///     let mut loss = None;
///     for _ in 0..100 {
///         let closure = |m: &Linear| (m.forward(x.clone()) - 1.0).powi_scalar(2).mean();
///         loss = optimizer.closure_step(0.1, &mut model, closure)?.loss;
///     }
///     Ok(loss.unwrap_or(f64::NAN))
/// }
///
/// assert!(train(SgdConfig::new().init())? < 1e-6);
/// assert!(train(SamConfig::new().with_rho(1e-4).init(SgdConfig::new().init())?)? < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an optimizer",
    label = "cannot step on a closure",
    note = "build an optimizer with Burn's `SgdConfig::new().init()`, or with `SamConfig::new().init(base)?` around one"
)]
pub trait ClosureStep: Sized {
    /// One step. The closure is called for every gradient, on the model that it gets as an argument, and must
    /// evaluate the same batch each time.
    ///
    /// A NaN or infinite loss or gradient skips the step; the report states it.
    ///
    /// # Errors
    ///
    /// Errors of the loss or the gradients; the model is then unchanged.
    fn closure_step<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: impl FnMut(&M) -> R,
    ) -> Result<StepReport, OptimError>;

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

impl ClosureStep for Sam {
    fn closure_step<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: impl FnMut(&M) -> R,
    ) -> Result<StepReport, OptimError> {
        self.step(lr, model, closure)
    }

    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        self.to_record(model)
    }

    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        self.load_record(record, model)
    }
}

const KIND: &str = "plain";

impl ClosureStep for ModuleOptimizer {
    fn closure_step<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        mut closure: impl FnMut(&M) -> R,
    ) -> Result<StepReport, OptimError> {
        let lr = lr.into();
        let PlainPass { gradient, report } = plain_pass(&lr, model, &mut closure)?;
        if let Some(gradient) = gradient {
            *model = self.step(lr, model.clone(), gradient.into_gradients());
        }
        Ok(report)
    }

    fn save_state<M: Module>(&self, model: &M) -> Result<OptimRecord, OptimError> {
        OptimRecord::new(KIND, model)?.with_base(self)
    }

    fn load_state<M: Module>(self, record: OptimRecord, model: &M) -> Result<Self, OptimError> {
        let space = record.check(KIND, model)?;
        record.load_base(self, &space)
    }
}
