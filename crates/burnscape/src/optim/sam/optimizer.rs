use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use super::SamConfig;
use super::batch_oracle::BatchOracle;
use super::descent::Descent;
use super::devices::{StepDevices, StepLimit, WaitLimit};
use super::machine::SamMachine;
use super::needs::EntryPoint;
use super::oracle::{ClosureOracle, Oracle};
use crate::loss::{Batch, Objective};
use crate::optim::rate::shift_weights;
use crate::optim::ties::has_ties;
use crate::optim::{IntoEvaluation, OptimError, StepReport};
use crate::space::{BufferSnapshot, LeafVector, ParamSpace, unshared_copy};

/// A sharpness-aware optimizer around a Burn [`ModuleOptimizer`]. Built by [`SamConfig::init`].
///
/// [`step`](Self::step) takes a closure. [`step_on`](Self::step_on) takes a batch, for the variants that use its
/// examples. [`step_on_devices`](Self::step_on_devices) takes it in parts on several devices.
/// [`ascend`](Self::ascend) and [`descend`](Self::descend) are for loops that take their gradients themselves.
///
/// # Cost
///
/// Two gradients and one step of the base (LookSAM: `k + 1` gradients in `k` steps; SA-GD:
/// `1 + restarts · steps`; SA-GD by trust region: three, and the Hessian-vector products of the
/// report), two host synchronizations, and memory for one displaced copy of the parameters (by trust
/// region a vector for each product).
///
/// # Example
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::optim::SgdConfig;
/// use burn::tensor::{Device, Tensor};
/// use burnscape::optim::SamConfig;
///
/// let device = Device::default().autodiff();
/// let mut model = LinearConfig::new(1, 1).with_bias(false).init(&device);
/// let x = Tensor::<2>::ones([4, 1], &device);
/// let mut sam = SamConfig::new().with_rho(0.1).init(SgdConfig::new().init())?;
/// for _ in 0..50 {
///     let report = sam.step(0.1, &mut model, |m: &Linear| {
///         m.forward(x.clone()).sub_scalar(3.0).powi_scalar(2).mean()
///     })?;
///     assert!(report.perturbed_loss >= report.loss);
/// }
/// let weight: f32 = model.weight.val().into_scalar();
/// assert!((weight - 3.0).abs() < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Sam {
    pub(super) machine: SamMachine,
    pub(super) base: ModuleOptimizer,
    pub(super) devices: Option<StepDevices>,
    pub(super) wait_limit: WaitLimit,
}

impl std::fmt::Debug for Sam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sam")
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

