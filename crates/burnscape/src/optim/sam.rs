use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};

use super::batch_oracle::BatchOracle;
use super::combination::{Descent, Products};
use super::core::{Passes, SamCore};
use super::evaluation::LossValue;
use super::oracle::{ClosureOracle, Oracle};
use super::{Ascended, Ascent, IntoEvaluation, OptimError, SamConfig, SkipReason, StepReport};
use crate::loss::{Batch, Objective};
use crate::space::{BufferSnapshot, LeafVector, ParamSpace, unshared_copy};

/// A sharpness-aware optimizer around a Burn [`ModuleOptimizer`]. Built by [`SamConfig::init`].
///
/// [`step`](Self::step) takes a closure and does everything. [`step_on`](Self::step_on) takes a
/// batch, for the variants that look into it. Underneath are [`ascend`](Self::ascend) and
/// [`descend`](Self::descend), for loops that take their gradients themselves.
///
/// # Cost
///
/// Two gradients and one step of the base (LookSAM: `k + 1` gradients in `k` steps; SA-GD:
/// `1 + restarts · steps`; SA-GD by trust region: three, and the Hessian-vector products that the report
/// tells), two host synchronizations, and memory for one displaced copy of the parameters (by trust
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
    pub(super) core: SamCore,
    pub(super) base: ModuleOptimizer,
}

impl std::fmt::Debug for Sam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sam")
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}

impl Sam {
    pub(super) fn from_config(config: SamConfig, base: ModuleOptimizer) -> Self {
        Self {
            core: SamCore::new(config),
            base,
        }
    }

    /// The configuration.
    pub fn config(&self) -> &SamConfig {
        &self.core.config
    }

    /// Steps so far, skipped ones included.
    pub fn num_steps(&self) -> usize {
        self.core.state.step
    }

    /// One step on a closure.
    ///
    /// The closure is called at the weights and at displaced weights; it must evaluate the same
    /// batch each time. It returns the loss, or the loss with gradients. On an error the model is
    /// as before, running statistics included.
    ///
    /// A NaN or infinite loss or gradient is no error: the step is skipped, and the report says so.
    ///
    /// # Errors
    ///
    /// [`OptimError::NeedsBatch`] for variants that need [`step_on`](Self::step_on),
    /// [`OptimError::TiedParameter`], [`OptimError::LearningRate`], [`OptimError::NeedsLoss`], and
    /// what the loss or the gradients are refused for.
    pub fn step<M, F, R>(
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
        self.core.refuse_what_needs_batch()?;
        let space = self.core.space(model)?;
        self.run(lr.into(), model, &space, &mut ClosureOracle(closure))
    }

