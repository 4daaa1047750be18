use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use super::plain::{PlainPass, plain_pass};
use super::{IntoEvaluation, OptimError, Sam, StepReport};

/// An optimizer that steps on a closure: the one loop that serves plain and sharpness-aware
/// optimizers alike.
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
pub trait ClosureStep {
    /// One step. The closure is called once for every gradient, each time on the model it is given,
    /// and must evaluate the same batch each time.
    ///
    /// A NaN or infinite loss or gradient skips the step; the report says so.
    ///
    /// # Errors
    ///
    /// What the loss or the gradients are refused for; the model is then unchanged.
    fn closure_step<M, F, R>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: F,
    ) -> Result<StepReport, OptimError>
    where
        M: Module,
        F: FnMut(&M) -> R,
        R: IntoEvaluation;
}

impl ClosureStep for Sam {
    fn closure_step<M, F, R>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: F,
    ) -> Result<StepReport, OptimError>
    where
        M: Module,
        F: FnMut(&M) -> R,
        R: IntoEvaluation,
    {
        self.step(lr, model, closure)
    }
}

impl ClosureStep for ModuleOptimizer {
    fn closure_step<M, F, R>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        mut closure: F,
    ) -> Result<StepReport, OptimError>
    where
        M: Module,
        F: FnMut(&M) -> R,
        R: IntoEvaluation,
    {
        let lr = lr.into();
        let PlainPass { gradient, report } = plain_pass(&lr, model, &mut closure)?;
        if let Some(gradient) = gradient {
            *model = self.step(lr, model.clone(), gradient.into_gradients());
        }
        Ok(report)
    }
}