impl Sam {
    pub(super) fn from_config(config: SamConfig, base: ModuleOptimizer) -> Self {
        Self {
            machine: SamMachine::new(config),
            base,
            devices: None,
            wait_limit: WaitLimit::default(),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &SamConfig {
        &self.machine.config
    }

    /// The wrapped optimizer with its state, such as its momentum. A clone of it goes on without the ascent.
    pub fn base(&self) -> &ModuleOptimizer {
        &self.base
    }

    /// Steps so far, skipped ones included.
    pub fn num_steps(&self) -> usize {
        self.machine.step
    }

    /// One step on a closure, which moves the model in place.
    ///
    /// The closure is called at the weights and at displaced weights; it must evaluate the same batch each time. It
    /// returns the loss, or the loss with gradients. On an error the model is as before, running statistics included.
    ///
    /// A NaN or infinite loss or gradient is no error: the step is skipped, and the report states it.
    ///
    /// # Errors
    ///
    /// [`OptimError::Unmet`] for variants that need [`step_on`](Self::step_on) or the value of the loss, and on several
    /// devices; [`OptimError::TiedParameter`], [`OptimError::LearningRate`], [`OptimError::Loss`],
    /// [`OptimError::Space`].
    ///
    /// # Compile errors
    ///
    /// A step of Burn's optimizers takes gradients and returns the model. A step of SAM takes the gradients itself, and
    /// returns a report; pass `&mut model` and a closure:
    ///
    /// ```compile_fail,E0277
    /// # use burn::nn::LinearConfig;
    /// # use burn::optim::{GradientsParams, SgdConfig};
    /// # use burn::tensor::{Device, Tensor};
    /// # use burnscape::optim::SamConfig;
    /// # let device = Device::default().autodiff();
    /// # let mut model = LinearConfig::new(1, 1).init(&device);
    /// # let x = Tensor::<2>::ones([4, 1], &device);
    /// # let mut sam = SamConfig::new().init(SgdConfig::new().init()).unwrap();
    /// let gradients = GradientsParams::from_grads(model.forward(x).mean().backward(), &model);
    /// sam.step(0.1, &mut model, gradients); // use `|m: &Linear| m.forward(x.clone()).mean()`, and `?`
    /// ```
    ///
    /// A closure that returns no loss is refused with a list of the types that it may return:
    ///
    /// ```compile_fail,E0277
    /// # use burn::nn::{Linear, LinearConfig};
    /// # use burn::optim::SgdConfig;
    /// # use burn::tensor::{Device, Tensor};
    /// # use burnscape::optim::SamConfig;
    /// # let device = Device::default().autodiff();
    /// # let mut model = LinearConfig::new(1, 1).init(&device);
    /// # let x = Tensor::<2>::ones([4, 1], &device);
    /// # let mut sam = SamConfig::new().init(SgdConfig::new().init()).unwrap();
    /// // a step cannot use `Tensor<2>` as a loss: add `.mean()`
    /// sam.step(0.1, &mut model, |m: &Linear| m.forward(x.clone())).unwrap();
    /// ```
    pub fn step<M: Module, R: IntoEvaluation>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        closure: impl FnMut(&M) -> R,
    ) -> Result<StepReport, OptimError> {
        self.refuse_devices()?;
        self.machine.config.admit(EntryPoint::Closure)?;
        let space = self.machine.space(model)?;
        self.run(lr.into(), model, &space, &mut ClosureOracle(closure))
    }

    /// One step on a batch: as [`step`](Self::step), for variants that split the batch (m-sharpness), select from it
    /// (ESAM), use its examples one by one (Fisher) or trace the loss on it (trust-region ascent).
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step), those of [`Batch`], and, where the loss is traced,
    /// [`OptimError::Curvature`].
    pub fn step_on<M: Module, B: Batch>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        batch: B,
        objective: &impl Objective<M, B>,
    ) -> Result<StepReport, OptimError> {
        self.refuse_devices()?;
        self.machine.config.admit(EntryPoint::Batch)?;
        let space = self.machine.space(model)?;
        let config = &self.machine.config;
        let mut oracle = BatchOracle::new::<M>(objective, batch, config, space.clone())?;
        self.run(lr.into(), model, &space, &mut oracle)
    }

    /// A step on an oracle.
    fn run<M: Module>(
        &mut self,
        lr: ModuleLearningRate,
        model: &mut M,
        space: &ParamSpace,
        oracle: &mut dyn Oracle<M>,
    ) -> Result<StepReport, OptimError> {
        self.step_with(lr, model, space, |machine, lr, model, before| {
            machine.run(lr, model, space, before, oracle)
        })
    }

    /// A step of which `passes` takes the gradients, given the running statistics of before.
    pub(super) fn step_with<M: Module>(
        &mut self,
        lr: ModuleLearningRate,
        model: &mut M,
        space: &ParamSpace,
        passes: impl FnOnce(
            &mut SamMachine,
            &ModuleLearningRate,
            &M,
            &BufferSnapshot,
        ) -> Result<(StepReport, Descent), OptimError>,
    ) -> Result<StepReport, OptimError> {
        if has_ties(space) {
            // Occurrences that became separate leaves would each get a part of the gradient.
            *model = unshared_copy(model);
        }
        let before = BufferSnapshot::of(model);
        let limit = self.step_limit(space);
        let found = limit.advance(&mut self.machine, |machine| {
            passes(machine, &lr, model, &before)
        });
        if found.is_err() {
            // All passes may have ended although a wait has passed the limit.
            drop(before.restore(model.clone()));
        }
        let (report, descent) = found?;
        if report.skipped.is_none() {
            *model = self.move_weights(&lr, model.clone(), space, descent)?;
        }
        Ok(report)
    }

    /// The limit on waits of a step of a model with this space.
    pub(super) fn step_limit(&self, space: &ParamSpace) -> StepLimit {
        self.wait_limit
            .of_step(self.devices.as_ref(), space.device())
    }

    /// The base step, and the shift of the descent after it.
    pub(super) fn move_weights<M: Module>(
        &mut self,
        lr: &ModuleLearningRate,
        model: M,
        space: &ParamSpace,
        descent: Descent,
    ) -> Result<M, OptimError> {
        let Descent { gradient, shift } = descent;
        let mut model = self.base.step(lr.clone(), model, gradient.into_gradients());
        if let Some(shift) = shift {
            model = shift_weights(&model, shift, lr)?;
        }
        if has_ties(space) {
            model = LeafVector::from_module(space, &model)?.apply_to(&model)?;
        }
        Ok(model)
    }
}