    /// One step on a batch: as [`step`](Self::step), and able to split the batch (m-sharpness),
    /// select from it (ESAM), take it example by example (Fisher) and trace the loss on it (trust-region
    /// ascent).
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step), those of [`Batch`], and, where the loss is traced,
    /// [`OptimError::Curvature`] and [`OptimError::Krylov`].
    pub fn step_on<M: Module, B: Batch>(
        &mut self,
        lr: impl Into<ModuleLearningRate>,
        model: &mut M,
        batch: B,
        objective: &impl Objective<M, B>,
    ) -> Result<StepReport, OptimError> {
        let space = self.core.space(model)?;
        let SamConfig {
            group_size,
            selection,
            ..
        } = self.core.config;
        let mut oracle =
            BatchOracle::new::<M>(objective, batch, group_size, selection, space.clone())?;
        self.run(lr.into(), model, &space, &mut oracle)
    }

    /// A whole step. On an error, and when the first pass was not finite, the running statistics
    /// are put back.
    fn run<M: Module>(
        &mut self,
        lr: ModuleLearningRate,
        model: &mut M,
        space: &ParamSpace,
        oracle: &mut dyn Oracle<M>,
    ) -> Result<StepReport, OptimError> {
        if has_ties(space) {
            // Occurrences that became leaves of their own would each get a part of the gradient.
            *model = unshared_copy(model);
        }
        let before = BufferSnapshot::of(model);
        let passes = match self.core.passes(&lr, model, space, oracle) {
            Ok(passes) => passes,
            Err(error) => {
                *model = before.restore(model.clone());
                return Err(error);
            }
        };
        let report = passes.report.clone();
        if let Some(reason) = report.skipped {
            self.core.skip();
            if reason == SkipReason::NonFinite {
                *model = before.restore(model.clone());
            }
            return Ok(report);
        }
        let descent = self.core.combine(passes)?;
        *model = self.move_weights(&lr, model.clone(), space, descent)?;
        Ok(report)
    }

    /// The ascent: moves the model to `w + e`, given the gradients at `w`.
    ///
    /// # Errors
    ///
    /// [`OptimError::NeedsBatch`] and [`OptimError::NeedsClosure`] for variants that evaluate more
    /// than the two gradients, and what parameter space refuses. The model is dropped with an
    /// error; pass a clone (it shares the tensors) to keep it.
    pub fn ascend<M: Module>(
        &self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        gradients: &GradientsParams,
    ) -> Result<Ascended<M>, OptimError> {
        self.core.refuse_what_needs_batch()?;
        if self.core.config.draws_seed.is_some() {
            // The first pass has been taken, with whatever mask.
            return Err(OptimError::NeedsClosure {
                feature: "`draws_seed`",
            });
        }
        if matches!(self.core.config.ascent, Ascent::Projected { .. }) {
            return Err(OptimError::NeedsClosure {
                feature: "projected ascent",
            });
        }
        let lr = lr.into();
        let space = self.core.space(&model)?;
        let plan = self.core.plan(&lr, &space)?;
        let gradient = LeafVector::from_gradients(&space, gradients)?;
        let aim = self
            .core
            .aim(&model, &gradient, LossValue::Unknown, None, &plan)?;
        let mut report = self.core.report(&plan, None, aim.square, &gradient);
        let displaced = match aim.displacement {
            Some((direction, scale)) if aim.square.is_finite() => {
                Some(direction.displace(&model, scale)?)
            }
            _ => None,
        };
        report.skipped = (!aim.square.is_finite()).then_some(SkipReason::NonFinite);
        let passes = Passes {
            report,
            gradient,
            square: aim.square,
            second: None,
            is_inside: plan.is_inside,
        };
        Ok(Ascended {
            original: model,
            displaced,
            space,
            passes,
            lr,
        })
    }

    /// The descent: gives the original weights back, moved by the base optimizer along the
    /// combination of both gradients.
    ///
    /// `gradients` are those at [`Ascended::module`]; `None` where
    /// [`Ascended::wants_gradient`] is false.
    ///
    /// # Errors
    ///
    /// [`OptimError::MissingGradient`], and what parameter space refuses.
    pub fn descend<M: Module>(
        &mut self,
        ascended: Ascended<M>,
        gradients: impl Into<Option<GradientsParams>>,
    ) -> Result<(M, StepReport), OptimError> {
        let Ascended {
            original,
            displaced,
            space,
            mut passes,
            lr,
        } = ascended;
        let wants_gradient = displaced.is_some();
        drop(displaced);
        if wants_gradient {
            let Some(gradients) = gradients.into() else {
                return Err(OptimError::MissingGradient);
            };
            let perturbed = LeafVector::from_gradients(&space, &gradients)?;
            drop(gradients);
            let products = Products::read(&passes.gradient, &perturbed, passes.square, &mut [])?;
            passes.report.gradients += 1;
            passes.report.cosine = products.cosine();
            if !products.perturbed.is_finite() {
                passes.report.skipped = Some(SkipReason::NonFinitePerturbed);
            }
            passes.second = Some((perturbed, products));
        }
        let report = passes.report.clone();
        if report.skipped.is_some() {
            self.core.skip();
            return Ok((original, report));
        }
        let descent = self.core.combine(passes)?;
        Ok((self.move_weights(&lr, original, &space, descent)?, report))
    }

    /// The base step, and what the combination asks for after it.
    fn move_weights<M: Module>(
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

/// `w − lr · shift`, with each parameter's own rate.
pub(super) fn shift_weights<M: Module>(
    model: &M,
    shift: LeafVector,
    lr: &ModuleLearningRate,
) -> Result<M, OptimError> {
    let shift =
        shift.map(|leaf, value| Some(value * lr.lr_from_param(leaf.id(), Some(leaf.path()))));
    Ok(shift.displace(model, -1.0)?)
}

pub(super) fn has_ties(space: &ParamSpace) -> bool {
    let mut leaves = space.leaves().iter();
    leaves.any(|leaf| !leaf.duplicates().is_empty())
}
