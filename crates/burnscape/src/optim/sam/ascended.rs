//! The step in two halves, for loops that take their gradients themselves.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;

use super::ascent::Perturbation;
use super::machine::First;
use super::needs::EntryPoint;
use super::step::SamStep;
use super::{Need, Sam};
use crate::optim::evaluation::{Evaluation, LossValue};
use crate::optim::{OptimError, StepReport};
use crate::space::{LeafVector, ParamSpace};

/// A model between ascent and descent: displaced, with its original weights kept beside it.
///
/// Take the second gradient at [`module`](Self::module) and give both to
/// [`Sam::descend`](super::Sam::descend). The original weights are kept, not recomputed, so they are the same to the
/// last bit. The displaced copy has separate running statistics: the second pass does not change the model's.
#[must_use = "the model was moved into this; without `Sam::descend` (or `into_original`) it is lost"]
pub struct Ascended<M> {
    original: M,
    displaced: Option<M>,
    space: ParamSpace,
    step: SamStep,
    lr: ModuleLearningRate,
}

impl<M: Module> Ascended<M> {
    /// The model at `w + e`; at `w` if this step does not ascend.
    pub fn module(&self) -> &M {
        self.displaced.as_ref().unwrap_or(&self.original)
    }

    /// Whether [`Sam::descend`](super::Sam::descend) needs a gradient at
    /// [`module`](Self::module). Not between LookSAM's ascents, outside the active steps, or when the
    /// first gradient was not finite.
    pub fn wants_gradient(&self) -> bool {
        self.displaced.is_some()
    }

    /// The model as it was, abandoning the step.
    pub fn into_original(self) -> M {
        self.original
    }
}

impl Sam {
    /// The ascent: moves the model to `w + e`, given the gradients at `w`.
    ///
    /// # Errors
    ///
    /// [`OptimError::Unmet`] for variants that evaluate more than the two gradients, and on several devices;
    /// [`OptimError::Space`]; [`LossError::Device`](crate::loss::LossError::Device) with a
    /// [limit on waits](Self::with_wait_limit). On an error the model is dropped; pass a clone (it shares the tensors) to
    /// keep it.
    pub fn ascend<M: Module>(
        &self,
        lr: impl Into<ModuleLearningRate>,
        model: M,
        gradients: &GradientsParams,
    ) -> Result<Ascended<M>, OptimError> {
        self.refuse_devices()?;
        self.machine.config.admit(EntryPoint::Gradients)?;
        let lr = lr.into();
        let space = self.machine.space(&model)?;
        let mut step = self.machine.begin(&lr, &space, 1)?;
        let first = First {
            weight: 1.0,
            gradient: LeafVector::from_gradients(&space, gradients)?,
            loss: LossValue::Unknown,
            examples: None,
        };
        let limit = self.step_limit(&space);
        let found = limit.in_time(|| self.machine.perturb(&mut step, first, &model, None))?;
        let displaced = match found {
            Some(Perturbation::Displacement { vector, scale }) => {
                Some(vector.perturb(&model, scale)?)
            }
            Some(Perturbation::Evaluated(_)) => {
                return Err(Need::Evaluations.unmet(self.machine.parts.ascent.name()));
            }
            None => None,
        };
        Ok(Ascended {
            original: model,
            displaced,
            space,
            step,
            lr,
        })
    }

    /// The descent: restores the original weights, and moves them with the base optimizer along the gradient that the
    /// descent makes of both.
    ///
    /// `gradients` are those at [`Ascended::module`]; `None` where
    /// [`Ascended::wants_gradient`] is false.
    ///
    /// # Errors
    ///
    /// [`OptimError::MissingGradient`], [`OptimError::Space`]; [`LossError::Device`](crate::loss::LossError::Device) with
    /// a [limit on waits](Self::with_wait_limit). On an error the model is dropped with `ascended`; keep a clone of it.
    pub fn descend<M: Module>(
        &mut self,
        ascended: Ascended<M>,
        gradients: impl Into<Option<GradientsParams>>,
    ) -> Result<(M, StepReport), OptimError> {
        let (mut step, model) = (ascended.step, ascended.original);
        // Frees the displaced copy.
        if ascended.displaced.map(drop).is_some() {
            let Some(gradients) = gradients.into() else {
                return Err(OptimError::MissingGradient);
            };
            let evaluation = Evaluation {
                loss: LossValue::Unknown,
                gradients,
            };
            step.report.num_gradients += 1;
            step.second(1.0, &ascended.space, evaluation)?;
        }
        let limit = self.step_limit(&ascended.space);
        let (report, descent) = limit.advance(&mut self.machine, |machine| machine.finish(step))?;
        if report.skipped.is_some() {
            return Ok((model, report));
        }
        let model = self.move_weights(&ascended.lr, model, &ascended.space, descent)?;
        Ok((model, report))
    }
}
